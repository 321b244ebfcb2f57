"""Limits from TOML, and what breaks them."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted import result

from ragvoice.errors import UsageError
from ragvoice.evaluation.comparison import compare
from ragvoice.evaluation.gates import broken_changes, broken_limits, read_gates
from ragvoice.evaluation.scores import Figure


@pytest.fixture(autouse=True)
def _no_file_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(tmp_path: Path, text: str, name: str = "gates.toml") -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


def test_the_built_in_gates_are_usable() -> None:
    gates = {gate.figure: gate for gate in read_gates()}
    assert gates["hit@5"].max_fall == 0.02
    assert gates["refused_answerable"].max_rise == 0.03
    assert gates["failed"].max_rise == 0


def test_a_file_in_the_working_folder_takes_their_place_and_a_named_one_its(tmp_path: Path) -> None:
    write(tmp_path, '[[gate]]\nfigure = "f1"\nminimum = 0.5', "evaluation.toml")
    assert [gate.figure for gate in read_gates()] == ["f1"]
    named = write(tmp_path, '[[gate]]\nfigure = "mrr"\nminimum = 0.5')
    assert [gate.figure for gate in read_gates(named)] == ["mrr"]
    assert read_gates(write(tmp_path, "")) == ()


def test_a_set_that_is_left_out_is_not_looked_at(tmp_path: Path) -> None:
    [gate] = read_gates(write(tmp_path, '[[gate]]\nfigure = "f1"\nexcept_sets = ["reading"]\nminimum = 0.5'))
    figures = {"f1": Figure(0.1, None, None, 9)}
    assert broken_limits([gate], "reading", "short", figures) == []
    assert len(broken_limits([gate], "company", "short", figures)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[gate]", "TOML"),
        ('[[gate]]\nfigure = "hits"\nminimum = 1', r"gate 1.*no measure 'hits'.*hit@5"),
        ('[[gate]]\nfigure = "f1"\nminimum = 1\n[[gate]]\nfigure = "f1"', "gate 2.*max_fall"),
        ('[[gate]]\nfigure = "f1"\nmax_fall = -0.1', "gate 1, max_fall"),
        ('[[gate]]\nfigure = "f1"\nmin = 0.1', "gate 1, min"),
        ('[[gate]]\nfigure = "f1"\nstyles = ["shorts"]\nminimum = 1', "gate 1, styles"),
        ('[gates]\nfigure = "f1"', "the file"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=rf"(?s)gates\.toml.*{said}"):
        read_gates(write(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_gates(tmp_path / "none.toml")


LIMITS = """
[[gate]]
figure = "f1"
sets = ["squad2"]
minimum = 0.5
[[gate]]
figure = "refused_answerable"
styles = ["spoken"]
maximum = 0.3
"""


def test_absolute_limits_of_the_sets_and_styles_they_name(tmp_path: Path) -> None:
    gates = read_gates(write(tmp_path, LIMITS))
    low = {"f1": Figure(0.4, 0.3, 0.5, 10), "refused_answerable": Figure(0.4, 0.3, 0.5, 10)}
    assert broken_limits(gates, "squad2", "short", low) == ["squad2, short: f1 is 0.400, below the minimum 0.5"]
    assert broken_limits(gates, "data", "spoken", low) == [
        "data, spoken: refused_answerable is 0.400, above the maximum 0.3"
    ]
    at_the_limit = {"f1": Figure(0.5, 0.3, 0.5, 10), "refused_answerable": Figure(0.3, 0.3, 0.5, 10)}
    assert broken_limits(gates, "squad2", "spoken", at_the_limit) == []
    assert broken_limits(gates, "squad2", "spoken", {}) == []


CHANGES = """
[[gate]]
figure = "f1"
max_fall = 0.1
[[gate]]
figure = "refused_answerable"
max_rise = 0.1
"""


@pytest.mark.parametrize(
    ("f1", "outcome", "broken"),
    [
        (1.0, "answered", []),
        (0.8, "answered", []),  # one of two falls by 0.2: by 0.1 on average
        (0.78, "answered", ["f1 went from 1.000 to 0.890 over 2 questions; it may fall by 0.1"]),
        (1.0, "abstained", ["refused_answerable went from 0.000 to 0.500 over 2 questions; it may rise by 0.1"]),
    ],
)
def test_changes_since_the_baseline(tmp_path: Path, f1: float, outcome: str, broken: list[str]) -> None:
    gates = read_gates(write(tmp_path, CHANGES))
    before = [result(id="1", f1=1.0), result(id="2", f1=1.0)]
    after = [result(id="1", f1=1.0), result(id="2", f1=f1, outcome=outcome)]
    found = broken_changes(gates, compare("squad2", "short", before, after))
    assert found == [f"squad2, short: {sentence}" for sentence in broken]
