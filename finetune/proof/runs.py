"""All runs at a glance."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from finetune.proof.evaluation import Evaluation, read_evaluation
from finetune.proof.promotion import in_service
from finetune.run import read_run
from finetune.run_folder import RunFolder, read_lines, read_object
from ragvoice.errors import RagVoiceError, UsageError

State = Literal["prepared", "training", "trained", "evaluated", "promoted", "in service", "damaged"]
"""`promoted`: it was in service once; `damaged`: a file of it cannot be read."""


@dataclass(frozen=True)
class RunSummary:
    run: str
    state: State
    base: str = ""
    date: str = ""
    """Day of the newest metrics, else of the folder; UTC."""
    examples: int = 0
    """Of the training."""
    steps: int | None = None
    held_out_loss: float | None = None
    measure: str = ""
    base_score: float | None = None
    adapter_score: float | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def summary(run: RunFolder) -> RunSummary:
    """Never raises for a damaged run: the list must show the others."""
    try:
        return _summary(run)
    except (RagVoiceError, OSError) as error:
        return RunSummary(run.name, "damaged", note=str(error))


def _summary(run: RunFolder) -> RunSummary:
    rows = read_lines(run.metrics)
    provenance = read_object(run.provenance) if run.provenance.is_file() else {}
    config = read_run(str(run.run_file))[1] if run.run_file.is_file() else None
    state, evaluation = _state(run, bool(rows))
    measure = config.evaluation.measure if config else ""
    found = evaluation.difference(measure) if evaluation else None
    stamp = (run.metrics if rows else run.path).stat().st_mtime
    return RunSummary(
        run=run.name,
        state=state,
        base=str(provenance.get("base") or (config.base if config else "")),
        date=datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d"),
        examples=_lines(run),
        steps=_last(rows, "step"),
        held_out_loss=_last(rows, "eval_loss"),
        measure=measure,
        base_score=found[1].before if found else None,
        adapter_score=found[1].after if found else None,
    )


def _state(run: RunFolder, trains: bool) -> tuple[State, Evaluation | None]:
    """With the evaluation, if there is one of this very adapter."""
    try:
        digest, base = run.adapter_sha256(), str(run.adapter_provenance()["base"])
    except UsageError:
        if run.model.is_dir():
            return "trained", None
        return ("training" if trains or run.checkpoints.is_dir() else "prepared"), None
    evaluation = read_evaluation(run)
    if evaluation and evaluation.adapter_sha256 != digest:
        evaluation = None
    if in_service(base) == digest:
        return "in service", evaluation
    if any(row.get("adapter_sha256") == digest for row in read_lines(run.promotions)):
        return "promoted", evaluation
    return ("evaluated" if evaluation else "trained"), evaluation


def _lines(run: RunFolder) -> int:
    file = run.data / "train.jsonl"
    return sum(1 for line in file.open("rb") if line.strip()) if file.is_file() else 0


def _last(rows: list[dict[str, Any]], key: str) -> Any:
    return next((row[key] for row in reversed(rows) if row.get(key) is not None), None)
