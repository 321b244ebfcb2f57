"""What kind of model a folder holds, told from the names of its files."""

from __future__ import annotations

from enum import Enum
from pathlib import Path


class Layout(Enum):
    CTRANSLATE2 = "CTranslate2"
    TRANSFORMERS = "transformers"
    GGUF = "GGUF"
    ADAPTER = "PEFT adapter"
    OTHER = "other"


def layout_of(folder: Path) -> Layout:
    """Layout of the model in a folder; the first that fits, most specific first."""
    if (folder / "adapter_config.json").is_file():
        return Layout.ADAPTER
    if (folder / "model.bin").is_file():
        return Layout.CTRANSLATE2
    if (folder / "config.json").is_file() and next(folder.glob("*.safetensors"), None):
        return Layout.TRANSFORMERS
    return Layout.GGUF if next(folder.glob("*.gguf"), None) else Layout.OTHER
