"""What a run asks about: the questions of its sources, each with the passages that retrieval finds for it."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from finetune.data.candidates import Candidate
from finetune.data.contexts import Dropped, Found, Search, retrieved
from finetune.data.open_documents import only_open, open_to
from finetune.data.sets import candidates_of
from finetune.run import Data, QuestionSet
from ragvoice.datatypes import Passage, Style
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import Dataset, read_dataset
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import AUTO_ADAPTER, NO_ADAPTER, Settings, home, read_settings

Progress = Callable[[str, int, int], None]
"""Called with stage, done and total."""

_TWINS_TRIED = 3
"""For each kind of change: where one may be answered after all, another may not."""
_STYLES: tuple[Style, ...] = ("short", "spoken")


@dataclass(frozen=True)
class Gathered:
    """Of one set of questions, or of the documents."""

    name: str
    index: Path
    found: list[Found]
    sizes: tuple[int, ...]
    """Numbers of passages that each question is asked over."""
    folder: Path | None = None
    """Of the set."""


@dataclass(frozen=True)
class _Planned:
    chosen: QuestionSet
    dataset: Dataset
    sentences: dict[str, str]
    settings: Settings


@dataclass(frozen=True)
class _Opened:
    """An index with its retriever."""

    settings: Settings
    index: DocumentIndex
    retriever: HybridRetriever

    def search(self, k: int) -> Search:
        return lambda query, groups: self.retriever.search(query, k, groups)


@dataclass(frozen=True)
class Gathering:
    data: Data
    seed: int
    journals: Path
    """Folder for what a teacher wrote."""
    dropped: Dropped
    progress: Progress

    def everything(self) -> list[Gathered]:
        """:raises UsageError: for a set that is missing or damaged, before anything is searched for.
        :raises VectorIndexError: when the index of the documents is missing.
        """
        data = self.data
        of_documents = data.log or data.failures or data.written or data.teacher
        if not data.sets and not of_documents:
            raise UsageError("The run names no source of questions: [[data.sets]], log, failures, written or teacher.")
        planned = [_planned(chosen) for chosen in data.sets]
        documents = _open(read_settings(index=data.index)) if of_documents else None
        others = self._asked_of_documents(documents) if documents else []
        gathered = [self._of_set(one) for one in planned]
        if documents:
            found = self._found(others, documents, "the documents")
            gathered.append(Gathered("documents", documents.settings.index_path.resolve(), found, data.sizes))
        return gathered

    def _of_set(self, planned: _Planned) -> Gathered:
        from ragvoice.commands.evaluate import ingest_if_missing

        name, chosen = planned.dataset.name, planned.chosen
        ingest_if_missing(planned.dataset, planned.settings)
        candidates = candidates_of(planned.dataset, planned.sentences)
        found = self._found(candidates, _open(planned.settings), name)
        index = planned.settings.index_path.resolve()
        return Gathered(name, index, found, chosen.sizes or self.data.sizes, chosen.folder)

    def _found(self, candidates: Sequence[Candidate], opened: _Opened, name: str) -> list[Found]:
        kept, why = only_open(candidates, opened.index, self.data.groups)
        self.dropped.reasons.update(why)

        def counted() -> Iterator[Candidate]:
            for done, candidate in enumerate(kept, start=1):
                yield candidate
                self.progress(f"retrieving for {name}", done, len(kept))

        found = retrieved(counted(), opened.search(self.data.found_among), self.dropped)
        return found if self.data.twins == 0 else found + self._twins(found, opened, name)

    def _twins(self, found: Sequence[Found], opened: _Opened, name: str) -> list[Found]:
        """One unanswerable twin, if a good one can be made, of a share of the answerable questions."""
        from finetune.data.kept import kept
        from finetune.data.names import Names
        from finetune.data.twins import unanswerable_twins

        chance = random.Random(self.seed)
        answerable = [place for place, one in enumerate(found) if one.candidate.answerable]
        chosen = sorted(chance.sample(answerable, round(self.data.twins * len(answerable))))
        passages = open_to(opened.index, self.data.groups)
        names = Names([passage.text for passage in passages], opened.retriever.embeddings.embed_documents)
        made = [
            twin
            for one in (found[place] for place in chosen)
            for twin in unanswerable_twins(replace(one.candidate, gold_text=one.gold.text), names, most=_TWINS_TRIED)
        ]
        progress = partial(self.progress, f"checking twins for {name}")
        passed, why = kept(made, opened.retriever, progress=progress)
        self.dropped.reasons.update({f"twin: {reason}": count for reason, count in why.items()})
        of_one: dict[str, list[Candidate]] = defaultdict(list)
        for twin in passed:
            of_one[twin.id.rpartition("~")[0]].append(twin)
        one_each = [chance.choice(twins) for twins in of_one.values()]
        return retrieved(one_each, opened.search(self.data.found_among), self.dropped)

    def _asked_of_documents(self, opened: _Opened) -> list[Candidate]:
        """From the turn log, classified failures, the documents themselves and a teacher."""
        data, dropped = self.data, self.dropped
        candidates: list[Candidate] = []
        if data.log:
            from finetune.data.asked import from_log
            from ragvoice.build_turns import build_turn_log
            from ragvoice.turns.log import Selection

            logged, why = from_log(build_turn_log(opened.settings).find(Selection()))
            candidates += logged
            dropped.reasons.update({f"log: {reason}": count for reason, count in why.items()})
        for number, report in enumerate(data.failures, start=1):
            from finetune.data.failures import from_report

            failed, why = from_report(report, weight=data.failure_weight)
            # Two reports may be of the same set.
            candidates += [replace(one, id=f"{number}/{one.id}") for one in failed]
            dropped.reasons.update({f"failures: {reason}": count for reason, count in why.items()})
        if data.written or data.teacher:
            candidates += self._from_passages(opened, open_to(opened.index, data.groups))
        return candidates

    def _from_passages(self, opened: _Opened, passages: Sequence[Passage]) -> list[Candidate]:
        from finetune.data.kept import kept
        from finetune.data.written import written

        made = written(passages) if self.data.written else []
        if self.data.teacher:
            made += self._taught(opened.settings, passages)
        # What groups may read is asked as one of them, else it is not found.
        asked = [replace(candidate, groups=self.data.groups) for candidate in made]
        passed, why = kept(asked, opened.retriever, progress=partial(self.progress, "checking"))
        self.dropped.reasons.update({f"written or taught: {reason}": count for reason, count in why.items()})
        return passed

    def _taught(self, settings: Settings, passages: Sequence[Passage]) -> list[Candidate]:
        """By the bare model: one that was trained to answer asks worse."""
        from finetune.data.teacher import taught
        from ragvoice.build import build_chat_model

        if settings.adapter == AUTO_ADAPTER:
            settings = settings.model_copy(update={"adapter": NO_ADAPTER})
        chat = build_chat_model(settings)
        self.journals.mkdir(parents=True, exist_ok=True)
        model = re.sub(r"[^A-Za-z0-9._-]", "_", settings.llm)
        made: list[Candidate] = []
        for style in _STYLES:
            asked, why = taught(
                passages,
                chat,
                self.journals / f"{model}-{style}.jsonl",
                style=style,
                limit=self.data.teacher_chunks,
                progress=partial(self.progress, f"the teacher writes, {style}"),
            )
            made += asked
            self.dropped.reasons.update({f"teacher: {reason}": count for reason, count in why.items()})
        return made


def _planned(chosen: QuestionSet) -> _Planned:
    """:raises UsageError: when the set, what it says of itself or its index is not there."""
    dataset = read_dataset(chosen.folder, questions_file=chosen.folder / chosen.questions)
    settings = read_settings(index=chosen.index or home() / "evaluation" / dataset.name)
    if dataset.documents is None and not (settings.index_path / "CURRENT").is_file():
        raise UsageError(
            f"{chosen.folder} holds questions but no documents, and there is no index in {settings.index_path}. Name "
            "the index of its documents in [[data.sets]]: index = ...; or ingest them: ragvoice ingest FOLDER"
        )
    return _Planned(chosen, dataset, _sentences(chosen), settings)


def _open(settings: Settings) -> _Opened:
    from ragvoice.build import build_retriever, open_index

    index = open_index(settings)
    return _Opened(settings, index, build_retriever(settings, index))


def _sentences(chosen: QuestionSet) -> dict[str, str]:
    if chosen.sentences is None:
        return {}
    lines = (chosen.folder / chosen.questions).read_text(encoding="utf-8-sig").split("\n")
    rows = (json.loads(line) for line in lines if line.strip())
    sentences = {str(row["id"]): str(row[chosen.sentences]) for row in rows if row.get(chosen.sentences)}
    if not sentences:
        raise UsageError(f"No question in {chosen.folder / chosen.questions} has a field {chosen.sentences!r}.")
    return sentences
