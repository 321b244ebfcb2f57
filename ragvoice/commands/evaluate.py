"""`ragvoice evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import style_name
from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from ragvoice.commands.progress import Report
    from ragvoice.datatypes import Style
    from ragvoice.evaluation.application import Opened, Run
    from ragvoice.evaluation.datasets import Dataset
    from ragvoice.evaluation.report import Section, SetReport
    from ragvoice.evaluation.results import QuestionResult
    from ragvoice.settings import Settings


def evaluate(
    datasets: Annotated[
        list[Path], typer.Argument(help="Folders with documents or corpus.jsonl, and questions.jsonl.")
    ],
    index: Annotated[
        Path | None,
        typer.Option(help="Index to ask, for one dataset. Default: one of its own; without documents the usual one."),
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Questions to take instead of the dataset's questions.jsonl.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take this many questions, evenly spread.")] = None,
    style: Annotated[str, typer.Option(help="short (compares with gold strings), spoken, or both.")] = "short",
    json_out: Annotated[Path | None, typer.Option("--json", help="Write every question and the scores here.")] = None,
    html_out: Annotated[Path | None, typer.Option("--html", help="Write a report to read here, one file.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier --json to compare with.")] = None,
    gates: Annotated[
        Path | None,
        typer.Option(help="Limits that must hold. Default: evaluation.toml in the working folder, else built in."),
    ] = None,
    judge_url: Annotated[
        str | None, typer.Option(help="OpenAI-compatible server of a model that judges each answer.", metavar="URL")
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="Name of that model.", metavar="NAME")] = None,
    history: Annotated[
        bool, typer.Option("--without-history", help="Ask follow-ups once more without what was said before.")
    ] = False,
    voice: Annotated[
        int | None,
        typer.Option(min=1, help="Also speak this many questions of each set, clean and in noise.", metavar="N"),
    ] = None,
    fit_abstention: Annotated[
        bool,
        typer.Option("--fit-abstention", help="Fit from these answers when to say that it is not in the documents."),
    ] = False,
    most_refused: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the right answers that the fit may hold back.")
    ] = 0.1,
    confidence_out: Annotated[
        Path | None,
        typer.Option(help="Where the fit is written. Default: RAGVOICE_HOME/confidence.json, used from then on."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask everything again, also what is answered already.")
    ] = False,
) -> None:
    """Measure retrieval, answers, grounding, citations, refusals and confidence on sets of questions.

    The documents are ingested first when the index is missing, and not again when they change. Questions without
    documents are asked to the index of the nearest set before them that has some, else of the first after them. A run
    that was stopped goes on where it was; a changed setting, model, prompt or index begins anew. Ends with 1 when a
    gate is broken or every question of a set failed.
    """
    from datetime import UTC, datetime

    from ragvoice.commands.evaluation_tables import show_broken, show_comparison, show_failed, show_set
    from ragvoice.commands.progress import stage_bars
    from ragvoice.evaluation.application import ROLES
    from ragvoice.evaluation.baseline import check_comparable, compared, read_baseline
    from ragvoice.evaluation.gates import broken_changes, broken_limits, read_gates
    from ragvoice.evaluation.provenance import provenance
    from ragvoice.evaluation.report import report_json
    from ragvoice.settings import read_settings

    if (judge_url is None) != (judge_model is None):
        raise UsageError("A judge needs both --judge-url and --judge-model.")
    for out in filter(None, (json_out, html_out)):
        if not out.parent.is_dir():
            raise UsageError(f"{out} cannot be written: {out.parent} is no folder.")
    styles: list[Style] = ["short", "spoken"] if style == "both" else [style_name(style)]
    limits = read_gates(gates)
    runs = _planned(datasets, index, questions, limit)
    before = read_baseline(baseline) if baseline else None
    if before is not None:
        check_comparable(before, [run.dataset for run in runs], styles)
    judge = (judge_url, judge_model) if judge_url and judge_model else None
    reports: list[SetReport] = []
    for run in runs:
        ingest_if_missing(run.dataset, run.settings)
        with stage_bars() as bars:
            new = _evaluated(run, styles, _Extras(judge, history, fresh, voice), bars)
        for report in new:
            show_set(report)
        reports += new
    comparisons = compared(before, reports) if before is not None else []
    broken = [sentence for r in reports for sentence in broken_limits(limits, r.name, r.style, r.figures)]
    broken += [sentence for comparison in comparisons for sentence in broken_changes(limits, comparison)]
    for comparison in comparisons:
        show_comparison(comparison)
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {**provenance(read_settings(), ROLES), "judge": judge_model}
    if json_out:
        data = report_json(created, made, reports, comparisons, broken)
        json_out.write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    if html_out:
        from ragvoice.evaluation.html_report import render

        html_out.write_text(render(created, made, reports, comparisons, broken), encoding="utf-8")
    a_set_failed = show_failed(reports)
    if fit_abstention:
        _fit(reports, most_refused, confidence_out)
    show_broken(broken)
    if broken or a_set_failed:
        raise typer.Exit(1)


def _fit(reports: Sequence[SetReport], most_refused: float, out: Path | None) -> None:
    from ragvoice.build import answered_by
    from ragvoice.commands.evaluation_tables import show_fit
    from ragvoice.evaluation.fit_abstention import fit_abstention, observed
    from ragvoice.settings import CONFIDENCE_FILE, home, read_settings

    fit = fit_abstention(
        [row for report in reports for row in observed(report.name, report.results)],
        answered_by(read_settings()),
        most_refused,
    )
    file = out or home() / CONFIDENCE_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(fit.model.to_json(), indent=1) + "\n", encoding="utf-8")
    show_fit(fit)
    where = "It is in use from now on." if out is None else f"To use it, set confidence = {str(out)!r}."
    typer.echo(f"Confidence written to {file}. {where}")


def ingest_if_missing(dataset: Dataset, settings: Settings) -> None:
    """:raises UsageError: when there is neither an index nor a document to make one of."""
    if (settings.index_path / "CURRENT").is_file():
        _warn_of_other_documents(dataset, settings.index_path)
        return
    if dataset.documents is None:
        raise UsageError(
            f"{dataset.name} holds questions but no documents, and there is no index to ask them to. "
            "Name one with --index, or ingest documents first: ragvoice ingest FOLDER"
        )
    from ingest.command import ingest_command

    typer.echo(f"Ingesting {dataset.name} first.", err=True)
    ingest_command([dataset.documents], index=settings.index_path)


def _warn_of_other_documents(dataset: Dataset, index: Path) -> None:
    """Two datasets whose folders have the same name share an index."""
    from contextlib import closing

    from ragvoice.retrieval.generations import current_generation, open_catalogue

    if dataset.documents is None:
        return
    with closing(open_catalogue(current_generation(index))) as catalogue:
        roots = {root for (root,) in catalogue.execute("SELECT root FROM roots")}
    if str(dataset.documents.resolve()) not in roots:
        typer.echo(
            f"The index {index} was made of other folders than {dataset.documents}: {', '.join(sorted(roots))}. "
            "Name another one with --index if that is not what you want.",
            err=True,
        )


@dataclass(frozen=True)
class _Extras:
    judge: tuple[str, str] | None
    """URL and model."""
    history: bool
    fresh: bool
    voice: int | None
    """Questions that are spoken."""


def _planned(folders: Sequence[Path], index: Path | None, questions: Path | None, limit: int | None) -> list[Run]:
    """:raises UsageError: for what is no dataset, and for flags that do not go with several of them."""
    from ragvoice.evaluation.application import planned
    from ragvoice.evaluation.datasets import read_dataset

    if len(folders) > 1 and (index or questions):
        raise UsageError("--index and --questions go with one dataset; run the others by themselves.")
    sets = [read_dataset(folder, limit, questions) for folder in folders]
    names = [dataset.name for dataset in sets]
    if len(set(names)) < len(names):
        raise UsageError("Two of the datasets have the same name, and so the same index; run them one by one.")
    runs = planned(sets, index)
    for run in runs:
        if run.dataset.documents is None:
            typer.echo(f"{run.dataset.name} has no documents: asked to the index {run.settings.index_path}.", err=True)
    return runs


def _evaluated(run: Run, styles: Sequence[Style], extras: _Extras, bars: Report) -> list[SetReport]:
    from ragvoice.evaluation.application import open_application
    from ragvoice.evaluation.datasets import sample
    from ragvoice.evaluation.report import set_report

    opened = open_application(run.dataset.name, run.settings)
    spoken = opened.journals / "voice.jsonl"
    grades = _grades(opened.journals, extras.judge) if extras.judge else None
    if extras.fresh:
        for file in filter(None, (opened.journal, spoken, grades)):
            file.unlink(missing_ok=True)
    reports = []
    for style in styles:
        stage = f"{run.dataset.name}, {style}"
        results = opened.ask_all(run.dataset, style, partial(bars, stage))
        if extras.judge and grades:
            results = _judged(results, extras.judge, grades, partial(bars, f"{stage}, judge"))
        sections: list[Section] = []
        if extras.history:
            sections += _history(run.dataset, results, opened, style, bars)
        if extras.voice:
            from ragvoice.evaluation.voice_section import voice_sections

            sections += voice_sections(
                sample(run.dataset, extras.voice),
                opened.system,
                run.settings,
                style,
                spoken,
                opened.journal.stem,
                partial(bars, f"{stage}, spoken"),
            )
        reports.append(set_report(run.dataset, style, opened.system.name, opened.index, results, sections))
    return reports


def _grades(folder: Path, judge: tuple[str, str]) -> Path:
    """The journal of one judge, told what to do in the words of today."""
    from hashlib import sha256

    from ragvoice.evaluation.provenance import code_hash

    name = sha256(" ".join([*judge, code_hash(("evaluation/judge.py",))]).encode()).hexdigest()[:16]
    return folder / f"judge-{name}.jsonl"


def _judged(
    results: Sequence[QuestionResult], judge: tuple[str, str], journal: Path, progress: Callable[[int, int], None]
) -> list[QuestionResult]:
    from ragvoice.evaluation.judge import open_judge
    from ragvoice.evaluation.judging import judged

    return judged(results, open_judge(*judge), journal, progress)


def _history(
    dataset: Dataset, results: Sequence[QuestionResult], opened: Opened, style: Style, bars: Report
) -> list[Section]:
    from ragvoice.evaluation.report import history_section
    from ragvoice.evaluation.runner import without_history

    stage = f"{dataset.name}, {style}, without history"
    alone, rewritten = without_history(dataset), without_history(dataset, rewritten=True)
    if not alone.questions:
        return []
    asked = opened.ask_all(alone, style, partial(bars, stage))
    return [history_section(results, asked, opened.ask_all(rewritten, style))]
