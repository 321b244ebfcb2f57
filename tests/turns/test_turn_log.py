"""What goes into the log comes out of it; what is forgotten is in no byte of it."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sample_turns import NOON, PASSAGE, QUOTE, TEXT, answer_of, sample_turn, spoken_answer

from ragvoice.datatypes import Message
from ragvoice.errors import TurnLogError, UsageError
from ragvoice.turns.log import Selection, TurnLog
from ragvoice.turns.records import UsedModel, text_hash

ASKED = (Message("user", "What about leave?"), Message("agent", "Which leave?"))


def everything(file: Path) -> bytes:
    """Every byte of the log and of what lies beside it."""
    return b"".join(part.read_bytes() for part in file.parent.iterdir())


def test_a_turn_comes_back_as_it_was(log: TurnLog) -> None:
    turn = sample_turn(spoken_answer(), person="ada", history=ASKED)
    log.add(turn)
    found = log.get(turn.turn_id)
    assert found == turn
    assert found.citations == (QUOTE,)
    assert found.heard is not None
    assert (found.heard.language, found.heard.duration_s, found.heard.confidence) == ("en", 1.235, 0.9)
    assert found.models == {
        "embedder": UsedModel("mini", "e1"),
        "llm": UsedModel("qwen", "q1"),
        "stt": UsedModel("whisper", "w1"),
    }


def test_a_recogniser_that_was_not_used_is_not_named(log: TurnLog) -> None:
    log.add(turn := sample_turn(answer_of()))
    assert log.get(turn.turn_id).models.keys() == {"embedder", "llm"}


def test_of_a_passage_the_hash_is_kept_and_not_the_text(log: TurnLog, file: Path) -> None:
    log.add(turn := sample_turn(answer_of(citations=())))
    [kept] = log.get(turn.turn_id).passages
    assert (kept.doc_id, kept.start_index, kept.length, kept.content_hash) == ("a.pdf", 500, len(TEXT), "c0ffee")
    assert kept.text_hash == text_hash(PASSAGE.text)
    assert TEXT[:18].encode() not in everything(file)


def test_a_turn_is_found_by_six_characters_of_its_id(log: TurnLog) -> None:
    for id_ in ("aaaaaa11", "aaaaaa22", "bbbbbb%1"):
        log.add(sample_turn(answer_of(turn_id=id_)))
    assert log.get("aaaaaa1").turn_id == "aaaaaa11"
    assert log.get("bbbbbb").turn_id == "bbbbbb%1"
    for wrong, complaint in (("aaaaaa", "More than one"), ("aaaaa", "at least 6"), ("%%%%%%", "no turn"), ("", "6")):
        with pytest.raises(UsageError, match=complaint):
            log.get(wrong)


def test_the_newest_come_first_by_person_and_time(log: TurnLog) -> None:
    for days, person in ((3, "ada"), (1, "ada"), (2, "bob")):
        log.add(sample_turn(answer_of(f"{days}"), at=NOON - timedelta(days=days), person=person))

    def questions(selection: Selection, limit: int | None = None) -> list[str]:
        return [turn.question for turn in log.find(selection, limit)]

    assert questions(Selection()) == ["1", "2", "3"]
    assert questions(Selection(person="ada")) == ["1", "3"]
    assert questions(Selection(person="")) == []
    assert questions(Selection(), 2) == ["1", "2"]
    two = NOON - timedelta(days=2)
    assert questions(Selection(since=two)) == ["1", "2"]
    assert questions(Selection(until=two)) == ["3"]
    assert log.count(Selection(person="bob", since=two)) == 1


def test_a_new_rating_replaces_the_old_one(log: TurnLog) -> None:
    log.add(turn := sample_turn())
    assert log.get(turn.turn_id).rating is None
    assert log.rate(turn.turn_id[:8], 1) == turn.turn_id
    log.rate(turn.turn_id, -1, "It quotes the old policy.")
    rated = log.get(turn.turn_id)
    assert (rated.rating, rated.reason) == (-1, "It quotes the old policy.")
    assert [log.count(Selection(ratings=kind)) for kind in ((1,), (-1,), (1, -1))] == [0, 1, 1]


def test_what_is_forgotten_is_in_no_byte_of_the_files(log: TurnLog, file: Path) -> None:
    secret, kept = "Zwetschgenknoedel", "Apfelstrudel"
    for number in range(15):
        long = f"{secret} {number} " * 100  # over several pages of the file
        quote = replace(QUOTE, quote=secret)
        answer = answer_of(f"{secret}?", long, citations=(quote,), draft=secret, standalone_question=secret)
        turn = sample_turn(answer, person="ada", history=(Message("user", secret),))
        log.add(turn)
        log.rate(turn.turn_id, -1, secret)
        log.add(sample_turn(answer_of(f"{kept}?"), person="bob"))
    assert secret.encode() in everything(file)
    before = file.stat().st_size
    assert log.forget(Selection(person="ada")) == 15
    assert secret.encode() not in everything(file)
    assert b"ada" not in everything(file)
    assert log.count(Selection()) == 15
    assert kept.encode() in everything(file)
    assert file.stat().st_size < before


def test_forgetting_one_turn_of_a_conversation_takes_its_words_from_the_later_ones(log: TurnLog, file: Path) -> None:
    first = sample_turn(answer_of("Zwetschgen here?"), conversation="c" * 8)
    follow_up = answer_of("And there?", standalone_question="Zwetschgen here? And there?")
    # Another process has added a turn meanwhile, so the history is not what the log says and is stored as it is.
    second = sample_turn(follow_up, conversation="c" * 8, history=(Message("user", "Zwetschgen here?"),))
    log.add(first)
    log.add(second)
    log.forget(Selection(turn_id=first.turn_id))
    assert b"Zwetschgen" not in everything(file)
    left = log.get(second.turn_id)
    assert (left.question, left.standalone_question, left.history) == ("And there?", "And there?", ())
    assert left.history_hash == second.history_hash


def test_who_still_reads_is_said_and_the_next_try_cleans_up(
    log: TurnLog, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragvoice.turns.database.WAIT_S", 0.1)
    log.add(sample_turn(answer_of("Zwetschgen?"), person="ada"))
    reader = sqlite3.connect(file, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM turns").fetchone()
    with pytest.raises(TurnLogError, match="turns forget --before 2000-01-01"):
        log.forget(Selection(person="ada"))
    assert log.count(Selection()) == 0
    reader.close()
    assert log.forget(Selection(until=datetime(2000, 1, 1, tzinfo=UTC))) == 0
    assert b"Zwetschgen" not in everything(file)


def test_old_turns_go_by_themselves_once_a_day(file: Path) -> None:
    now = NOON
    log = TurnLog(file, 90, lambda: now)
    log.add(sample_turn(answer_of("Zwetschgen?"), at=now - timedelta(days=89, hours=23)))
    log.add(sample_turn(answer_of("new"), at=now))
    assert log.count(Selection()) == 2
    now += timedelta(hours=2)
    assert TurnLog(file, 90, lambda: now).count(Selection()) == 2  # has been looked at today
    assert TurnLog(file, 91, lambda: now).count(Selection()) == 2
    now += timedelta(days=1)
    assert [turn.question for turn in log.find(Selection())] == ["new"]
    assert b"Zwetschgen" not in everything(file)
    assert TurnLog(file, 1, lambda: now).count(Selection()) == 0


def test_pruning_makes_no_log(file: Path) -> None:
    TurnLog(file, 90).prune()
    assert not file.parent.exists()
