"""The data of a run: every source of questions -> split by document -> examples with retrieved passages -> files, card."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from finetune.data.candidates import Candidate
from finetune.data.card import data_card, licence
from finetune.data.contexts import Dropped, Found, contexts, retrieved
from finetune.data.examples import PARTS, Example, data_hash, write_parts
from finetune.data.near_duplicates import without_leaks
from finetune.data.open_documents import only_open, open_to
from finetune.data.sets import candidates_of
from finetune.data.split import split
from finetune.run import Data, QuestionSet, RunConfig
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Dataset, read_dataset
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings, home, read_settings

Progress = Callable[[str, int, int], None]
"""Called with stage, done and total."""


@dataclass(frozen=True)
class Made:
    parts: dict[str, list[Example]]
    dropped: Counter[str]
    digest: str
    card: Path


@dataclass(frozen=True)
class _Opened:
    """An index with its retriever."""

    settings: Settings
    index: DocumentIndex
    retriever: HybridRetriever


def make_data(
    name: str, run: RunConfig, folder: Path, count_tokens: Callable[[str], int], journals: Path, progress: Progress
) -> Made:
    """:param name: Of the run, for the card.
    :param folder: Gets the files of examples, `passages.jsonl` and `card.md`; what it held of these is replaced.
    :param count_tokens: Of the model that is trained.
    :param journals: Folder for what a teacher wrote, so that a killed job goes on.
    :raises UsageError: when a set or an index is missing, or no question is left for a part.
    """
    dropped = Dropped()
    parts: dict[str, list[Example]] = {part: [] for part in PARTS}
    licences: dict[str, str] = {}
    for found, sizes in _everything(run.data, journals, dropped, licences, progress):
        divided = split(found, run.data.validation, run.data.test, run.seed)
        own = {part: {one.gold.doc_id for one in group} for part, group in divided.items()}
        for part, group in divided.items():
            others = {doc_id for other, ids in own.items() if other != part for doc_id in ids}
            parts[part] += contexts(
                group,
                sizes if part == "train" else (max(run.data.sizes),),
                no_gold=run.data.no_gold,
                allowed=lambda passage, others=others: passage.doc_id not in others,
                most_answer_tokens=run.data.most_answer_tokens,
                count_tokens=count_tokens,
                dropped=dropped,
                seed=run.seed,
            )
    parts["train"], leaks = without_leaks(parts["train"], [*parts["validation"], *parts["test"]])
    dropped.reasons.update(leaks)
    parts["validation"], leaks = without_leaks(parts["validation"], parts["test"])
    dropped.reasons.update(leaks)
    parts["train"] = fewer_refusals(parts["train"], run.data.most_refusals, run.seed)
    for part in PARTS:
        if not parts[part]:
            raise UsageError(
                f"No example is left for the part {part!r}; left out were: {dict(dropped.reasons)}. Name more question "
                "sets, or set written = true to have questions written from the documents."
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_parts(folder, parts)
    digest = data_hash(folder)
    card = folder / "card.md"
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = data_card(
        parts, dropped.reasons, count_tokens=count_tokens, digest=digest, name=name, made=made, sources=licences
    )
    card.write_text(text, encoding="utf-8")
    return Made(parts, dropped.reasons, digest, card)


def fewer_refusals(examples: Sequence[Example], most: float, seed: int) -> list[Example]:
    """All answers, and refusals drawn at random so that they are at most a share `most` of all."""
    refusals = [place for place, example in enumerate(examples) if example.refuses]
    answers = len(examples) - len(refusals)
    wanted = int(most / (1 - most) * answers)
    if wanted >= len(refusals):
        return list(examples)
    left_out = set(random.Random(seed).sample(refusals, len(refusals) - wanted))
    return [example for place, example in enumerate(examples) if place not in left_out]


def _everything(
    data: Data, journals: Path, dropped: Dropped, licences: dict[str, str], progress: Progress
) -> list[tuple[list[Found], tuple[int, ...]]]:
    """What retrieval found for each source, and the numbers of passages that its questions are asked over."""
    gathered = []
    for chosen in data.sets:
        dataset = read_dataset(chosen.folder, questions_file=chosen.folder / chosen.questions)
        licences[dataset.name] = licence(chosen.folder)
        opened = _open(chosen, dataset)
        found = _found(candidates_of(dataset, _sentences(chosen)), opened, data, dropped, progress)
        gathered.append((found, chosen.sizes or data.sizes))
    others = _of_documents(data, journals, dropped, progress)
    if others:
        gathered.append((others, data.sizes))
    if not gathered:
        raise UsageError("The run names no source of questions: [[data.sets]], log, failures, written or teacher.")
    return gathered


def _found(
    candidates: Sequence[Candidate], opened: _Opened, data: Data, dropped: Dropped, progress: Progress
) -> list[Found]:
    kept, why = only_open(candidates, opened.index, data.groups)
    dropped.reasons.update(why)
    source = kept[0].source if kept else "questions"

    def search(query: str, groups: object) -> list[object]:
        return opened.retriever.search(query, data.found_among, groups)  # type: ignore[arg-type, return-value]

    def counted() -> object:
        for done, candidate in enumerate(kept, start=1):
            yield candidate
            progress(f"retrieving for {source}", done, len(kept))

    found = retrieved(counted(), search, dropped)  # type: ignore[arg-type]
    if data.twins == 0:
        return found
    return found + _twins(found, opened, data, dropped)


def _twins(found: Sequence[Found], opened: _Opened, data: Data, dropped: Dropped) -> list[Found]:
    """Unanswerable ones of a share of the answerable questions, in the part of the split that their originals are in."""
    from finetune.data.kept import kept
    from finetune.data.names import Names
    from finetune.data.twins import unanswerable_twins

    passages = open_to(opened.index, data.groups)
    names = Names([passage.text for passage in passages], opened.retriever.embeddings.embed_documents)
    chosen = [one for one in found if one.candidate.answerable]
    chosen = chosen[: int(data.twins * len(chosen))] if data.twins < 1 else chosen
    made = [
        twin
        for one in chosen
        for twin in unanswerable_twins(replace(one.candidate, gold_text=one.gold.text), names, most=3)
    ]
    passed, why = kept(made, opened.retriever)
    dropped.reasons.update({f"twin: {reason}": count for reason, count in why.items()})
    return retrieved(passed, lambda query, groups: opened.retriever.search(query, data.found_among, groups), dropped)


def _of_documents(data: Data, journals: Path, dropped: Dropped, progress: Progress) -> list[Found]:
    """From the turn log, classified failures, the documents themselves and a teacher, all about one index."""
    if not (data.log or data.failures or data.written or data.teacher):
        return []
    from ragvoice.build import build_retriever, open_index

    settings = read_settings(index=data.index)
    index = open_index(settings)
    opened = _Opened(settings, index, build_retriever(settings, index))
    candidates: list[Candidate] = []
    if data.log:
        from finetune.data.asked import from_log
        from ragvoice.build_turns import build_turn_log
        from ragvoice.turns.records import Selection

        logged, why = from_log(build_turn_log(settings).find(Selection()))
        candidates += logged
        dropped.reasons.update(why)
    for report in data.failures:
        from finetune.data.failures import from_report

        failed, why = from_report(report, weight=data.failure_weight)
        candidates += failed
        dropped.reasons.update(why)
    candidates += _from_passages(opened, data, journals, dropped, progress)
    return _found(candidates, opened, data, dropped, progress)


def _from_passages(
    opened: _Opened, data: Data, journals: Path, dropped: Dropped, progress: Progress
) -> list[Candidate]:
    from finetune.data.kept import kept
    from finetune.data.teacher import taught
    from finetune.data.written import written
    from ragvoice.build import build_chat_model

    passages = open_to(opened.index, data.groups)
    made = written(passages) if data.written else []
    if data.teacher:
        journals.mkdir(parents=True, exist_ok=True)
        chat = build_chat_model(opened.settings)
        for style in ("short", "spoken"):
            asked, why = taught(
                passages,
                chat,
                journals / f"teacher-{style}.jsonl",
                style=style,  # type: ignore[arg-type]
                limit=data.teacher_chunks,
                progress=lambda done, total, style=style: progress(f"the teacher writes, {style}", done, total),
            )
            made += asked
            dropped.reasons.update(why)
    passed, why = kept(made, opened.retriever, progress=lambda done, total: progress("checking", done, total))
    dropped.reasons.update(why)
    return passed


def _open(chosen: QuestionSet, dataset: Dataset) -> _Opened:
    from ragvoice.build import build_retriever, open_index
    from ragvoice.commands.evaluate import ingest_if_missing

    settings = read_settings(index=chosen.index or home() / "evaluation" / dataset.name)
    ingest_if_missing(dataset, settings)
    index = open_index(settings)
    return _Opened(settings, index, build_retriever(settings, index))


def _sentences(chosen: QuestionSet) -> dict[str, str]:
    if chosen.sentences is None:
        return {}
    lines = (chosen.folder / chosen.questions).read_text(encoding="utf-8-sig").split("\n")
    rows = (json.loads(line) for line in lines if line.strip())
    return {str(row["id"]): str(row[chosen.sentences]) for row in rows if row.get(chosen.sentences)}
