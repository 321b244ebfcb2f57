"""The reader: does this passage answer this question, and with which words? A small cross-encoder on CTranslate2.

Legend: `l` tokens, `d` width of the encoder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from langchain_core.cross_encoders import BaseCrossEncoder
from numpy.typing import NDArray

from ragvoice.datatypes import Passage
from ragvoice.errors import ModelError
from ragvoice.retrieval.pairs import PairEncoder
from ragvoice.retrieval.window import best_window

MAX_SPAN_TOKENS = 20


@dataclass(frozen=True)
class Reading:
    """What the reader found in one passage."""

    answers: float
    """P(the passage answers the question), 0 to 1, as the training data have it: not calibrated for other documents."""
    relevance: float
    """P(the passage is about what is asked), 0 to 1."""
    span: tuple[int, int] | None
    """Offsets in the passage's text of the most likely short answer; None when no token is left of the passage."""
    span_score: float
    """Logit of its start plus logit of its end."""
    null_score: float
    """The same sum at [CLS], which stands for "no answer" (Devlin et al. 2019, section 4.3)."""


class CrossEncoder(BaseCrossEncoder):
    """Made by `ragvoice.models.reader` from MiniLM and the adapter in this package."""

    def __init__(self, model_path: Path, *, cpu_threads: int = 0) -> None:
        """
        :param model_path: Folder of the conversion "reader-1".
        :param cpu_threads: 0 leaves the choice to CTranslate2.
        :raises ModelError: when the folder is not a reader.
        """
        import ctranslate2
        from safetensors.numpy import load_file

        try:
            card = json.loads((model_path / "card.json").read_text(encoding="utf-8"))
            self._heads = load_file(model_path / "heads.safetensors")
            self._encoder = ctranslate2.Encoder(str(model_path), device="cpu", intra_threads=cpu_threads)
        except Exception as error:  # CTranslate2 and safetensors raise bare exceptions
            raise ModelError(f"{model_path} is not a reader ({error}). Run: ragvoice models pull") from error
        self._pairs = PairEncoder(
            model_path / "tokenizer.json", window_tokens=card["window_tokens"], max_tokens=card["max_tokens"]
        )

    def read(self, question: str, passages: Sequence[Passage]) -> list[Reading]:
        """One reading a passage, in their order; each passage is read alone, so none depends on its neighbours."""
        return [self._read(question, passage.title, passage.text) for passage in passages]

    def score(self, text_pairs: list[tuple[str, str]]) -> list[float]:
        """P(relevant) of each (question, text)."""
        return [self._read(question, "", text).relevance for question, text in text_pairs]

    def _read(self, question: str, title: str, text: str) -> Reading:
        window = best_window(question, text, self._pairs.count, self._pairs.window_tokens)
        pair = self._pairs.encode(question, title, text, window)
        output = self._encoder.forward_batch([pair.token_ids_l], token_type_ids=[pair.type_ids_l])
        hidden_ld = np.asarray(output.last_hidden_state)[0]
        answers, relevance = (
            pooled(hidden_ld, np.asarray(pair.type_ids_l)) @ self._heads["pair.weight"].T + (self._heads["pair.bias"])
        )
        start_l, end_l = (hidden_ld @ self._heads["span.weight"].T + self._heads["span.bias"]).T
        span, span_score = best_span(start_l, end_l, pair.offsets_l)
        return Reading(_sigmoid(answers), _sigmoid(relevance), span, span_score, float(start_l[0] + end_l[0]))


def pooled(hidden_ld: NDArray[np.float32], type_ids_l: NDArray[np.int64]) -> NDArray[np.float32]:
    """Shape (4 d,): the state at [CLS], the means of question and passage, and the product of these two."""
    question_d = hidden_ld[type_ids_l == 0].mean(axis=0)
    passage_d = hidden_ld[type_ids_l == 1].mean(axis=0)
    return np.concatenate([hidden_ld[0], question_d, passage_d, question_d * passage_d])


def best_span(
    start_l: NDArray[np.float32], end_l: NDArray[np.float32], offsets_l: Sequence[tuple[int, int]]
) -> tuple[tuple[int, int] | None, float]:
    """Offsets and score of the span of the passage's text, at most `MAX_SPAN_TOKENS` long, with the highest sum."""
    inside = [i for i, (a, b) in enumerate(offsets_l) if b > a]
    if not inside:
        return None, -math.inf
    sums = {
        (first, last): float(start_l[first] + end_l[last])
        for position, first in enumerate(inside)
        for last in inside[position : position + MAX_SPAN_TOKENS]
    }
    first, last = max(sums, key=sums.__getitem__)
    return (offsets_l[first][0], offsets_l[last][1]), sums[first, last]


def _sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
