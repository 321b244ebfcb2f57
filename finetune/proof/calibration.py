"""The confidence of a run's adapter: fitted on questions of its validation documents, which nothing was trained on.

The test documents stay out of it, so that the proof is about documents that neither training nor threshold saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from finetune.data.examples import Example
from finetune.data.sets import unquoted
from finetune.proof.evaluating import base_flags
from finetune.run import QuestionSet
from finetune.run_folder import RunFolder
from ragvoice.datatypes import Style
from ragvoice.errors import UsageError
from ragvoice.evaluation.application import open_application
from ragvoice.evaluation.datasets import Dataset, halves, read_dataset, sample
from ragvoice.evaluation.fit_abstention import LEAST_ROWS, Fit, Observation, fit_abstention, observed
from ragvoice.files import write_json
from ragvoice.settings import home, read_settings

if TYPE_CHECKING:
    from ragvoice.commands.progress import Report

_STYLES: tuple[Style, ...] = ("short", "spoken")


def validation_questions(
    sets: Sequence[QuestionSet], validation: Sequence[Example], limit: int, offtopic: QuestionSet | None = None
) -> list[tuple[QuestionSet, Dataset]]:
    """Of each set the questions that the validation part was made of, at most `limit`, spread evenly.

    :param offtopic: Half of its questions, those that the proof leaves alone, are asked to the first set's index.
    """
    asked = {(example.source, example.question) for example in validation}
    chosen = []
    for one in sets:
        dataset = read_dataset(one.folder, questions_file=one.folder / one.questions)
        kept = tuple(row for row in dataset.questions if (dataset.name, unquoted(row.text)) in asked)
        if kept:
            chosen.append((one, sample(replace(dataset, questions=kept), limit)))
    if chosen and offtopic is not None:
        first, dataset = chosen[0]
        asked_to = first.index or home() / "evaluation" / dataset.name
        for_threshold, _ = halves(read_dataset(offtopic.folder, questions_file=offtopic.folder / offtopic.questions))
        one = offtopic.model_copy(update={"index": offtopic.index or asked_to})
        chosen.append((one, sample(for_threshold, limit // 2)))
    return chosen


def calibrate_run(
    run: RunFolder, questions: Sequence[tuple[QuestionSet, Dataset]], most_refused: float, bars: Report
) -> Fit:
    """Asks the application with the adapter, in both styles, and writes the run's confidence.json.

    :param most_refused: Share of the right answers that the threshold may hold back.
    :raises UsageError: when there are too few questions to learn from, or the run has no adapter.
    """
    from ragvoice.build import answered_by

    most = len(_STYLES) * sum(len(dataset.questions) for _, dataset in questions)
    if most < LEAST_ROWS:
        raise UsageError(
            f"The validation questions of the run {run.name} give {most} answers; a threshold takes {LEAST_ROWS}. "
            "Raise `validation` under [data] in the run file and make the data anew (--fresh), or go on without "
            "calibrating."
        )
    flags = {**base_flags(run), "adapter": str(run.adapter)}
    rows: list[Observation] = []
    for one, dataset in questions:
        settings = read_settings(index=one.index or home() / "evaluation" / dataset.name, **flags)
        opened = open_application(dataset.name, settings)
        for style in _STYLES:
            results = opened.ask_all(dataset, style, partial(bars, f"{dataset.name}, {style}"))
            rows += observed(dataset.name, results)
    fit = fit_abstention(rows, answered_by(read_settings(**flags)), most_refused)
    write_json(run.confidence, fit.model.to_json())
    return fit
