"""A conversation is one person's, and what was said in it is what the next question leans on."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sample_turns import NOON, answer_of, sample_turn

from ragvoice.datatypes import Message
from ragvoice.errors import UsageError
from ragvoice.turns.conversations import Conversations
from ragvoice.turns.log import Selection, TurnLog

LEAVE, PAY = "leave" * 4, "pay" * 4


@pytest.fixture
def ada(log: TurnLog) -> Conversations:
    """She has two conversations, and one turn without any."""
    said: list[Message] = []
    for minute, (conversation, question) in enumerate(
        [(LEAVE, "How many days?"), (PAY, "What is my pay?"), (None, "Alone?"), (LEAVE, "And in Poland?")]
    ):
        answer = answer_of(question, f"To {question}")
        history = said if conversation == LEAVE else []
        at = NOON + timedelta(minutes=minute)
        log.add(sample_turn(answer, at=at, person="ada", conversation=conversation, history=history))
        if conversation == LEAVE:
            said += [Message("user", question), Message("agent", f"To {question}")]
    return Conversations(log, "ada")


def test_the_one_with_the_latest_turn_comes_first(ada: Conversations) -> None:
    assert [(one.conversation_id, one.turns, one.first_question) for one in ada.list()] == [
        (LEAVE, 2, "How many days?"),
        (PAY, 1, "What is my pay?"),
    ]
    assert (ada.list()[0].began, ada.list()[0].latest) == ("2026-11-24T12:00:00.000Z", "2026-11-24T12:03:00.000Z")


def test_the_history_is_what_was_said(ada: Conversations) -> None:
    assert (
        ada.history("last")
        == ada.history(LEAVE[:6])
        == (
            Message("user", "How many days?"),
            Message("agent", "To How many days?"),
            Message("user", "And in Poland?"),
            Message("agent", "To And in Poland?"),
        )
    )
    first, second = ada.turns(LEAVE)
    assert first.history == ()
    assert second.history == ada.history(LEAVE)[:2]


def test_the_history_is_not_stored_twice(ada: Conversations, log: TurnLog) -> None:
    with log.opened() as database:
        stored = dict(database.execute("SELECT question, history FROM turns").fetchall())
    assert stored == {"How many days?": None, "What is my pay?": None, "Alone?": "[]", "And in Poland?": None}


def test_silence_is_no_line_of_the_conversation(ada: Conversations, log: TurnLog) -> None:
    before = ada.history(PAY)
    silence = answer_of("", "I did not hear a question.", outcome="no_speech")
    log.add(sample_turn(silence, person="ada", conversation=PAY, history=before))
    assert ada.history(PAY) == before
    assert ada.list()[0].turns == 2


@pytest.mark.parametrize("other", ["bob", "", "ADA", "ada "])
def test_nobody_else_sees_extends_or_deletes_it(ada: Conversations, log: TurnLog, other: str) -> None:
    theirs = Conversations(log, other)
    assert theirs.list() == []
    for name in (LEAVE, LEAVE[:6], "last"):
        for use in (theirs.history, theirs.turns, theirs.delete, theirs.resolve):
            with pytest.raises(UsageError, match="There is no conversation"):
                use(name)
    with pytest.raises(UsageError, match="There is no conversation"):
        log.add(sample_turn(person=other, conversation=LEAVE))
    assert ada.list()[0].turns == 2


def test_a_deleted_conversation_is_gone_with_its_turns_and_words(ada: Conversations, log: TurnLog, file: Path) -> None:
    assert ada.delete(LEAVE[:7]) == 2
    assert [one.conversation_id for one in ada.list()] == [PAY]
    assert {turn.question for turn in log.find(Selection())} == {"What is my pay?", "Alone?"}
    assert b"Poland" not in b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_words_that_are_forgotten_while_the_next_turn_is_answered_do_not_come_back_with_it(
    ada: Conversations, log: TurnLog, file: Path
) -> None:
    history = ada.history(LEAVE)
    first, _ = ada.turns(LEAVE)
    log.forget(Selection(turn_id=first.turn_id))
    answer = answer_of("And in Italy?", "It is 22.", standalone_question="How many days are it in Italy?")
    log.add(sample_turn(answer, at=NOON + timedelta(hours=1), person="ada", conversation=LEAVE, history=history))
    added = ada.turns(LEAVE)[-1]
    assert (added.standalone_question, added.history) == ("And in Italy?", history[2:])
    assert b"How many days" not in b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_one_whose_name_begins_anothers_is_found_by_its_whole_name(ada: Conversations, log: TurnLog) -> None:
    log.add(sample_turn(person="ada", conversation=LEAVE[:-5]))
    assert ada.resolve(LEAVE[:-5]) == LEAVE[:-5]
    assert ada.delete(LEAVE[:-5]) == 1
    assert ada.resolve(LEAVE[:-5]) == LEAVE


@pytest.mark.parametrize("name", ["", "new", "last", "x" * 65])
def test_none_begins_by_a_name_by_which_it_could_not_be_found(name: str, ada: Conversations) -> None:
    with pytest.raises(UsageError, match="6 to 64 characters"):
        ada.said_in(name)
    assert ada.said_in("begins") == ()


def test_a_new_one_has_a_name_of_its_own(ada: Conversations) -> None:
    assert len({ada.resolve("new"), ada.resolve("new"), LEAVE, PAY}) == 4
