"""An evaluation of an adapter for people: Markdown, a bar plot, and the rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetune.proof.evaluation import Evaluation
from finetune.proof.gates import GENERAL, OFF_TOPIC, READING
from ragvoice.evaluation.comparison import Comparison
from ragvoice.evaluation.results import QuestionResult

_SHOWN = {
    READING: ("balanced", "exact_match", "f1", "right", "refused_answerable", "refused_unanswerable"),
    GENERAL: ("contains",),
    OFF_TOPIC: ("refused_unanswerable", "leak_rate"),
}
_OF_THE_APPLICATION = (
    "balanced", "f1", "right", "right_when_answered", "refused_answerable", "refused_unanswerable", "grounded",
    "citation_precision", "total_p50",
)  # fmt: skip
_ALWAYS = ("failed",)
"""Shown where it is not 0."""
_SECONDS = ("total_p50",)
_SAMPLES = 8
COLUMNS = ("measure", "base", "adapter", "difference", "95 % interval", "n")


@dataclass(frozen=True)
class Row:
    set: str
    style: str
    measure: str
    base: float
    adapter: float
    low: float | None
    high: float | None
    n: int

    @property
    def cells(self) -> tuple[str, ...]:
        """As in `COLUMNS`."""
        span = "" if self.low is None or self.high is None else f"{self.low:+.3f} to {self.high:+.3f}"
        name = self.measure.replace("_", " ")
        change = f"{self.adapter - self.base:+.3f}"
        return name, f"{self.base:.3f}", f"{self.adapter:.3f}", change, span, str(self.n)


def rows(comparison: Comparison) -> list[Row]:
    """The figures of one set that matter for an adapter; evaluation.json has all of them."""
    shown = _SHOWN.get(comparison.name.split(":")[0], _OF_THE_APPLICATION)
    found = {difference.measure.name: difference for difference in comparison.differences}
    names = [name for name in shown if name in found]
    names += [name for name in _ALWAYS if name in found and (found[name].before or found[name].after)]
    return [
        Row(
            comparison.name, comparison.style, name, found[name].before, found[name].after, found[name].change.low,
            found[name].change.high, found[name].change.n,
        )
        for name in names
    ]  # fmt: skip


def markdown(
    evaluation: Evaluation,
    verdict: Sequence[str],
    base: Sequence[QuestionResult],
    adapted: Sequence[QuestionResult],
    plot: str,
) -> str:
    """:param verdict: What speaks against a promotion, one sentence each.
    :param base: Answers of the reading test, with `adapted` for the examples of what changed.
    :param plot: Name of the plot's file beside the report.
    """
    parts = [
        f"# Evaluation of {evaluation.run}",
        f"Adapter {evaluation.adapter_sha256[:8]} on {evaluation.base}, {evaluation.created}. The difference is "
        "adapter minus base over the same questions, the interval a paired bootstrap (95 %, 1000 resamples).",
        _promotion(verdict),
        f"![Base and adapter]({plot})",
    ]
    for comparison in (*evaluation.comparisons, *evaluation.by_source):
        parts += [f"## {_title(comparison)}", _table(comparison)]
    if evaluation.parity:
        parts += ["## Served against trained", evaluation.parity.sentence]
    for name, count in evaluation.seen.items():
        parts.append(f"Left out of {name}: {count} questions that the training saw, or whose document it saw.")
    parts += _samples("No longer right", base, adapted, became=False)
    parts += _samples("Now right", base, adapted, became=True)
    return "\n\n".join(parts) + "\n"


def draw(evaluation: Evaluation, file: Path) -> None:
    """Bars of base and adapter, one pair a figure between 0 and 1; PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [row for comparison in evaluation.comparisons for row in rows(comparison) if row.measure not in _SECONDS]
    drawing = Figure(figsize=(7, 1 + 0.34 * len(shown)), layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    places = range(len(shown))
    axes.barh([y - 0.2 for y in places], [row.base for row in shown], height=0.38, color="#9aa5b1", label="base")
    axes.barh([y + 0.2 for y in places], [row.adapter for row in shown], height=0.38, color="#2563a8", label="adapter")
    labels = [f"{row.set}, {row.style}: {row.measure.replace('_', ' ')}" for row in shown]
    axes.set(yticks=places, yticklabels=labels, xlim=(0, 1), title=f"{evaluation.run} on {evaluation.base}")
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    drawing.savefig(file, dpi=120)


def _title(comparison: Comparison) -> str:
    style = "" if comparison.style == "all" else f", {comparison.style}"
    return f"{comparison.name}{style}: {comparison.common} questions"


def _promotion(verdict: Sequence[str]) -> str:
    if not verdict:
        return "Nothing speaks against its promotion."
    return "Not to be promoted:\n\n" + "\n".join(f"- {sentence}." for sentence in verdict)


def _table(comparison: Comparison) -> str:
    head = [f"| {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * (len(COLUMNS) - 1)]
    return "\n".join([*head, *(f"| {' | '.join(row.cells)} |" for row in rows(comparison))])


def _samples(
    title: str, base: Sequence[QuestionResult], adapted: Sequence[QuestionResult], *, became: bool
) -> Iterator[str]:
    changed = [
        (old, new)
        for old, new in zip(base, adapted, strict=True)
        if _is_right(old) is not became and _is_right(new) is became
    ]
    if not changed:
        return
    yield f"## {title}: {len(changed)} of the reading test"
    step = max(1, len(changed) // _SAMPLES)
    lines = [
        f"- {_cell(new.question)} Expected: {_cell(' / '.join(new.golds[:2]) or 'a refusal')}. "
        f"Base: {_cell(old.answer or 'nothing')} Adapter: {_cell(new.answer or 'nothing')}"
        for old, new in changed[::step][:_SAMPLES]
    ]
    yield "\n".join(lines)


def _is_right(result: QuestionResult) -> bool:
    return bool(result.right) if result.answerable else result.refused


def _cell(text: str) -> str:
    """On one line and short; what a model wrote is quoted as code, so that it is not taken for Markdown."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain[:160]}{'...' if len(plain) > 160 else ''}`"
