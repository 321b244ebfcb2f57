"""What an adapter must not break: the gates of gates.toml, and what a run changed of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragvoice.evaluation.gates import Gate, read_gates

READING = "reading"
"""The set of the run's own test examples."""
OFF_TOPIC = "off-topic"
GENERAL = "general"

DEFAULTS = Path(__file__).with_name("gates.toml")


def gates_in_force(own: Path | None) -> tuple[tuple[Gate, ...], list[str]]:
    """The default gates with those of a run's file in their places, and a sentence for each that is not a default.

    :raises UsageError: when the file cannot be read.
    """
    return merged(read_gates(DEFAULTS), read_gates(own) if own else ())


def merged(defaults: Sequence[Gate], own: Sequence[Gate]) -> tuple[tuple[Gate, ...], list[str]]:
    """A gate takes the place of the one with its figure, sets and styles; another one is added."""
    gates = {_place(gate): gate for gate in defaults}
    changed = []
    for gate in own:
        before = gates.get(_place(gate))
        if before != gate:
            changed.append(f"{described(gate)}; by default {described(before) if before else 'no such gate'}")
        gates[_place(gate)] = gate
    return tuple(gates.values()), changed


def described(gate: Gate) -> str:
    """`refused_answerable: max_rise 0.05`"""
    limits = {name: getattr(gate, name) for name in ("max_fall", "max_rise", "minimum", "maximum")}
    said = ", ".join(f"{name} {value:g}" for name, value in limits.items() if value is not None)
    where = f" of {', '.join((*gate.sets, *gate.styles))}" if gate.sets or gate.styles else ""
    other_than = f", {' and '.join(gate.except_sets)} left out" if gate.except_sets else ""
    return f"{gate.figure}{where}{other_than}: {said}"


def _place(gate: Gate) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return gate.figure, gate.sets, gate.styles
