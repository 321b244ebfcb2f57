"""Paired text and sound of a company's questions, and a Whisper trained on them."""
