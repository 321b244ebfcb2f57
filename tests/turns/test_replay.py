"""The same answer, or what changed: each cause alone, and none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sample_turns import CIRCUMSTANCES, PASSAGE, QUOTE, TEXT, answer_of, sample_turn, spoken_answer

from ragvoice.datatypes import Answer, Message, Transcription
from ragvoice.turns.records import Circumstances, Turn, UsedModel
from ragvoice.turns.replay import Change, Replay, replay


@dataclass(frozen=True)
class Document:
    text: str
    allowed_groups: tuple[str, ...]


THEN = answer_of()
DOCUMENTS = {"a.pdf": Document("." * 500 + TEXT, ("hr",))}


def again(
    answer: Answer = THEN,
    turn: Turn | None = None,
    used: Circumstances = CIRCUMSTANCES,
    configured: dict[str, Any] = CIRCUMSTANCES.settings,
    index_id: str = "1d",
    documents: Mapping[str, Document] = DOCUMENTS,
) -> Replay:
    return replay(turn or sample_turn(THEN), lambda *_: answer, used, configured, lambda _: index_id, documents.get)


def test_nothing_changed() -> None:
    found = again(replace(THEN, turn_id="another", timings=replace(THEN.timings, total=9), confidence=0.71))
    assert found.same
    assert not found.unexplained
    assert (found.changes, found.settings) == ((), ())
    assert [(one.doc_id, one.state) for one in found.passages] == [("a.pdf", "unchanged")]


def test_the_question_is_asked_with_its_history() -> None:
    asked: list[tuple[str | Transcription, Sequence[Message]]] = []

    def ask(question: str | Transcription, history: Sequence[Message]) -> Answer:
        asked.append((question, history))
        return THEN

    history = (Message("user", "Hi"),)
    turn = sample_turn(THEN, history=history)
    found = replay(turn, ask, CIRCUMSTANCES, CIRCUMSTANCES.settings, lambda _: "1d", DOCUMENTS.get)
    assert asked == [("How many days?", history)]
    assert found.changes == ()


def test_a_spoken_question_is_asked_as_it_was_heard() -> None:
    """Poorly heard it is asked back, which is the same answer again."""
    asked: list[str | Transcription] = []
    back = replace(spoken_answer(), outcome="clarify", answer="Did you mean: how many days?")

    def ask(question: str | Transcription, _: Sequence[Message]) -> Answer:
        asked.append(question)
        return back

    found = replay(sample_turn(back), ask, CIRCUMSTANCES, CIRCUMSTANCES.settings, lambda _: "1d", DOCUMENTS.get)
    assert asked == [Transcription("How many days?", "en", 1.235, (), 0.9)]
    assert found.same


@pytest.mark.parametrize(
    "other", [{"answer": "You get 30 days."}, {"outcome": "abstained"}, {"citations": ()},
              {"citations": (replace(QUOTE, quote="other"),)}],
    ids=str,
)  # fmt: skip
def test_another_answer_without_a_cause_is_said_to_be_so(other: dict[str, Any]) -> None:
    found = again(replace(THEN, **other))
    assert not found.same
    assert found.unexplained


@pytest.mark.parametrize(
    ("what", "before", "now", "changes"),
    [
        ("index generation", "g1", "g2", {"answer": replace(THEN, index_generation="g2")}),
        ("content of the index", "1d", "2d", {"index_id": "2d"}),
        ("prompt", "abc", "abd", {"answer": replace(THEN, prompt_hash="abd")}),
        ("version", "0.1.0", "0.2.0", {"used": replace(CIRCUMSTANCES, version="0.2.0")}),
        ("code", "c0de", "c1de", {"used": replace(CIRCUMSTANCES, code_hash="c1de")}),
        (
            "llm", "qwen (q1)", "qwen (q2)",
            {"used": replace(CIRCUMSTANCES, models={**CIRCUMSTANCES.models, "llm": UsedModel("qwen", "q2")})},
        ),
        (
            "adapter", "none", "handbook (h1)",
            {"used": replace(CIRCUMSTANCES, models={**CIRCUMSTANCES.models, "adapter": UsedModel("handbook", "h1")})},
        ),
        (
            "a_new_setting", "not there", "3",
            {"used": replace(CIRCUMSTANCES, settings={**CIRCUMSTANCES.settings, "a_new_setting": 3}),
             "configured": {**CIRCUMSTANCES.settings, "a_new_setting": 3}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_cause_is_named(what: str, before: str, now: str, changes: dict[str, Any]) -> None:
    assert again(**changes).changes == (Change(what, before, now),)
    answer = replace(changes.pop("answer", THEN), answer="You get 30 days.")
    found = again(answer, **changes)
    assert not found.same
    assert not found.unexplained


def test_a_recogniser_and_a_voice_take_no_part() -> None:
    models = {**CIRCUMSTANCES.models, "stt": UsedModel("whisper", "w2"), "tts": UsedModel("joe", "j1")}
    assert again(used=replace(CIRCUMSTANCES, models=models)).changes == ()


def test_other_passages_are_shown_by_place_and_hash() -> None:
    found = again(replace(THEN, passages=(replace(PASSAGE, start_index=7, text="other"),)))
    [change] = found.changes
    assert change.what == "passages found"
    assert change.before.startswith("a.pdf@500 (")
    assert change.now.startswith("a.pdf@7 (")


def test_a_history_that_a_deletion_has_shortened() -> None:
    turn = replace(sample_turn(THEN, history=(Message("user", "Hi"),)), history=())
    [change] = again(turn=turn).changes
    assert (change.what, bool(change.before), change.now) == ("history", True, "")


@pytest.mark.parametrize(
    ("documents", "state"),
    [
        ({}, "gone"),
        ({"a.pdf": Document("." * 500 + TEXT, ("board",))}, "closed"),
        ({"a.pdf": Document("." * 500 + TEXT, ("everyone",))}, "unchanged"),
        ({"a.pdf": Document("." * 500 + TEXT.replace("25", "30"), ("hr",))}, "changed"),
        ({"a.pdf": Document("", ("hr",))}, "changed"),
    ],
)
def test_the_documents_of_the_passages(documents: dict[str, Document], state: str) -> None:
    found = again(replace(THEN, answer="Other."), documents=documents)
    assert [one.state for one in found.passages] == [state]
    assert found.unexplained == (state == "unchanged")


def test_settings_that_are_other_today_were_not_used() -> None:
    found = again(configured={"min_confidence": 0.5, "llm_runtime": "ctranslate2"})
    assert found.settings == (Change("min_confidence", "0.2", "0.5"),)
    assert found.changes == ()
