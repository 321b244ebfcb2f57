"""Documents in folders -> a searchable index that is always whole."""
