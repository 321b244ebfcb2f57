"""A run's base and adapter, measured and compared; everything that is written into the run's folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from finetune.data.examples import Example
from finetune.proof.evaluation import Evaluation
from finetune.proof.gates import READING
from finetune.proof.measuring import Questions, compared, compared_by_source, measured, spread
from finetune.proof.parity import Parity, measure_parity
from finetune.proof.report import draw, markdown
from finetune.run_folder import RunFolder
from ragvoice.build_adapter import CPU_FORMATS
from ragvoice.errors import GenerationError, ModelError
from ragvoice.evaluation.application import ROLES
from ragvoice.evaluation.provenance import provenance
from ragvoice.evaluation.results import QuestionResult
from ragvoice.files import write_json
from ragvoice.settings import NO_ADAPTER, read_settings

if TYPE_CHECKING:
    from ragvoice.commands.progress import Report

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    evaluation: Evaluation
    base: Sequence[QuestionResult]
    """Answers of the reading test."""
    adapted: Sequence[QuestionResult]


def base_flags(run: RunFolder) -> dict[str, Any]:
    """Settings of the bare base model.

    :raises UsageError: when the run has no finished adapter.
    """
    return {"llm": run.adapter_provenance()["base"], "adapter": NO_ADAPTER}


def adapter_flags(run: RunFolder) -> dict[str, Any]:
    """Settings of the base with the run's adapter, and the confidence that was fitted with it, if one was."""
    confidence = run.confidence if run.confidence.is_file() else None
    return {**base_flags(run), "adapter": str(run.adapter), "confidence": confidence}


def evaluate_run(
    run: RunFolder, questions: Questions, bars: Report, *, parity: int = 0, fresh: bool = False
) -> Measured:
    """The base first: its answers are kept for other runs on the same base.

    :param parity: Examples that the trained model answers, too; 0 is none.
    :raises UsageError: when the run has no finished adapter.
    """
    adapter, confidence = run.adapter_sha256(), run.confidence_sha256()
    base = measured(questions, base_flags(run), "base", bars, fresh=fresh)
    adapted = measured(questions, adapter_flags(run), "adapter", bars, fresh=fresh)
    evaluation = Evaluation(
        run=run.name,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        base=run.adapter_provenance()["base"],
        adapter_sha256=adapter,
        confidence_sha256=confidence,
        comparisons=tuple(compared(base, adapted)),
        by_source=tuple(compared_by_source(questions.examples, base, adapted)),
        parity=_parity(run, spread(questions.examples, parity), bars, fresh=fresh) if parity else None,
        seen=questions.seen,
        made_by=provenance(read_settings(**adapter_flags(run)), ROLES),
    )
    return Measured(evaluation, base[READING, "all"], adapted[READING, "all"])


def _parity(run: RunFolder, examples: Sequence[Example], bars: Report, *, fresh: bool) -> Parity | None:
    """None where the runtime serves what was trained, or a model failed: an evaluation of hours is not lost by that."""
    flags = base_flags(run)
    served_by = read_settings(**flags).llm_runtime
    if not examples or served_by not in CPU_FORMATS:
        return None
    try:
        return measure_parity(examples, flags["llm"], run.adapter, served_by, bars, fresh=fresh)
    except (ModelError, GenerationError) as error:
        _log.warning("The served answers were not compared with those of the trained model. %s", error)
        return None


def write_evaluation(run: RunFolder, made: Measured, verdict: Sequence[str]) -> None:
    """evaluation.json, evaluation.md and evaluation.png.

    :param verdict: What speaks against a promotion, one sentence each.
    """
    draw(made.evaluation, run.evaluation_plot)
    text = markdown(made.evaluation, verdict, made.base, made.adapted, run.evaluation_plot.name)
    run.evaluation_report.write_text(text, encoding="utf-8")
    write_json(run.evaluation, made.evaluation.to_json())
