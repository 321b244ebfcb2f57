"""The reader: its heads by hand, and the shipped one on passages that answer and that do not."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ragvoice.build import build_store
from ragvoice.datatypes import Passage
from ragvoice.errors import ModelError
from ragvoice.models import reader
from ragvoice.retrieval.cross_encoder import CrossEncoder, best_span, pooled

LEAVE = Passage(
    "hr", "hr.md", "Handbook", "Leave", None, None,
    "The office is in Leeds. Employees have 25 days of annual leave a year. The canteen closes at three.", 0, 1.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def cross_encoder(model_home: Path, tmp_path_factory: pytest.TempPathFactory) -> CrossEncoder:
    made = tmp_path_factory.mktemp("reader") / "made"
    made.mkdir()
    reader.convert(build_store().path("all-minilm-l6-v2"), made)
    return CrossEncoder(made, cpu_threads=1)


def test_pooling_by_hand() -> None:
    hidden_ld = np.array([[1, 0], [3, 2], [5, 6], [7, 8]], dtype=np.float32)
    found = pooled(hidden_ld, np.array([0, 0, 1, 1]))
    assert found.tolist() == [1, 0, 2, 1, 6, 7, 12, 7]


def test_best_span_by_hand() -> None:
    offsets_l = [(0, 0), (0, 0), (10, 14), (15, 20), (21, 23)]
    start_l = np.array([9, 9, 0, 2, 1], dtype=np.float32)
    end_l = np.array([9, 9, 5, 1, 2], dtype=np.float32)
    # 5 at the first token alone: 0 + 5; from the second to the third: 2 + 2. An end before its start does not count.
    assert best_span(start_l, end_l, offsets_l) == ((10, 14), 5.0)
    assert best_span(start_l, np.array([9, 9, 0, 1, 2], dtype=np.float32), offsets_l) == ((15, 23), 4.0)


def test_no_token_of_the_passage_is_left() -> None:
    assert best_span(np.zeros(2, np.float32), np.zeros(2, np.float32), [(0, 0), (0, 0)]) == (None, -math.inf)


def test_an_answer_scores_higher_than_a_passage_about_something_else(cross_encoder: CrossEncoder) -> None:
    other = replace(LEAVE, text="Printers on the second floor are connected by cable. Toner is kept in the store room.")
    right, wrong = cross_encoder.read("How many days of annual leave do employees have?", [LEAVE, other])
    assert right.answers > wrong.answers
    assert right.relevance > wrong.relevance
    assert right.span is not None
    assert 0 <= right.span[0] < right.span[1] <= len(LEAVE.text)


def test_a_reading_does_not_depend_on_its_neighbours(cross_encoder: CrossEncoder) -> None:
    question = "When does the canteen close?"
    other = replace(LEAVE, text="Short.")
    assert cross_encoder.read(question, [LEAVE])[0] == cross_encoder.read(question, [other, LEAVE])[1]


def test_score_is_the_relevance(cross_encoder: CrossEncoder) -> None:
    question = "When does the canteen close?"
    untitled = replace(LEAVE, title="")
    assert cross_encoder.score([(question, LEAVE.text)]) == [cross_encoder.read(question, [untitled])[0].relevance]


def test_a_folder_that_is_no_reader(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a reader"):
        CrossEncoder(tmp_path)
