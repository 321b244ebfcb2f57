"""P(the answer is right), from what retrieval, the model and the grounding say: logistic regression or a small network.

Its weights are fitted by `ragvoice evaluate --fit-abstention` and belong to one prompt, model and adapter.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import Passage, Style
from ragvoice.errors import UsageError
from ragvoice.generation.grounding import Support, content_words, coverage, names, numbers
from ragvoice.generation.negation import unmet_negation

PACKAGED = "confidence.json"
_LONGEST_EXPONENT = 30.0
_ASKS_FOR_NUMBER = re.compile(
    r"\b(how (?:many|much|long|old|often|far|high|big|large)|when|what (?:year|date|time|percentage|day|number)|"
    r"which (?:year|date|day)|since when|until when)\b",
    re.IGNORECASE,
)
_SAYS_NUMBER = re.compile(
    r"\d|\b(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|hundred|thousand|million|billion|"
    r"once|twice|half|no|none|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|day|week|month|year|century|always|never)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Evidence:
    """Features of one answered question; all are numbers, so that a model takes them as they are."""

    similarity: float
    """Cosine of the question and the nearest passage, -1 to 1."""
    score: float
    """Fused score of the best passage, 0 to 1."""
    margin: float
    """Fused score of the best passage minus that of the best one of another document."""
    coverage: float
    """Share of the question's content words in the passages that the model read, 0 to 1."""
    best_coverage: float
    """The same in the passage that the answer is quoted from."""
    quote_coverage: float
    """The same in the quoted sentence."""
    names_asked: float
    """Share of the question's names in the passage that the answer is quoted from, 0 to 1; 1 if it has none."""
    numbers_asked: float
    """The same for its numbers."""
    quote_names: float
    """Share of the names in question and answer that the quoted sentence or its headings hold, 0 to 1; 1 without any:
    a passage may name Poland and the sentence speak of England."""
    mean_logprob: float
    """Mean log probability of the answer's tokens; 0 when the model does not say."""
    min_logprob: float
    """That of the least likely token."""
    first_logprob: float
    """That of the first token."""
    support: float
    """Share of the answer's content words that the quoted sentence holds, 0 to 1."""
    read: float
    """How many passages the model read."""
    rank: float
    """Position of the quoted passage among those that the model read, from 0."""
    numbers_found: float
    """1 when every number of the answer stands in the quoted passage, else 0."""
    names_found: float
    """1 when every name of the answer stands there, else 0."""
    negation_unmet: float
    """1 when the question negates something that the passages only affirm, else 0."""
    kind_fits: float
    """0 when the question asks for a number or a time and the answer has none, else 1."""
    refuses: float
    """1 when the model itself says that the passages do not hold the answer, else 0."""
    refusal: float
    """Probability of the refusal's first token where the model chose it and was asked again without it, else 0."""
    words: float
    """ln(1 + words of the answer)."""
    asked_words: float
    """ln(1 + content words of the question)."""
    heard: float
    """Confidence of the recogniser, 0 to 1; 1 for a typed question."""
    short: float
    """1 for the style `short`, else 0."""


FEATURES = tuple(field.name for field in fields(Evidence))


def gather(
    question: str,
    answer: str,
    found: Sequence[Passage],
    read: Sequence[Passage],
    support: Support,
    logprobs: Sequence[float],
    *,
    refuses: bool,
    style: Style,
    heard: float = 1.0,
    refusal: float = 0.0,
) -> Evidence:
    """:param found: All that were retrieved, best first.
    :param read: Those that the model read, best first; at least one.
    """
    quote = support.citation
    quoted = [p for p in read if quote and p.doc_id == quote.doc_id and quote.quote in p.text] or list(read[:1])
    source = f"{quoted[0].title} {quoted[0].section} {quoted[0].table_header} {quoted[0].text}"
    other = next((p.score for p in found if p.doc_id != found[0].doc_id), 0.0)
    known = [value for value in logprobs if not math.isnan(value)]
    asked = set(content_words(question))
    quote_words = set(content_words(quote.quote)) if quote else set[str]()
    headings = set(content_words(f"{quoted[0].title} {quoted[0].section} {quoted[0].table_header}"))
    return Evidence(
        similarity=max(p.similarity for p in read),
        score=read[0].score,
        margin=found[0].score - other,
        coverage=coverage(question, read),
        best_coverage=coverage(question, quoted[:1]),
        quote_coverage=_share(asked, quote_words),
        names_asked=_share(names(question), set(content_words(source))),
        numbers_asked=_share(numbers(question), numbers(source)),
        quote_names=_share(names(question) | names(answer), quote_words | headings),
        mean_logprob=sum(known) / len(known) if known else 0.0,
        min_logprob=min(known, default=0.0),
        first_logprob=known[0] if known else 0.0,
        support=support.score,
        read=float(len(read)),
        rank=float(read.index(quoted[0])),
        numbers_found=float(support.numbers_found),
        names_found=float(support.names_found),
        negation_unmet=float(unmet_negation(question, read)),
        kind_fits=float(not _ASKS_FOR_NUMBER.search(question) or bool(_SAYS_NUMBER.search(answer))),
        refuses=float(refuses),
        refusal=refusal,
        words=math.log1p(len(answer.split())),
        asked_words=math.log1p(len(asked)),
        heard=heard,
        short=float(style == "short"),
    )


