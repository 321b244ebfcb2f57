"""Adapters that come with the package: one folder each, in PEFT's format, with a `ragvoice.json` naming its base."""
