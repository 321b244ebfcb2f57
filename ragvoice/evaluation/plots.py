"""The plots of the report as SVG that takes its colours from the page, so that they fit a light and a dark one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from ragvoice.evaluation.abstention_metrics import reliability_bins, risk_coverage
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.retrieval_metrics import CUTOFFS
from ragvoice.evaluation.scores import STAGES, Figure, confidence_and_right

_INK, _FAINT, _FIRST, _SECOND = "#010101", "#020202", "#030303", "#040404"
_CSS = {_INK: "currentColor", _FAINT: "var(--line)", _FIRST: "var(--accent)", _SECOND: "var(--warn)"}
"""Stand-ins for the page's colours: matplotlib wants numbers, the page decides what they are."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ragvoice",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK
    ),
}  # fmt: skip


def hit_curve(figures: dict[str, Figure], name: str) -> str | None:
    """hit@k and recall@k over k, with the interval of hit@k. SVG; None without gold documents."""
    if f"hit@{CUTOFFS[0]}" not in figures:
        return None
    hits = [figures[f"hit@{k}"] for k in CUTOFFS]
    recalls = [figures[f"recall@{k}"] for k in CUTOFFS]

    def draw(axes: Any) -> None:
        axes.fill_between(CUTOFFS, [f.low for f in hits], [f.high for f in hits], color=_FIRST, alpha=0.18, lw=0)
        axes.plot(CUTOFFS, [f.value for f in hits], color=_FIRST, marker="o", label="hit@k")
        axes.plot(CUTOFFS, [f.value for f in recalls], color=_SECOND, marker="s", ls="--", label="recall@k")
        axes.set(xticks=CUTOFFS, xlabel="first k documents", ylim=(0, 1.03))
        axes.legend(loc="lower right")

    shown = ", ".join(f"hit@{k} {figure.value:.2f}" for k, figure in zip(CUTOFFS, hits, strict=True))
    return _svg(draw, f"{name}-hits", f"Share of questions with a gold document among the first k: {shown}")


def risk_coverage_curve(results: Sequence[QuestionResult], name: str) -> str | None:
    """Share of wrong answers over the share of questions answered, the surest first."""
    confidence, right = confidence_and_right(results)
    if not confidence:
        return None
    curve = risk_coverage(confidence, right)

    def draw(axes: Any) -> None:
        axes.plot([c for c, _ in curve], [r for _, r in curve], color=_FIRST)
        axes.set(xlabel="share answered, surest first", ylabel="share wrong", xlim=(0, 1.02), ylim=(-0.02, 1.03))

    said = f"Risk over coverage: all answered, {curve[-1][1]:.0%} of the answers are wrong"
    return _svg(draw, f"{name}-risk", said)


def reliability_diagram(results: Sequence[QuestionResult], name: str) -> str | None:
    """Share of right answers over the estimated probability; the diagonal is perfect calibration."""
    confidence, right = confidence_and_right(results)
    if not confidence:
        return None
    bins = reliability_bins(confidence, right)
    means, accuracies = [b.confidence for b in bins], [b.accuracy for b in bins]
    largest = max(b.count for b in bins)

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=_INK, lw=0.8, ls=":")
        axes.plot(means, accuracies, color=_FIRST, lw=1)
        axes.scatter(means, accuracies, s=[20 + 100 * b.count / largest for b in bins], color=_FIRST)
        axes.set(xlabel="confidence", ylabel="share right", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))

    shown = "; ".join(f"{b.confidence:.2f}: {b.accuracy:.2f} of {b.count}" for b in bins)
    return _svg(draw, f"{name}-reliability", f"Mean confidence and share right by bin: {shown}")


def confidence_histogram(results: Sequence[QuestionResult], name: str) -> str | None:
    """How sure the system was of right and of wrong answers."""
    confidence, right = confidence_and_right(results)
    if not confidence:
        return None
    yes = [value for value, ok in zip(confidence, right, strict=True) if ok]
    no = [value for value, ok in zip(confidence, right, strict=True) if not ok]

    def draw(axes: Any) -> None:
        labels = (f"right ({len(yes)})", f"wrong ({len(no)})")
        axes.hist([yes, no], bins=10, range=(0, 1), color=[_FIRST, _SECOND], label=labels)
        axes.set(xlabel="confidence", ylabel="questions")
        axes.legend()

    return _svg(draw, f"{name}-confidence", f"Confidence of {len(yes)} right and {len(no)} wrong answers")


def latency_bars(figures: dict[str, Figure], name: str) -> str | None:
    """Median and 95th percentile of each stage, in seconds from the start of the turn or of the stage."""
    stages = [stage for stage in STAGES if f"{stage}_p50" in figures]
    if not stages:
        return None
    middle = [figures[f"{stage}_p50"].value or 0.0 for stage in stages]
    slow = [figures[f"{stage}_p95"].value or 0.0 for stage in stages]

    def draw(axes: Any) -> None:
        places = range(len(stages))
        axes.barh(places, slow, color=_SECOND, height=0.45, alpha=0.5, label="p95")
        axes.barh(places, middle, color=_FIRST, height=0.45, label="p50")
        axes.set(yticks=places, yticklabels=[stage.replace("_", " ") for stage in stages], xlabel="seconds")
        axes.invert_yaxis()
        axes.legend()

    shown = "; ".join(
        f"{s.replace('_', ' ')} {m:.2f} and {p:.2f}" for s, m, p in zip(stages, middle, slow, strict=True)
    )
    return _svg(draw, f"{name}-latency", f"Median and 95th percentile in seconds: {shown}")


def _svg(draw: Callable[[Any], None], name: str, described: str) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Drawing

    with rc_context(_STYLE):
        drawing = Drawing(figsize=(4.6, 3.0), layout="constrained")
        FigureCanvasSVG(drawing)
        draw(drawing.add_subplot())
        out = io.StringIO()
        drawing.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), re.sub(r"\W+", "-", name), described)


def _inline(svg: str, name: str, described: str) -> str:
    """Without prolog and metadata, with ids of its own, the page's colours and a text for who cannot see it."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    for stand_in, colour in _CSS.items():
        svg = svg.replace(stand_in, colour)
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    label = escape(described, quote=True)
    return f'{head} role="img" aria-label="{label}">{rest}'
