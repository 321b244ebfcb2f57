"""What `finetune evaluate` found: base and adapter over the same questions, as it stands in evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from finetune.proof.gates import READING
from finetune.proof.parity import Parity
from finetune.run_folder import RunFolder, read_object
from ragvoice.errors import UsageError
from ragvoice.evaluation.comparison import Comparison, Difference
from ragvoice.evaluation.report import comparison_json, comparison_of

SCHEMA = 1


@dataclass(frozen=True)
class Evaluation:
    run: str
    created: str
    """ISO 8601, UTC."""
    base: str
    adapter_sha256: str
    confidence_sha256: str
    """Of the confidence that answered with the adapter; empty for the one that is configured."""
    comparisons: tuple[Comparison, ...]
    """`before` is the base model, `after` the adapter."""
    by_source: tuple[Comparison, ...] = ()
    """Parts of the reading test, by where an example came from; no gate looks at them."""
    parity: Parity | None = None
    """Of what is served with what was trained; None when it was not measured."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """Set -> questions left out because the training saw them or a document that answers them."""
    made_by: Mapping[str, Any] = field(default_factory=dict)
    """Code, settings, models and prompt of the adapter's side."""

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "run": self.run,
            "created": self.created,
            "base": self.base,
            "adapter_sha256": self.adapter_sha256,
            "confidence_sha256": self.confidence_sha256,
            "comparisons": [comparison_json(comparison) for comparison in self.comparisons],
            "by_source": [comparison_json(comparison) for comparison in self.by_source],
            "parity": asdict(self.parity) if self.parity else None,
            "left_out_as_seen": dict(self.seen),
            "made_by": dict(self.made_by),
        }

    def difference(self, measure: str) -> tuple[Comparison, Difference] | None:
        """Of the reading test."""
        for comparison in self.comparisons:
            for difference in comparison.differences if comparison.name == READING else ():
                if difference.measure.name == measure:
                    return comparison, difference
        return None


def read_evaluation(run: RunFolder) -> Evaluation | None:
    """None when the run was not evaluated yet.

    :raises UsageError: when evaluation.json is damaged or of another version.
    """
    if not run.evaluation.is_file():
        return None
    data = read_object(run.evaluation)
    try:
        if data["schema"] != SCHEMA:
            raise ValueError(f"it has schema {data['schema']}, this version reads {SCHEMA}")
        return Evaluation(
            data["run"],
            data["created"],
            data["base"],
            data["adapter_sha256"],
            data["confidence_sha256"],
            tuple(comparison_of(row) for row in data["comparisons"]),
            tuple(comparison_of(row) for row in data["by_source"]),
            Parity(**data["parity"]) if data.get("parity") else None,
            data["left_out_as_seen"],
            data["made_by"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"{run.evaluation} cannot be read ({error}). Make it again: ragvoice finetune evaluate {run.name}"
        ) from error
