"""A packed row is its examples one by one: the same loss, the same gradients, every answer token predicted once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from finetune.run import Training
from finetune.training.encoding import Encoded
from finetune.training.model import load_trainable
from finetune.training.packing import Row, mask, pack
from finetune.training.trainer import answer_loss, collate
from ragvoice.errors import UsageError
from ragvoice.generation.apart import REST

BEGIN = (1, 2, 3, 4)
SMALL = (Encoded((*BEGIN, 5), (8, 9)), Encoded((*BEGIN, 6), (8,)), Encoded((7, 7), (9,)))


def test_a_row_written_out_by_hand() -> None:
    rows = pack(SMALL, row_tokens=32, row_examples=4, seed=0, fill_tokens=0)
    assert len(rows) == 2
    row = max(rows, key=len)
    #      the common beginning, first question and answer, second question and answer
    assert row.tokens_l.tolist() == [1, 2, 3, 4, 5, 8, 9, 6, 8]
    assert row.positions_l.tolist() == [0, 1, 2, 3, 4, 5, 6, 4, 5]
    assert row.predicting_a.tolist() == [4, 5, 7]
    assert row.targets_a.tolist() == [8, 9, 8]
    assert row.owners_a.tolist() == [0, 0, 1]
    assert mask(row).astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 1, 0],
        [1, 1, 1, 1, 0, 0, 0, 1, 1],
    ]


def test_no_passage_of_a_row_sees_another_one() -> None:
    pieces = (0, 1, 1, 2, REST)
    (row,) = pack(
        [Encoded((1, 2, 3, 4, 5), (8,), pieces=pieces), Encoded((1, 2, 3, 4, 6), (9,), pieces=pieces)], 32, 4, 0
    )
    assert row.tokens_l.tolist() == [1, 2, 3, 4, 5, 8, 6, 9]
    assert row.positions_l.tolist() == [0, 1, 2, 1, 4, 5, 4, 5]
    assert mask(row).astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0, 0, 1, 0],
        [1, 1, 1, 1, 0, 0, 1, 1],
    ]


def test_two_trees_in_one_row_do_not_see_each_other() -> None:
    (row,) = pack(SMALL, row_tokens=32, row_examples=4, seed=0, fill_tokens=32)
    other = row.trees_l[:, None] != row.trees_l[None, :]
    assert other.any()
    assert not mask(row)[other].any()
    of_the_third = row.trees_l == row.trees_l[row.predicting_a[row.owners_a == 2]]
    assert row.tokens_l[of_the_third].tolist() == [7, 7, 9]
    assert row.positions_l[of_the_third].tolist() == [0, 1, 2]


def test_prompts_that_are_equal_still_predict_each_answer_from_their_own_last_token() -> None:
    (row,) = pack([Encoded((1, 2), (3,)), Encoded((1, 2), (4, 5))], 32, 4, seed=0)
    assert row.tokens_l.tolist() == [1, 2, 3, 2, 4, 5]
    assert row.predicting_a.tolist() == [1, 3, 4]


def test_what_does_not_fit_is_an_error_that_says_how_much_would() -> None:
    long = [*SMALL, Encoded(tuple(range(30)), (1, 2))]
    with pytest.raises(UsageError, match=r"1 of 4 examples are longer than row_tokens = 12; the longest has 32 tokens"):
        pack(long, 12, 4, seed=0)
    kept = pack(long, 12, 4, seed=0, skip_long=True)
    assert sorted({int(owner) for row in kept for owner in row.owners_a}) == [0, 1, 2]


def test_the_same_seed_gives_the_same_rows_and_another_one_another_order() -> None:
    many = [Encoded((number, number + 1), (number,)) for number in range(40)]
    orders = [[int(row.owners_a[0]) for row in pack(many, 8, 4, seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


_TOKENS = st.lists(st.integers(0, 3), min_size=1, max_size=6)
_EXAMPLES = st.lists(
    st.builds(lambda prompt, answer: Encoded(tuple(prompt), tuple(answer)), _TOKENS, _TOKENS), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(_EXAMPLES, st.integers(12, 30), st.integers(1, 5), st.integers(0, 40), st.integers(0, 3))
def test_every_example_can_be_read_back_and_every_answer_token_is_predicted_once(
    examples: list[Encoded], row_tokens: int, row_examples: int, fill_tokens: int, seed: int
) -> None:
    rows = pack(examples, row_tokens, row_examples, seed, fill_tokens=fill_tokens)
    predicted = Counter(int(owner) for row in rows for owner in row.owners_a)
    assert predicted == Counter({index: len(example.answer) for index, example in enumerate(examples)})
    for row in rows:
        assert len(row) <= max(row_tokens, fill_tokens)
        assert len(set(row.owners_a.tolist())) <= row_examples
        visible = mask(row)
        for owner in set(row.owners_a.tolist()):
            of_owner = row.owners_a == owner
            last = row.predicting_a[of_owner][-1]
            seen = np.flatnonzero(visible[last])
            example = examples[owner]
            assert (*row.tokens_l[seen].tolist(), row.targets_a[of_owner][-1]) == (*example.prompt, *example.answer)
            assert row.positions_l[seen].tolist() == list(range(len(seen)))
            assert row.targets_a[of_owner].tolist() == list(example.answer)


def _examples(*, apart: bool = False) -> list[Encoded]:
    """Two contexts with three questions each, one with one, and one prompt that is there twice.

    :param apart: A context is the beginning of a prompt and two passages.
    """
    chance = np.random.default_rng(5)

    def some(count: int) -> tuple[int, ...]:
        return tuple(chance.integers(0, 250, count).tolist())

    made = []
    for questions in (3, 3, 1):
        context = some(24)
        for number in range(questions):
            pieces = (*[0] * 6, *[1] * 8, *[2] * 10, *[REST] * (5 + number)) if apart else ()
            made.append(Encoded((*context, *some(5 + number)), some(2 + number), pieces=pieces))
    return [*made, replace(made[0], answer=some(3))]


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    torch.manual_seed(3)
    model = load_trainable(base, Training(rank=4, alpha=8, dropout=0, precision="fp32"))
    for name, weights in model.named_parameters():
        if "lora_B" in name:  # zero at first, and then the gradient of the other matrix is zero, too
            weights.data.normal_(0, 0.05)
    return model


def _loss_and_gradients(model: Any, rows: list[Row]) -> tuple[float, dict[str, torch.Tensor]]:
    """Of one step over these rows, averaged over all answer tokens."""
    model.zero_grad()
    tokens = sum(len(row.targets_a) for row in rows)
    total = 0.0
    for row in rows:
        inputs = collate([row])
        labels = inputs.pop("labels")
        loss = answer_loss(model(**inputs), labels, tokens)
        loss.backward()
        total += loss.item()
    return total, {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize(
    ("row_examples", "fill_tokens", "rows"),
    [(4, 0, 3), (8, 400, 1), (2, 0, 5), (3, 90, 3)],
    ids=["a context a row", "all in one row", "two examples a row", "filled up"],
)
def test_the_loss_and_the_gradients_of_packed_rows_are_those_of_the_examples_one_by_one(
    model: Any, row_examples: int, fill_tokens: int, rows: int, apart: bool
) -> None:
    examples = _examples(apart=apart)
    packed = pack(examples, 400, row_examples, seed=2, fill_tokens=fill_tokens)
    assert len(packed) == rows
    alone = [row for example in examples for row in pack([example], 400, 1, seed=2)]
    loss, gradients = _loss_and_gradients(model, packed)
    expected_loss, expected = _loss_and_gradients(model, alone)
    assert loss == pytest.approx(expected_loss, abs=1e-5)
    assert set(gradients) == set(expected)
    assert any(gradient.abs().max() > 1e-3 for gradient in expected.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-5)


def test_one_example_alone_is_what_transformers_computes_for_it(model: Any) -> None:
    example = _examples()[1]
    (row,) = pack([example], 400, 1, seed=0)
    tokens = torch.tensor([[*example.prompt, *example.answer]])
    labels = tokens.clone()
    labels[0, : len(example.prompt)] = -100
    expected = model(input_ids=tokens, labels=labels).loss.item()
    assert _loss_and_gradients(model, [row])[0] == pytest.approx(expected, abs=1e-5)