@dataclass(frozen=True)
class ConfidenceModel:
    """A feed-forward network with ReLU between its layers and a sigmoid at its end; one layer is a logistic regression.

    Legend: `f` features, `i` and `o` inputs and outputs of a layer.
    """

    features: tuple[str, ...]
    mean_f: NDArray[np.float64]
    scale_f: NDArray[np.float64]
    """Features are standardised: (x - mean) / scale."""
    weights: tuple[NDArray[np.float64], ...]
    """Of each layer, shape (i, o); the last has one output."""
    biases: tuple[NDArray[np.float64], ...]
    threshold: float = 0.5
    """P(right) below which an answer is not given, chosen when the model was fitted."""
    made_for: dict[str, str] | None = None
    """`prompt`, `llm` and `adapter` whose answers it was fitted on."""

    @classmethod
    def load(cls, file: Path | None = None) -> ConfidenceModel:
        """:param file: None takes the weights that come with the package.
        :raises UsageError: when the file is none of ours, or has a feature that this version does not know.
        """
        try:
            text = (
                file.read_text(encoding="utf-8")
                if file
                else resources.files("ragvoice.generation").joinpath(PACKAGED).read_text(encoding="utf-8")
            )
            return cls.from_json(json.loads(text))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{file or PACKAGED} is not a confidence model of this version ({error}). "
                "Fit it again: ragvoice evaluate DATASET --fit-abstention"
            ) from error

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> ConfidenceModel:
        unknown = set(data["features"]) - set(FEATURES)
        if unknown:
            raise ValueError(f"unknown features: {', '.join(sorted(unknown))}")
        return cls(
            tuple(data["features"]),
            np.asarray(data["mean"], dtype=np.float64),
            np.asarray(data["scale"], dtype=np.float64),
            tuple(np.asarray(layer["weights"], dtype=np.float64) for layer in data["layers"]),
            tuple(np.asarray(layer["biases"], dtype=np.float64) for layer in data["layers"]),
            float(data["threshold"]),
            data.get("made_for"),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "features": list(self.features),
            "mean": _rounded(self.mean_f),
            "scale": _rounded(self.scale_f),
            "layers": [
                {"weights": [_rounded(row) for row in weights], "biases": _rounded(biases)}
                for weights, biases in zip(self.weights, self.biases, strict=True)
            ],
            "threshold": round(self.threshold, 4),
            "made_for": self.made_for,
        }

    @property
    def weighs_refusals(self) -> bool:
        """Whether it was fitted on answers of a model that had refused at first."""
        return "refusal" in self.features

    def probability(self, evidence: Evidence) -> float:
        row = asdict(evidence)
        value = (np.array([row[name] for name in self.features]) - self.mean_f) / self.scale_f
        for number, (weights, biases) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            value = value @ weights + biases
            if number < len(self.weights):
                value = np.maximum(value, 0.0)
        return float(1.0 / (1.0 + np.exp(-np.clip(value[0], -_LONGEST_EXPONENT, _LONGEST_EXPONENT))))


def _share(wanted: set[str], there: set[str]) -> float:
    return len(wanted & there) / len(wanted) if wanted else 1.0


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 6) for value in values]
