"""Builders that turn the texts in data/sources into office files for the sample company."""
