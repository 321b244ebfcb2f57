"""P(the answer is right), from what retrieval, the model and the grounding say: a logistic regression.

The weights are in `confidence.json`, fitted by `benchmarks/fit_confidence.py` on the visible question sets.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from ragvoice.datatypes import Passage, Style
from ragvoice.generation.grounding import Support, coverage


@dataclass(frozen=True)
class Evidence:
    """Features of one answered question; all are numbers so that the regression takes them as they are."""

    similarity: float
    """Cosine of the question and the nearest passage, -1 to 1."""
    score: float
    """Fused score of the best passage, 0 to 1."""
    margin: float
    """Fused score of the best passage minus that of the last one that the model read."""
    coverage: float
    """Share of the question's content words in the passages, 0 to 1."""
    best_coverage: float
    """The same in the passage that the answer is quoted from."""
    mean_logprob: float
    """Mean log probability of the answer's tokens; 0 when the model does not say."""
    min_logprob: float
    """That of the least likely token."""
    support: float
    """Share of the answer's content words that the quoted sentence holds, 0 to 1."""
    rank: float
    """Position of the quoted passage among those that the model read, from 0."""
    numbers_found: float
    """1 when every number of the answer stands in the quoted passage, else 0."""
    short: float
    """1 for the style `short`, else 0."""


def gather(
    question: str, passages: Sequence[Passage], found: Support, logprobs: Sequence[float], style: Style
) -> Evidence:
    """:param passages: Those that the model read, best first; at least one."""
    quoted = [p for p in passages if found.citation and p.doc_id == found.citation.doc_id]
    quoted = [p for p in quoted if found.citation and found.citation.quote in p.text] or list(passages[:1])
    known = [value for value in logprobs if not math.isnan(value)]
    return Evidence(
        similarity=max(p.similarity for p in passages),
        score=passages[0].score,
        margin=passages[0].score - passages[-1].score,
        coverage=coverage(question, passages),
        best_coverage=coverage(question, quoted[:1]),
        mean_logprob=sum(known) / len(known) if known else 0.0,
        min_logprob=min(known, default=0.0),
        support=found.score,
        rank=float(passages.index(quoted[0])),
        numbers_found=float(found.numbers_found),
        short=float(style == "short"),
    )


class ConfidenceModel:
    """P = 1 / (1 + exp(-(bias + weights . evidence)))."""

    def __init__(self, bias: float, weights: dict[str, float]):
        self._bias = bias
        self._weights = weights

    @classmethod
    def load(cls) -> ConfidenceModel:
        data = json.loads(resources.files("ragvoice.generation").joinpath("confidence.json").read_text())
        return cls(float(data["bias"]), {name: float(weight) for name, weight in data["weights"].items()})

    def probability(self, evidence: Evidence) -> float:
        total = self._bias + sum(weight * getattr(evidence, name) for name, weight in self._weights.items())
        return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))
