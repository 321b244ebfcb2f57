"""Company documents -> a LoRA adapter that is proven to help. Not built yet: the README says what is missing."""
