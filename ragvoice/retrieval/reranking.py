"""The best passages once more, read together with the question by a cross-encoder that the settings name.

None comes with the package: one trained here from MiniLM does not pay (docs/experiments.md, 2026-11-24).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.cross_encoders import BaseCrossEncoder

from ragvoice.datatypes import Passage
from ragvoice.errors import ModelError

RERANKED = 20
"""Passages that it reads, at most; each costs a pass of the model."""
_WEIGHT = 0.5
"""Of its score; the rest is the fused one, which knows versions and short chunks."""


def reranked(query: str, passages: Sequence[Passage], cross_encoder: BaseCrossEncoder) -> list[Passage]:
    """Best first, by the mean of the fused score and that of the cross-encoder, both 0 to 1."""
    if not passages:
        return []
    texts = ["\n".join(part for part in (p.title, p.section, p.table_header, p.text) if part) for p in passages]
    read = np.clip(cross_encoder.score([(query, text) for text in texts]), 0.0, 1.0)
    scored = [
        replace(passage, score=float((1 - _WEIGHT) * passage.score + _WEIGHT * value))
        for passage, value in zip(passages, read, strict=True)
    ]
    return sorted(scored, key=lambda passage: -passage.score)


class SentenceTransformersCrossEncoder(BaseCrossEncoder):
    """A cross-encoder with one output, such as those trained on MS MARCO; its logits become probabilities."""

    def __init__(self, model_path: Path):
        """:raises ModelError: when sentence-transformers is missing, or the folder holds no such model."""
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise ModelError("sentence-transformers is missing. Install: pip install 'ragvoice[hf]'") from error
        try:
            self._model: Any = CrossEncoder(str(model_path), local_files_only=True)
        except Exception as error:  # transformers raises whatever its loaders meet
            raise ModelError(f"{model_path.name} cannot be loaded as a cross-encoder ({error}).") from error
        if self._model.config.num_labels != 1:
            raise ModelError(f"{model_path.name} has {self._model.config.num_labels} outputs; a reranker has one.")

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """P(the text is relevant), 0 to 1, of each (question, text)."""
        import torch

        values = self._model.predict(text_pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        return [float(value) for value in values]
