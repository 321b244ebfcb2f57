"""The estimate itself: arithmetic by hand, files in and out, features that say what they should."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ragvoice.datatypes import Passage
from ragvoice.errors import UsageError
from ragvoice.generation.confidence import FEATURES, ConfidenceModel, Evidence, gather
from ragvoice.generation.grounding import support

PASSAGE = Passage(
    "a.md", "a.md", "Handbook", "Leave", None, None, "In Leeds employees get 25 days of leave.", 0, 0.9, 0.8
)
OTHER = Passage("b.md", "b.md", "Pay", "", None, None, "Paid on the 26th.", 0, 0.6, 0.4)


def evidence(question: str, answer: str) -> Evidence:
    found = support(answer, question, [PASSAGE, OTHER])
    return gather(
        question, answer, [PASSAGE, OTHER], [PASSAGE, OTHER], found, [-0.5, -1.5], refuses=False, style="spoken"
    )


def test_a_network_with_one_hidden_layer_by_hand() -> None:
    model = ConfidenceModel(
        ("similarity", "score"),
        np.array([0.5, 0.5]),
        np.array([0.5, 0.1]),
        (np.array([[1.0, -1.0], [1.0, 1.0]]), np.array([[2.0], [3.0]])),
        (np.array([0.0, -1.0]), np.array([-1.0])),
    )
    row = replace(evidence("How much leave?", "25 days."), similarity=1.0, score=0.4)
    # standardised: (1, -1); hidden: relu(1 - 1, -1 - 1 - 1) = (0, 0); out: -1
    assert model.probability(row) == pytest.approx(1 / (1 + math.exp(1)))
    # standardised: (1, 3); hidden: relu(4, 1) = (4, 1); out: 8 + 3 - 1 = 10
    assert model.probability(replace(row, score=0.8)) == pytest.approx(1 / (1 + math.exp(-10)))


def test_it_survives_a_file(tmp_path: Path) -> None:
    packaged = ConfidenceModel.load()
    file = tmp_path / "confidence.json"
    file.write_text(json.dumps(packaged.to_json()))
    row = evidence("How much leave?", "25 days.")
    assert ConfidenceModel.load(file).probability(row) == pytest.approx(packaged.probability(row), abs=1e-4)


@pytest.mark.parametrize("content", ["", "[]", '{"features": ["moon"], "mean": [0], "scale": [1], "layers": []}'])
def test_a_file_that_is_no_model_says_what_to_do(tmp_path: Path, content: str) -> None:
    file = tmp_path / "confidence.json"
    file.write_text(content)
    with pytest.raises(UsageError, match="--fit-abstention"):
        ConfidenceModel.load(file)


def test_what_speaks_for_an_answer() -> None:
    row = evidence("How many days of leave do employees in Leeds get?", "25 days.")
    assert (row.numbers_found, row.names_found, row.names_asked, row.kind_fits) == (1.0, 1.0, 1.0, 1.0)
    assert row.margin == pytest.approx(0.3)
    assert (row.mean_logprob, row.min_logprob, row.first_logprob) == (-1.0, -1.5, -0.5)


def test_what_speaks_against_it() -> None:
    oslo = evidence("How much leave is there in Oslo?", "25 days.")
    assert (oslo.names_asked, oslo.quote_names) == (0.0, 0.0)
    assert evidence("How much leave is there in 2019?", "25 days.").numbers_asked == 0.0
    assert evidence("How many days of leave do I get?", "Employees get leave.").kind_fits == 0.0
    assert evidence("Who gets leave?", "Employees in Oslo.").names_found == 0.0
    assert evidence("Who gets leave?", "Employees get 30 days.").numbers_found == 0.0


def test_every_feature_is_a_number() -> None:
    row = evidence("", "")
    assert all(isinstance(getattr(row, name), float) for name in FEATURES)
