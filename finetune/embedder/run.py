"""The folder of one training of an embedder, and the steps that fill it; each step goes on where it was stopped.

<out>/run.json          what it was started with (`finetune.same_run`)
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
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from finetune.embedder.mining import Pair, mine
from finetune.embedder.proof import Compared, compared, is_better, rankings
from finetune.embedder.training import EmbedderTraining, train
from finetune.held_out import documents_of
from finetune.same_run import begin
from finetune.transformers_trainer import Progress, Schedule
from ragvoice.build import build_retriever, build_store, embedder_identity, open_index
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Question
from ragvoice.files import write_json, write_whole
from ragvoice.settings import Settings

MODEL, PAIRS, EVALUATION = "model", "pairs.jsonl", "evaluation.json"


@dataclass(frozen=True)
class Options:
    training: EmbedderTraining
    schedule: Schedule
    negatives: int
    margin: float
    """See `mine`."""


@dataclass(frozen=True)
class Outcome:
    measures: tuple[Compared, ...]
    better: bool
    trained_on: int
    """Questions."""
    left_out: Counter[str]
    """Of the questions to train on, by reason; empty where an earlier start has found the negatives."""


def tune(
    settings: Settings,
    learning: Sequence[Question],
    proving: Sequence[Question],
    folder: Path,
    options: Options,
    *,
    fresh: bool,
    report: Progress,
) -> Outcome:
    """Find negatives, train, index beside, prove; `folder` says how far that has come.

    :param settings: Those in service; `tuned_settings` are those of the outcome.
    :param fresh: Begin anew.
    :raises UsageError: the folder holds another run or the embedder in service, or there is too little to train on.
    :raises ModelError: the embedder is no sentence-transformers model. :raises VectorIndexError: as `open_index`.
    """
    if Path(settings.embedder).expanduser().resolve().is_relative_to(folder):
        raise UsageError(f"The embedder in service lies in {folder}. Name another folder with --out.")
    store = build_store()
    begin(
        folder,
        {
            "base": settings.embedder,
            "base_fingerprint": store.fingerprint(settings.embedder),
            "questions": [_digest(learning), _digest(proving)],
            "negatives": options.negatives,
            "margin": options.margin,
            "training": asdict(options.training),
            "schedule": options.schedule.decisive(),
        },
        fresh=fresh,
    )
    base = build_retriever(settings, open_index(settings))
    left_out: Counter[str] = Counter()
    if not (folder / PAIRS).is_file():
        pairs, left_out = mine(
            learning,
            base.search,
            documents_of(proving),
            negatives=options.negatives,
            margin=options.margin,
            progress=partial(report, "find negatives"),
        )
        _write_pairs(folder / PAIRS, pairs)
    pairs = _read_pairs(folder / PAIRS)
    if not (folder / MODEL).is_dir():
        train(pairs, store.path(settings.embedder), folder, options.training, options.schedule, report)
    tuned = tuned_settings(settings, folder)
    _reindex(settings, tuned, report)
    before = rankings(proving, base, partial(report, "ask the old index"))
    after = rankings(proving, build_retriever(tuned, open_index(tuned)), partial(report, "ask the new index"))
    rows = compared(before, after, options.schedule.seed)
    outcome = Outcome(tuple(rows), is_better(rows), len(pairs), left_out)
    write_json(
        folder / EVALUATION,
        {
            "better": outcome.better,
            "trained_on": len(pairs),
            "not_trained_on": len(learning) - len(pairs),
            "held_out": len(proving),
            "measures": [{**asdict(row), "change": row.change._asdict()} for row in rows],
        },
    )
    return outcome


def tuned_settings(settings: Settings, folder: Path) -> Settings:
    """The settings that put the trained embedder into service."""
    beside = settings.index_path.with_name(f"{settings.index_path.name}-{folder.name}")
    return settings.model_copy(update={"embedder": str((folder / MODEL).resolve()), "index": beside})


def _digest(questions: Sequence[Question]) -> str:
    """SHA-256 of what of the questions decides a run."""
    rows = [[question.id, question.text, question.gold_ids, question.answers] for question in questions]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _write_pairs(file: Path, pairs: Sequence[Pair]) -> None:
    """Whole or not at all."""
    write_whole(file, "".join(json.dumps(asdict(pair), ensure_ascii=False) + "\n" for pair in pairs))


def _read_pairs(file: Path) -> list[Pair]:
    rows = (json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line)
    return [Pair(**{**row, "negatives": tuple(row["negatives"])}) for row in rows]


def _reindex(settings: Settings, tuned: Settings, report: Progress) -> None:
    """Ingest the folders of the index in service into the one of `tuned`, which may be there in part or be old.

    :raises UsageError: when one of those folders is gone.
    """
    from ingest.command import ingest_job
    from ingest.writer import remembered_roots
    from ragvoice.retrieval.generations import current_generation, read_manifest

    here = (tuned.index_path / "CURRENT").is_file()
    rebuild = here and read_manifest(current_generation(tuned.index_path)).embedder != embedder_identity(tuned)
    by_prefix: dict[str, list[Path]] = {}
    for root, prefix in remembered_roots(settings.index_path).items():
        by_prefix.setdefault(prefix, []).append(Path(root))
    for number, (prefix, roots) in enumerate(by_prefix.items()):
        ingest_job(tuned, roots, prefix, retry_skipped=False)(rebuild and number == 0, 0.0, report)
