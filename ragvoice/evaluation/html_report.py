"""The report for people: one HTML file with everything in it, no script, nothing fetched from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ragvoice.evaluation import plots
from ragvoice.evaluation.comparison import Comparison
from ragvoice.evaluation.failures import KINDS, count, passages_read
from ragvoice.evaluation.report import SetReport
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.scores import BY_NAME, MEASURES, Figure

_HEADLINE = (
    "hit@5", "ndcg@10", "right", "f1", "right_when_answered", "grounded", "citation_precision",
    "refused_answerable", "refused_unanswerable", "ece", "total_p50",
)  # fmt: skip
_CASES_A_KIND = 6
"""Of each kind of failure and set; the JSON has them all."""


def render(
    created: str,
    provenance: Mapping[str, Any],
    sets: Sequence[SetReport],
    comparisons: Sequence[Comparison] = (),
    broken: Sequence[str] = (),
) -> str:
    """The whole page. What comes from documents, questions and models is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ragvoice.evaluation", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, span=span, words=lambda name: name.replace("_", " "))
    names = {name for report in sets for name in report.figures}
    return environment.get_template("report.html.jinja").render(
        created=created,
        made=provenance,
        sets=[_set_view(report) for report in sets],
        headline=[BY_NAME[name] for name in _HEADLINE if name in names],
        comparisons=comparisons,
        broken=broken,
        kinds=KINDS,
    )


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def span(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.2f} to {figure.high:.2f}"


def _set_view(report: SetReport) -> dict[str, Any]:
    name = f"{report.name}-{report.style}"
    drawn = (
        ("Gold documents found", plots.hit_curve(report.figures, name)),
        ("Risk over coverage", plots.risk_coverage_curve(report.results, name)),
        ("Reliability of the confidence", plots.reliability_diagram(report.results, name)),
        ("Confidence of right and wrong answers", plots.confidence_histogram(report.results, name)),
        ("Seconds by stage", plots.latency_bars(report.figures, name)),
    )
    groups = groupby((measure for measure in MEASURES if measure.name in report.figures), lambda m: m.group)
    return {
        "report": report,
        "anchor": re.sub(r"\W+", "-", name),
        "groups": [(title, list(measures)) for title, measures in groups],
        "plots": [(title, svg) for title, svg in drawn if svg],
        "failures": count(report.results),
        "cases": [
            (kind, [_case_view(result) for result in worst(report.results, kind)])
            for kind in KINDS
            if any(result.failure == kind for result in report.results)
        ],
    }


def worst(results: Sequence[QuestionResult], kind: str) -> list[QuestionResult]:
    """Failures of a kind that are worth reading first: wrong answers said with the most confidence, and refusals of
    what would have been right."""
    failed = [result for result in results if result.failure == kind]
    return sorted(failed, key=lambda r: (not r.right_draft, -r.confidence))[:_CASES_A_KIND]


def _case_view(result: QuestionResult) -> dict[str, Any]:
    read = passages_read(result)
    return {
        "result": result,
        "passages": [(passage, read is not None and passage in read) for passage in result.passages],
        "gold_at": next((n for n, passage in enumerate(result.passages, start=1) if passage.gold), None),
    }
