"""The folder of one training of an embedder, and the steps that fill it; each step goes on where it was stopped.

<out>/run.json          what it was started with (`finetune.run_folder`)
<out>/pairs.jsonl       what is trained on
<out>/checkpoints/      of the training
<out>/model/            the trained embedder
<out>/evaluation.json   the proof
<index>-<name of out>/  the documents, embedded by it, beside the index in service
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from finetune.embedder.mining import Pair
from finetune.embedder.proof import Compared
from finetune.transformers_trainer import Progress
from ingest.summary import IngestSummary
from ragvoice.evaluation.datasets import Question
from ragvoice.models.checksums import write_json
from ragvoice.settings import Settings

MODEL = "model"


def digest(questions: Sequence[Question]) -> str:
    """SHA-256 of what of the questions decides a run."""
    rows = [[question.id, question.text, question.gold_ids, question.answers] for question in questions]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def write_pairs(file: Path, pairs: Sequence[Pair]) -> None:
    """Whole or not at all."""
    part = file.with_suffix(".part")
    part.write_text("".join(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs), encoding="utf-8")
    part.replace(file)


def read_pairs(file: Path) -> list[Pair]:
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line)
    return [Pair(**{**row, "negatives": tuple(row["negatives"])}) for row in rows]


def index_beside(settings: Settings, folder: Path) -> Path:
    return settings.index_path.with_name(f"{settings.index_path.name}-{folder.name}")


def tuned_settings(settings: Settings, folder: Path) -> Settings:
    """The settings that put the trained embedder into service."""
    return settings.model_copy(
        update={"embedder": str((folder / MODEL).resolve()), "index": index_beside(settings, folder)}
    )


def reindex(settings: Settings, tuned: Settings, progress: Progress) -> IngestSummary:
    """Ingest the folders of the index in service into the one of `tuned`, which may be there in part or be old.

    :raises UsageError: when one of those folders is gone.
    """
    from ingest.command import ingest_job
    from ingest.writer import remembered_roots
    from ragvoice.build import embedder_identity
    from ragvoice.retrieval.generations import current_generation, read_manifest

    here = (tuned.index_path / "CURRENT").is_file()
    rebuild = here and read_manifest(current_generation(tuned.index_path)).embedder != embedder_identity(tuned)
    by_prefix: dict[str, list[Path]] = {}
    for root, prefix in remembered_roots(settings.index_path).items():
        by_prefix.setdefault(prefix, []).append(Path(root))
    for number, (prefix, roots) in enumerate(by_prefix.items()):
        job = ingest_job(tuned, roots, prefix, retry_skipped=False)
        summary = job(rebuild and number == 0, 0.0, progress)
    return summary


def write_evaluation(
    file: Path, rows: Sequence[Compared], *, better: bool, trained: int, held_out: int, left_out: Counter[str]
) -> None:
    table = [{**asdict(row), "change": row.change._asdict()} for row in rows]
    counts = {"trained_on": trained, "held_out": held_out, "left_out": dict(left_out)}
    write_json(file, {"better": better, **counts, "measures": table})
