"""Two runs over the same questions: what changed, measure by measure, paired question by question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from ragvoice.evaluation.bootstrap import Interval, interval_of, paired_difference
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.scores import MEASURES, Figure, Measure

Pair = tuple[QuestionResult, QuestionResult]


@dataclass(frozen=True)
class Difference:
    measure: Measure
    before: float
    after: float
    change: Figure
    """`after` minus `before`, over the questions that define both."""


@dataclass(frozen=True)
class Comparison:
    name: str
    style: str
    common: int
    """Questions that both runs asked, with the same text, history, groups and gold."""
    only_before: int
    only_after: int
    differences: tuple[Difference, ...]


def compare(name: str, style: str, before: Sequence[QuestionResult], after: Sequence[QuestionResult]) -> Comparison:
    """Over the common questions only; without any there are no differences."""
    pairs = common_pairs(before, after)
    found = (_difference(measure, pairs) for measure in MEASURES)
    return Comparison(
        name,
        style,
        len(pairs),
        len(before) - len(pairs),
        len(after) - len(pairs),
        tuple(difference for difference in found if difference is not None),
    )


def common_pairs(before: Sequence[QuestionResult], after: Sequence[QuestionResult]) -> list[Pair]:
    """The questions that both have asked, in the order of the later ones."""
    earlier = {asked(result): result for result in before}
    return [(earlier[asked(result)], result) for result in after if asked(result) in earlier]


def asked(one: QuestionResult | Question) -> tuple[object, ...]:
    """All that makes it the same question: a number is given anew in another set, and a gold answer may be mended."""
    text, golds = (one.text, one.answers) if isinstance(one, Question) else (one.question, one.golds)
    said = tuple((line.speaker, line.text) for line in one.history)
    return one.id, text, said, one.groups, golds, one.gold_ids, one.kind


def _difference(measure: Measure, pairs: Sequence[Pair]) -> Difference | None:
    both = [pair for pair in pairs if measure.of(pair[0]) is not None and measure.of(pair[1]) is not None]
    if not both:
        return None
    old, new = [pair[0] for pair in both], [pair[1] for pair in both]
    if measure.statistic is None:
        before, after = _values(measure, old), _values(measure, new)
        return _found(measure, mean(before), mean(after), paired_difference(after, before), len(both))
    return _found(
        measure,
        measure.statistic(old),
        measure.statistic(new),
        interval_of(lambda rows: _change(measure, rows), both, samples=measure.samples),
        len(both),
    )


def _found(
    measure: Measure, before: float | None, after: float | None, change: Interval | None, n: int
) -> Difference | None:
    if before is None or after is None or change is None:
        return None
    figure = Figure(round(change.value, 4), round(change.low, 4), round(change.high, 4), n)
    return Difference(measure, round(before, 4), round(after, 4), figure)


def _values(measure: Measure, rows: Sequence[QuestionResult]) -> list[float]:
    return [value for row in rows if (value := measure.of(row)) is not None]


def _change(measure: Measure, pairs: Sequence[Pair]) -> float | None:
    assert measure.statistic is not None
    old, new = measure.statistic([pair[0] for pair in pairs]), measure.statistic([pair[1] for pair in pairs])
    return None if old is None or new is None else new - old
