"""Captions of pictures by a model of the hub or a folder: BLIP, GIT, ViT-GPT2 and other encoder-decoders."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError

MAX_NEW_TOKENS = 40


class TransformersCaptioner:
    """Bytes of an image -> caption; greedy.

    :param model_path: Folder of a transformers model from images to text with its image processor and tokenizer.
    :param device: torch's name, or "auto": cuda where there is one.
    :raises ModelError: it is missing or of another kind.
    """

    def __init__(self, model_path: Path, *, device: str = "auto"):
        try:
            import torch
            from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            self._images: Any = AutoImageProcessor.from_pretrained(model_path, backend="pil")
            self._tokenizer: Any = AutoTokenizer.from_pretrained(model_path)
            self._model: Any = AutoModelForImageTextToText.from_pretrained(model_path).to(device).eval()
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, ImportError) as error:
            raise ModelError(f"{model_path.name} cannot be loaded as a model that describes images: {error}") from error

    def __call__(self, image: bytes) -> str:
        """:raises ModelError: the model takes no plain image."""
        import torch
        from PIL import Image

        with Image.open(io.BytesIO(image)) as picture:
            inputs = self._images(picture.convert("RGB"), return_tensors="pt").to(self._model.device)
        try:
            with torch.inference_mode():
                [tokens] = self._model.generate(**inputs, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        except (RuntimeError, ValueError, TypeError) as error:
            raise ModelError(f"the model that describes images failed: {error}") from error
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True)).strip()
