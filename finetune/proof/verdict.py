"""Whether an evaluated adapter may go into service, and if not, why not. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.proof.evaluation import Evaluation
from finetune.proof.gates import READING, described
from ragvoice.evaluation.comparison import Comparison, Difference
from ragvoice.evaluation.gates import Gate, broken_changes, broken_limits
from ragvoice.evaluation.scores import Figure

LEAST_QUESTIONS = 20
"""That the main measure must rest on: the bootstrap interval of a handful is too narrow."""


def objections(evaluation: Evaluation, measure: str, gates: Sequence[Gate]) -> list[str]:
    """One sentence for each reason against; none: it is better and breaks no gate.

    :param measure: What must be better on the reading test.
    """
    return [*not_better(evaluation, measure), *broken(evaluation, gates)]


def not_better(evaluation: Evaluation, measure: str) -> list[str]:
    """The measure must be better than chance explains: its whole interval on the better side of 0."""
    found = evaluation.difference(measure)
    if found is None:
        return [f"{measure} of the {READING} test was not measured"]
    comparison, difference = found
    change, higher = difference.change, difference.measure.better == "higher"
    if change.n < LEAST_QUESTIONS:
        return [f"{figures(comparison, difference)}; fewer than {LEAST_QUESTIONS} say nothing"]
    bound = change.low if higher else change.high
    if bound is not None and (bound > 0 if higher else bound < 0):
        return []
    return [f"{figures(comparison, difference)}; the whole interval must be {'above' if higher else 'below'} 0"]


def broken(evaluation: Evaluation, gates: Sequence[Gate]) -> list[str]:
    """A gate that looks at nothing is broken, too: what was not measured cannot be vouched for."""
    said = []
    for gate in gates:
        looked = False
        for comparison in evaluation.comparisons:
            after = {d.measure.name: Figure(d.after, None, None, d.change.n) for d in comparison.differences}
            looked = looked or (gate.figure in after and gate.concerns(comparison.name, comparison.style))
            said += broken_changes([gate], comparison)
            said += broken_limits([gate], comparison.name, comparison.style, after)
        if not looked:
            said.append(f"the gate {described(gate)} could not be checked: nothing of it was measured")
    return said


def figures(comparison: Comparison, difference: Difference) -> str:
    """`reading, all: balanced 0.512 -> 0.634, +0.122 (0.081 to 0.160) over 400 questions`"""
    change = difference.change
    return (
        f"{comparison.name}, {comparison.style}: {difference.measure.name} {difference.before:.3f} -> "
        f"{difference.after:.3f}, {change.value:+.3f} ({change.low:.3f} to {change.high:.3f}) over {change.n} questions"
    )
