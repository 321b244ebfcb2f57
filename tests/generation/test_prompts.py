"""What the model reads, within its context."""

from __future__ import annotations

import pytest

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import GenerationError
from ragvoice.generation.prompts import build_prompt, fit_prompt

LONG = Passage("a.md", "a.md", "Leave", "Annual", None, None, "day " * 400, 0, 0.9)
SHORT = Passage("b.md", "b.md", "Pay", "", None, None, "Paid on the 26th.", 0, 0.8)
SAID = (Message("user", "word " * 50), Message("agent", "word " * 50))


def words(text: str) -> int:
    return len(text.split())


def fitted(question: str = "How long?", *, context: int, passages: int = 900) -> tuple[str, list[Passage]]:
    messages, read = fit_prompt(
        question, (LONG, SHORT), SAID, "spoken", words, passage_tokens=passages, context_tokens=context
    )
    return " ".join(message.text for message in messages), read


def test_everything_is_there_when_there_is_room() -> None:
    text, read = fitted(context=4000)
    assert read == [LONG, SHORT]
    assert "Earlier question:" in text
    assert "Earlier answer:" in text


@pytest.mark.parametrize("context", [220, 300, 400, 700])
def test_the_prompt_never_takes_more_than_the_context(context: int) -> None:
    text, read = fitted(context=context)
    assert words(text) <= context
    assert read[0].text == LONG.text[: len(read[0].text)], "a cut passage is still a slice from its start"


def test_history_gives_way_to_the_passages() -> None:
    text, read = fitted(context=250)
    assert "Earlier" not in text
    assert read


def test_a_question_that_does_not_fit_is_refused_with_advice() -> None:
    with pytest.raises(GenerationError, match="shorter question"):
        fitted("why " * 300, context=300)


def test_the_order_is_instructions_passages_conversation_question() -> None:
    system, asked = build_prompt("How long?", (SHORT,), SAID, "spoken")
    assert "passages" in system.text
    order = [asked.text.index(part) for part in ("Passages:", "Paid on", "Earlier question", "Question: How long?")]
    assert order == sorted(order)
