"""Whether what is served answers like what was trained, and what the difference costs against the gold answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from finetune.data.examples import Example
from finetune.proof.direct import ask_directly, journal_of, reading_tasks
from finetune.proof.gates import READING
from ragvoice.errors import GenerationError, UsageError
from ragvoice.evaluation.answer_metrics import exact_match, f1, normalise
from ragvoice.settings import read_settings

if TYPE_CHECKING:
    from ragvoice.commands.progress import Report

_TRAINED = "transformers"
"""Runtime that holds the adapter beside its base, as the training did."""


@dataclass(frozen=True)
class Parity:
    """Means over the examples; all but `n` between 0 and 1."""

    n: int
    identical: float
    """Share of the answers that are the same but for case, punctuation and articles."""
    agreement_f1: float
    """Token F1 between the two answers."""
    served_f1: float
    served_exact_match: float
    trained_f1: float
    trained_exact_match: float

    @property
    def sentence(self) -> str:
        return (
            f"On {self.n} test examples the served model (int8) gives the same answer as the trained one (not "
            f"quantised) in {self.identical:.0%}, with a token F1 of {self.agreement_f1:.3f} between the two. Against "
            f"the gold answers: F1 {self.served_f1:.3f} served, {self.trained_f1:.3f} trained; exact match "
            f"{self.served_exact_match:.3f} served, {self.trained_exact_match:.3f} trained."
        )


def measure_parity(
    examples: Sequence[Example], base: str, adapter: Path, served_by: str, bars: Report, *, fresh: bool = False
) -> Parity:
    """Asks both as the reading test does, whose answers of the served model are not asked again.

    :param base: Reference of the model that the adapter was trained on.
    :param served_by: Runtime that serves: merged, int8.
    :param fresh: Ask the trained model again, too.
    :raises UsageError: without an example.
    :raises ModelError: when one of the two cannot be loaded.
    :raises GenerationError: when one of them failed at an example.
    """
    from ragvoice.build import build_chat_model

    if not examples:
        raise UsageError("There is no test example to compare the served model with the trained one on.")
    written = []
    for who, runtime in (("served", served_by), ("trained", _TRAINED)):
        settings = read_settings(llm=base, adapter=str(adapter), llm_runtime=runtime, llm_quantisation="none")
        journal = journal_of(READING, settings)
        if fresh and runtime == _TRAINED:
            journal.unlink(missing_ok=True)
        chat = partial(build_chat_model, settings)
        results = ask_directly(reading_tasks(examples), chat, journal, partial(bars, f"parity: {who}"))
        failed = next((result for result in results if result.error is not None), None)
        if failed:
            raise GenerationError(f"The {who} model failed at the example {failed.id}: {failed.error}")
        written.append([result.answer for result in results])
    served, trained = written
    return parity(served, trained, [example.accepted or (example.answer,) for example in examples])


def parity(served: Sequence[str], trained: Sequence[str], golds: Sequence[Sequence[str]]) -> Parity:
    """:param golds: Answers of each example that count as right; of a refusal the abstention's words.
    :raises ValueError: when the three are not equally many, or none.
    """
    rows = [
        (
            float(normalise(ours) == normalise(theirs)),
            f1(ours, [theirs]) if normalise(ours) != normalise(theirs) else 1.0,
            f1(ours, accepted),
            exact_match(ours, accepted),
            f1(theirs, accepted),
            exact_match(theirs, accepted),
        )
        for ours, theirs, accepted in zip(served, trained, golds, strict=True)
    ]
    if not rows:
        raise ValueError("no answers to compare")
    return Parity(len(rows), *(sum(column) / len(rows) for column in zip(*rows, strict=True)))
