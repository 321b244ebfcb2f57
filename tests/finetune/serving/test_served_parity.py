"""Served against trained answers, by hand."""

from __future__ import annotations

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage

from finetune.serving.parity import Case, measure_parity
from ragvoice.errors import UsageError


def says(*answers: str) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter([AIMessage(answer) for answer in answers]))


def test_shares_and_means_by_hand() -> None:
    """1: the same; 2: 'red car' against 'red blue car': F1 = 2 * (2/2) * (2/3) / (2/2 + 2/3) = .8; gold 'red car'."""
    cases = [Case([HumanMessage("a")], ("25 days",)), Case([HumanMessage("b")], ("red car",))]
    steps: list[tuple[int, int]] = []
    found = measure_parity(
        cases, says("25 days.", "red car"), says("The 25 days", "red blue car"), lambda *step: steps.append(step)
    )
    assert (found.n, found.identical, found.agreement_f1) == (2, 0.5, pytest.approx(0.9))
    assert (found.served_f1, found.served_exact_match) == (1.0, 1.0)
    assert (found.trained_f1, found.trained_exact_match) == (pytest.approx(0.9), 0.5)
    assert steps == [(1, 2), (2, 2)]


def test_two_empty_answers_are_the_same() -> None:
    found = measure_parity([Case([HumanMessage("a")], ("x",))], says(""), says(""))
    assert (found.identical, found.agreement_f1, found.served_f1) == (1.0, 1.0, 0.0)


def test_nothing_to_compare_on_is_told() -> None:
    with pytest.raises(UsageError, match="no test example"):
        measure_parity([], says(), says())
