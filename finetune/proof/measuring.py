"""One model, base or adapted, over everything that is measured."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from finetune.data.examples import Example
from finetune.data.sets import unquoted
from finetune.proof.direct import Task, ask_directly, general_questions, general_tasks, journal_of, reading_tasks
from finetune.proof.gates import GENERAL, OFF_TOPIC, READING
from finetune.run import QuestionSet
from ragvoice.datatypes import Style
from ragvoice.errors import UsageError
from ragvoice.evaluation.comparison import Comparison, compare
from ragvoice.evaluation.datasets import Dataset, Question, halves, read_dataset, sample
from ragvoice.evaluation.results import QuestionResult
from ragvoice.settings import read_settings

if TYPE_CHECKING:
    from ragvoice.commands.progress import Report
    from ragvoice.evaluation.application import Run

_KNOWLEDGE = "knowledge"
_PAGE = re.compile(r"#p\d+$")

Results = dict[tuple[str, str], list[QuestionResult]]
"""(set, style) -> answers."""


@dataclass(frozen=True)
class Asked:
    """A set for the application, and the index that its run file names."""

    dataset: Dataset
    index: Path | None = None


@dataclass(frozen=True)
class Questions:
    """What both models are asked."""

    examples: tuple[Example, ...]
    sets: tuple[Asked, ...]
    """Those of which nothing is answerable are the off-topic set."""
    styles: tuple[Style, ...]
    seen: Mapping[str, int]
    """Set -> questions that were left out because the training saw them."""


def chosen_questions(
    sets: Sequence[QuestionSet],
    test: Sequence[Example],
    trained_on: Sequence[Example],
    styles: Sequence[Style],
    limit: int | None,
    reading_limit: int | None,
    *,
    pretrained: bool = False,
) -> Questions:
    """:param sets: For the application; none leaves it out.
    :param trained_on: Examples of the training and of its validation.
    :param limit: Questions of each set, spread evenly.
    :param pretrained: Whether the training was on the text of all passages, not only on answers.
    :raises UsageError: when a folder is no set of questions, or two have the same name.
    """
    read = [read_dataset(one.folder, None, one.folder / one.questions) for one in sets]
    names = [dataset.name for dataset in read]
    if len({*names, READING, GENERAL, OFF_TOPIC, _KNOWLEDGE}) < len(names) + 4:
        raise UsageError(f"Each set of questions needs a name of its own: {', '.join(names)}.")
    documents = {example.document for example in trained_on if example.document}
    if pretrained:
        documents |= {passage.doc_id for example in trained_on for passage in example.passages}
    words = {example.question for example in trained_on}
    chosen, seen = [], {}
    for one, dataset in zip(sets, read, strict=True):
        unseen = without_seen(dataset if is_answerable(dataset) else halves(dataset)[1], documents, words)
        if left_out := len(dataset.questions) - len(unseen.questions):
            seen[dataset.name] = left_out
        if unseen.questions:
            chosen.append(Asked(sample(unseen, limit) if limit else unseen, one.index))
    if chosen:
        chosen.append(Asked(_knowledge(), chosen[0].index))
    return Questions(tuple(spread(test, reading_limit)), tuple(chosen), tuple(styles), seen)


def application_runs(sets: Sequence[Asked], flags: Mapping[str, Any]) -> list[Run]:
    """The sets with the settings that they are asked with."""
    from ragvoice.evaluation.application import Run, planned

    runs = planned([one.dataset for one in sets], **flags)
    named = (read_settings(index=one.index, **flags) if one.index else None for one in sets)
    return [Run(run.dataset, own or run.settings) for run, own in zip(runs, named, strict=True)]


def measured(questions: Questions, flags: Mapping[str, Any], who: str, bars: Report, *, fresh: bool = False) -> Results:
    """:param flags: Settings that make the model: llm, adapter, confidence.
    :param who: `base` or `adapter`, for the progress.
    :param fresh: Ask everything again, also what is answered already.
    """
    from ragvoice.build import build_chat_model
    from ragvoice.evaluation.application import open_application

    settings = read_settings(**flags)
    chat = cache(lambda: build_chat_model(settings))  # loaded once, if at all

    def directly(name: str, tasks: Sequence[Task]) -> list[QuestionResult]:
        journal = journal_of(name, settings)
        if fresh:
            journal.unlink(missing_ok=True)
        return ask_directly(tasks, chat, journal, partial(bars, f"{who}: {name}"))

    results: Results = {
        (READING, "all"): directly(READING, reading_tasks(questions.examples)),
        (GENERAL, "all"): directly(GENERAL, general_tasks()),
    }
    chat.cache_clear()
    for run in application_runs(questions.sets, flags):
        opened = open_application(run.dataset.name, run.settings)
        if fresh:
            opened.journal.unlink(missing_ok=True)
        for style in questions.styles:
            answered = opened.ask_all(run.dataset, style, partial(bars, f"{who}: {run.dataset.name}, {style}"))
            off_topic = not is_answerable(run.dataset)
            if off_topic:
                answered = [replace(result, id=f"{run.dataset.name}/{result.id}") for result in answered]
            results.setdefault((OFF_TOPIC if off_topic else run.dataset.name, style), []).extend(answered)
    return results


def compared(base: Results, adapted: Results) -> list[Comparison]:
    """Set by set, in the order of `base`."""
    return [
        _without_confidence(compare(name, style, base[name, style], adapted[name, style]))
        if name in (READING, GENERAL)
        else compare(name, style, base[name, style], adapted[name, style])
        for name, style in base
    ]


def compared_by_source(examples: Sequence[Example], base: Results, adapted: Results) -> list[Comparison]:
    """The reading test alone; nothing when all its examples come from one source."""
    rows = list(zip(examples, base[READING, "all"], adapted[READING, "all"], strict=True))
    sources = list(dict.fromkeys(example.source for example in examples))
    return [
        _without_confidence(
            compare(
                f"{READING}: {source or 'no source'}",
                "all",
                [before for example, before, _ in rows if example.source == source],
                [after for example, _, after in rows if example.source == source],
            )
        )
        for source in (sources if len(sources) > 1 else ())
    ]


def without_seen(dataset: Dataset, documents: Collection[str], words: Container[str]) -> Dataset:
    """:param documents: That training examples rest on.
    :param words: Questions of training examples.
    """
    files = {PurePosixPath(document).stem for document in documents}

    def is_of_them(gold: str) -> bool:
        page = _PAGE.search(gold)
        return gold in documents or bool(page and gold[: page.start()] in files)

    def was_seen(question: Question) -> bool:
        return unquoted(question.text) in words or any(map(is_of_them, question.gold_ids))

    kept = [question for question in dataset.questions if not was_seen(question)]
    return replace(dataset, questions=tuple(kept))


def is_answerable(dataset: Dataset) -> bool:
    """Whether any question is; a set without one is off-topic, and its other half is what `calibrate` asks."""
    return any(question.answerable for question in dataset.questions)


def _knowledge() -> Dataset:
    """What anybody knows and the documents do not say: the application must decline it."""
    questions = tuple(
        replace(question, answers=(), answerable=False, kind="unanswerable", world_answers=question.answers)
        for question in general_questions("knowledge")
    )
    return Dataset(_KNOWLEDGE, None, questions, len(questions))


def spread(examples: Sequence[Example], limit: int | None) -> list[Example]:
    """At most `limit` of them, evenly spread; None is all."""
    count = len(examples)
    return list(examples) if not limit or limit >= count else [examples[i * count // limit] for i in range(limit)]


def _without_confidence(comparison: Comparison) -> Comparison:
    """A model that is asked directly has none."""
    kept = tuple(difference for difference in comparison.differences if difference.measure.group != "Confidence")
    return replace(comparison, differences=kept)
