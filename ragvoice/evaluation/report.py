"""A run as one JSON object; the sections that are more than the list of measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ragvoice.datatypes import Style
from ragvoice.evaluation import failures
from ragvoice.evaluation.bootstrap import paired_difference
from ragvoice.evaluation.comparison import Comparison, Difference
from ragvoice.evaluation.datasets import Dataset
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.scores import BY_NAME, Figure, summarise

SCHEMA = 1

_FOLLOWUP_MEASURES = ("right", "f1", "contains", "refused_answerable")


@dataclass(frozen=True)
class Section:
    """A table of its own in the report of a set, from whatever looked at more than the answers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """As text, ready to be read; the first cell names the row."""
    note: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    """For programs; JSON values only."""


@dataclass(frozen=True)
class SetReport:
    """One set of questions, answered in one style."""

    name: str
    style: Style
    system: str
    available: int
    """Questions in the set; `results` may be a sample of them."""
    questions_sha256: str
    index: dict[str, Any]
    results: tuple[QuestionResult, ...]
    figures: dict[str, Figure]
    sections: tuple[Section, ...] = ()


def set_report(
    dataset: Dataset,
    style: Style,
    system: str,
    index: dict[str, Any],
    results: Sequence[QuestionResult],
    sections: Sequence[Section] = (),
) -> SetReport:
    """:param index: What the report says of the index, `provenance.index_of`."""
    return SetReport(
        dataset.name,
        style,
        system,
        dataset.available,
        dataset.digest,
        index,
        tuple(results),
        summarise(results),
        tuple(sections),
    )


def report_json(
    created: str,
    provenance: Mapping[str, Any],
    sets: Sequence[SetReport],
    comparisons: Sequence[Comparison] = (),
    broken: Sequence[str] = (),
) -> dict[str, Any]:
    """:param created: ISO 8601, UTC.
    :param broken: A sentence for each gate that is broken.
    """
    return {
        "schema": SCHEMA,
        "created": created,
        **provenance,
        "sets": [_set_json(report) for report in sets],
        "comparisons": [comparison_json(comparison) for comparison in comparisons],
        "broken_gates": list(broken),
    }


def history_section(
    results: Sequence[QuestionResult], alone: Sequence[QuestionResult], rewritten: Sequence[QuestionResult]
) -> Section:
    """The follow-ups with their history against the same questions without it.

    :param alone: Their own words, asked without the history.
    :param rewritten: The dataset's rewriting of them; empty where it has none.
    """
    by_id = {result.id: result for result in results}
    rows, data = [], dict[str, Any]()
    others = [("without the history", alone), ("as the set rewrites them", rewritten)]
    for title, other in others:
        for name in _FOLLOWUP_MEASURES if other else ():
            pairs = _paired(BY_NAME[name].of, by_id, other)
            change = paired_difference([a for a, _ in pairs], [b for _, b in pairs])
            if change is None:
                continue
            with_history = sum(a for a, _ in pairs) / len(pairs)
            compared = sum(b for _, b in pairs) / len(pairs)
            rows.append(
                (
                    f"{name.replace('_', ' ')}, {title}",
                    f"{with_history:.3f}",
                    f"{compared:.3f}",
                    f"{change.value:+.3f}",
                    f"{change.low:+.3f} to {change.high:+.3f}",
                    str(len(pairs)),
                )
            )
            data[f"{name} {title}"] = {
                "with_history": with_history, "compared": compared, "difference": change.value, "low": change.low,
                "high": change.high, "n": len(pairs),
            }  # fmt: skip
    return Section(
        "What the history of a follow-up is worth",
        ("measure", "with history", "compared", "difference", "95 % interval", "n"),
        tuple(rows),
        "The same questions, asked once more without what was said before.",
        data,
    )


def _paired(
    of: Callable[[QuestionResult], float | None], by_id: Mapping[str, QuestionResult], other: Sequence[QuestionResult]
) -> list[tuple[float, float]]:
    found = ((of(by_id[result.id]), of(result)) for result in other if result.id in by_id)
    return [(a, b) for a, b in found if a is not None and b is not None]


def _set_json(report: SetReport) -> dict[str, Any]:
    return {
        "set": report.name,
        "style": report.style,
        "system": report.system,
        "asked": len(report.results),
        "available": report.available,
        "questions_sha256": report.questions_sha256,
        "index": report.index,
        "scores": {name: asdict(figure) for name, figure in report.figures.items()},
        "failures": failures.count(report.results),
        "sections": [asdict(section) for section in report.sections],
        "questions": [result.as_json() for result in report.results],
    }


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """For programs; `comparison_of` is the inverse."""
    return {
        "set": comparison.name,
        "style": comparison.style,
        "common": comparison.common,
        "only_before": comparison.only_before,
        "only_after": comparison.only_after,
        "measures": {
            difference.measure.name: {
                "before": difference.before,
                "after": difference.after,
                **asdict(difference.change),
            }
            for difference in comparison.differences
        },
    }


def comparison_of(row: Mapping[str, Any]) -> Comparison:
    """Measures that this version does not know are left out.

    :raises KeyError, TypeError: when it is no such object.
    """
    differences = []
    for name, value in row["measures"].items():
        if name in BY_NAME:
            change = Figure(value["value"], value["low"], value["high"], value["n"])
            differences.append(Difference(BY_NAME[name], value["before"], value["after"], change))
    return Comparison(
        row["set"], row["style"], row["common"], row["only_before"], row["only_after"], tuple(differences)
    )
