"""In no batch is a passage both right and wrong for a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finetune.embedder.batches import batches
from finetune.embedder.mining import Pair
from ragvoice.errors import UsageError


def pair(id_: int, right: int, wrong: int) -> Pair:
    return Pair(str(id_), f"q{id_}", f"passage {right}", (f"passage {wrong}",), f"d{right}")


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(10, 14) | st.integers(0, 9)), min_size=1, max_size=40))
def test_every_batch_is_full_and_free_of_contradictions(drawn: list[tuple[int, int]]) -> None:
    pairs = [pair(i, right, wrong) for i, (right, wrong) in enumerate(drawn) if right != wrong]
    try:
        made = batches(pairs, 3, epochs=2, seed=5)
    except UsageError:
        return
    for batch in made:
        assert len(batch) == 3
        for one in batch:
            others = [text for other in batch if other is not one for text in (other.positive, *other.negatives)]
            assert one.positive not in others


def test_each_epoch_sees_every_question_once_in_another_order() -> None:
    pairs = [pair(i, i, 100 + i) for i in range(12)]
    made = batches(pairs, 4, epochs=2, seed=0)
    first, second = ([p.question_id for batch in half for p in batch] for half in (made[:3], made[3:]))
    assert sorted(first) == sorted(second) == sorted(str(i) for i in range(12))
    assert first != second
    assert made == batches(pairs, 4, epochs=2, seed=0)


def test_a_batch_that_cannot_be_filled() -> None:
    with pytest.raises(UsageError, match="3 questions on 1 passages do not fill a batch of 2"):
        batches([pair(i, 1, 2) for i in range(3)], 2, epochs=1, seed=0)
