"""An adapter goes into service, or is refused; the one before it can come back."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from finetune.proof.evaluation import Evaluation, read_evaluation
from finetune.proof.gates import gates_in_force
from finetune.proof.verdict import figures, objections
from finetune.run import read_run
from finetune.run_folder import RunFolder, adapter_sha256, append_line
from ragvoice.build_adapter import prepare_adapter, promoted_adapters
from ragvoice.errors import RagVoiceError
from ragvoice.models.promoted import Promotion
from ragvoice.models.publishing import publish
from ragvoice.settings import CONFIDENCE_FILE, home, read_settings


class PromotionRefused(RagVoiceError):
    code = "promotion_refused"


def promote_run(run: RunFolder) -> Promotion:
    """A copy of the adapter, with its confidence if it has one, goes into service; the run may be trained again.

    :raises PromotionRefused: saying why, with the figures.
    :raises UsageError: when the run has no finished adapter, or its files cannot be read.
    :raises ModelError: when it cannot be merged into its base.
    """
    digest = run.adapter_sha256()
    _, config, _ = read_run(str(run.run_file))
    gates, changed = gates_in_force(config.evaluation.gates)
    evaluation = _of_this_adapter(run, digest)
    against = objections(evaluation, config.evaluation.measure, gates)
    if against:
        raise PromotionRefused(_sentences(run, against))
    evidence = _evidence(evaluation, config.evaluation.measure, changed)
    folder = _copied(run, digest)
    # Merged before it is named: no running process waits, and one that does not fit its base never serves.
    prepare_adapter(read_settings(llm=evaluation.base, adapter=str(folder)))
    promotion = promoted_adapters(read_settings(llm=evaluation.base)).promote(folder, evidence)
    append_line(run.promotions, {"promoted": promotion.promoted, "adapter_sha256": digest, **evidence})
    return promotion


def in_service(llm: str) -> str | None:
    """SHA-256 of the adapter that is promoted for a model; None when none is, or its folder is gone."""
    current = promoted_adapters(read_settings(llm=llm)).current()
    try:
        return adapter_sha256(current.adapter) if current else None
    except FileNotFoundError:
        return None


def _of_this_adapter(run: RunFolder, digest: str) -> Evaluation:
    evaluation = read_evaluation(run)
    command = f"Run: ragvoice finetune evaluate {run.name}"
    if evaluation is None:
        raise PromotionRefused(f"The run {run.name} is not promoted: it was not evaluated. {command}")
    if evaluation.adapter_sha256 != digest:
        raise PromotionRefused(
            f"The run {run.name} is not promoted: its evaluation is of another adapter "
            f"({evaluation.adapter_sha256[:8]}, of {evaluation.created}), not of this one ({digest[:8]}). {command}"
        )
    if evaluation.confidence_sha256 != run.confidence_sha256():
        raise PromotionRefused(
            f"The run {run.name} is not promoted: it was evaluated with another {run.confidence.name}. {command}"
        )
    return evaluation


def _sentences(run: RunFolder, against: Sequence[str]) -> str:
    listed = "".join(f"\n  - {sentence}" for sentence in against)
    return f"The run {run.name} is not promoted:{listed}\nNothing was changed; {run.evaluation_report} has all figures."


def _evidence(evaluation: Evaluation, measure: str, changed: Sequence[str]) -> dict[str, Any]:
    found = evaluation.difference(measure)
    assert found is not None  # else it would have been refused
    return {
        "run": evaluation.run,
        "evaluated": evaluation.created,
        "main": figures(*found),
        "changed_gates": list(changed),
    }


def _copied(run: RunFolder, digest: str) -> Path:
    """`RAGVOICE_HOME/adapters/<run>-<hash>`, whole or not at all; with another confidence it is another folder, so
    that the one before can come back."""
    adapters = home() / "adapters"
    adapters.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".copying-", dir=adapters))
    try:
        made = work / "adapter"
        shutil.copytree(run.adapter, made)
        if run.confidence.is_file():
            shutil.copyfile(run.confidence, made / CONFIDENCE_FILE)
        fitted = run.confidence_sha256()[:8]
        target = adapters / "-".join(filter(None, (run.name, digest[:8], fitted)))
        publish(made, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target
