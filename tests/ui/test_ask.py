"""The page over a real desk and log: what a person sees, and that nobody sees another's."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from ask_desk import handbook_bot, make_desk
from scripted_bot import ScriptedBot
from streamlit.testing.v1 import AppTest

from ragvoice.datatypes import Answer, AudioChunk
from ragvoice.desk import Desk
from ragvoice.errors import AudioError, UsageError
from ragvoice.people.person import Person
from ragvoice.speech.audio import wav_bytes
from ragvoice.turns.log import Selection
from ragvoice.ui.ask import question_in
from ragvoice.ui.conversations import as_json, as_markdown
from ragvoice.ui.voice_widget import LiveTurn
from ragvoice.voice.events import Interrupted
from ragvoice.voice.loop import VoiceLoop
from ragvoice.voicebot import Said

ADA, BOB = Person("ada"), Person("bob")


@pytest.fixture
def bot() -> ScriptedBot:
    return handbook_bot()


@pytest.fixture
def desk(tmp_path: Path, bot: ScriptedBot) -> Desk:
    return make_desk(tmp_path, bot)


def script() -> None:
    import streamlit as st

    from ragvoice.ui.ask import render

    render(st.session_state["the_desk"], st.session_state["the_person"], st.session_state["the_voice"])


def page(desk: Desk, person: Person = ADA, voice: Any = None) -> AppTest:
    test = AppTest.from_function(script, default_timeout=20)
    test.session_state["the_desk"] = desk
    test.session_state["the_person"] = person
    test.session_state["the_voice"] = voice
    return checked(test.run())


def checked(test: AppTest) -> AppTest:
    assert not test.exception, [one.message for one in test.exception]
    return test


def ask(test: AppTest, question: str, *, finish: bool = True) -> AppTest:
    test.chat_input[0].set_value(question).run()
    return finished(test) if finish else checked(test)


def finished(test: AppTest) -> AppTest:
    running = test.session_state["talk"][1].running
    if running is not None:
        running.wait(10)
    return checked(test.run())


def until(test: AppTest, wanted: str) -> AppTest:
    for _ in range(100):
        if wanted in html(test):
            return test
        time.sleep(0.05)
        checked(test.run())
    raise AssertionError(f"{wanted!r} is not on the page: {html(test)}")


def html(test: AppTest) -> str:
    return "\n".join(str(element.proto.body) for element in test.get("html"))


def badges(test: AppTest) -> list[str]:
    return [one.value for one in test.markdown if "-badge[" in one.value]


def labels(test: AppTest) -> list[str]:
    return [button.label for button in test.button]


def test_a_first_visit_explains_itself_and_an_example_can_be_asked(desk: Desk) -> None:
    test = page(desk)
    assert "Ask your documents" in html(test)
    test.button(key="example-0").click().run()
    finished(test)
    assert "How much leave do I get?" in html(test)
    assert "You get 26 days" in html(test)
    assert "rv-welcome" not in html(test)


def test_configured_examples_come_first(tmp_path: Path, bot: ScriptedBot) -> None:
    test = page(make_desk(tmp_path, bot, examples=("Where do I park?",)))
    assert [button.label for button in test.button if (button.key or "").startswith("example-")] == ["Where do I park?"]


def test_an_answer_is_shown_escaped_with_its_source_and_confidence(desk: Desk) -> None:
    test = ask(page(desk), "How much leave in Poland?")
    assert "You get 26 days in &lt;b&gt;Poland&lt;/b&gt;. Take them by March." in html(test)
    assert "<mark>Employees in Poland get 26 days of annual leave.</mark>" in html(test)
    assert "<script>" not in html(test)
    assert "Employee handbook" in html(test)
    assert "page 6" in html(test)
    assert any("High confidence" in badge for badge in badges(test))


def test_the_first_sentence_is_shown_and_spoken_while_the_second_is_written(desk: Desk, bot: ScriptedBot) -> None:
    bot.gate.clear()
    test = ask(page(desk), "How much leave in Poland?", finish=False)
    until(test, "You get 26 days")
    assert "Take them" not in html(test)
    assert "Stop" in labels(test)
    player = test.session_state["talk"][1].player
    assert len(player.clips[player.current]) == 1
    bot.gate.set()
    finished(test)
    assert "Take them" in html(test)
    assert len(player.clips[player.current]) == 2
    assert "Stop" not in labels(test)


def test_stop_ends_the_turn_and_the_page_goes_on_at_once(desk: Desk, bot: ScriptedBot) -> None:
    bot.gate.clear()
    test = ask(page(desk), "How much leave in Poland?", finish=False)
    until(test, "You get 26 days")
    checked(test.button(key="stop").click().run())
    assert any("Stopped" in badge for badge in badges(test))
    assert "Stop" not in labels(test)
    bot.gate.set()
    assert bot.closed.wait(10)
    checked(test.run())
    assert "Take them" not in html(test)
    assert "Take them" in html(ask(test, "And again?"))


def test_what_the_documents_do_not_say_looks_different(desk: Desk) -> None:
    test = ask(page(desk), "How far is the moon?")
    assert any("Not in the documents" in badge for badge in badges(test))
    assert "rv-missing" in html(test)
    assert "Nearest places" in html(test)
    assert not any("confidence" in badge for badge in badges(test))


def test_a_question_back_is_named_as_one(desk: Desk) -> None:
    assert any("A question back" in badge for badge in badges(ask(page(desk), "Is this one open?")))


def test_an_error_is_shown_kindly_and_the_next_question_works(desk: Desk) -> None:
    test = ask(page(desk), "broken")
    assert "The language model did not answer" in test.error[0].value
    assert "server of the language model does not answer" in test.error[0].value
    ask(test, "crash")
    assert "Something went wrong" in test.error[1].value
    assert "secret" not in test.error[1].value
    assert "You get 26 days" in html(ask(test, "How much leave?"))


def test_a_follow_up_has_the_history_and_a_new_conversation_has_none(desk: Desk, bot: ScriptedBot) -> None:
    test = ask(ask(page(desk), "How much leave?"), "And in Germany?")
    assert [line.text for line in bot.asked[1][1]][:1] == ["How much leave?"]
    checked(test.button(key="new").click().run())
    assert "And in Germany?" not in html(test)
    ask(test, "Who pays?")
    assert bot.asked[2][1] == ()


@pytest.mark.parametrize("asked", ["typed", "example"])
def test_a_question_is_asked_with_the_groups_that_its_person_has_by_then(
    asked: str, desk: Desk, bot: ScriptedBot
) -> None:
    test = page(desk, Person("ada", "asker", ("board",)))
    test.session_state["the_person"] = ADA
    if asked == "typed":
        ask(test, "Which office will close?")
    else:
        finished(test.button(key="example-0").click().run())
    assert [groups for _, _, groups in bot.asked] == [()]


def test_a_rating_and_its_reason_are_stored_for_the_own_turn(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    [turn] = desk.conversations(ADA)._log.find(Selection())
    [thumbs] = test.get("feedback") or test.get("button_group")
    thumbs.set_value(0).run()
    checked(test)
    test.text_input[0].set_value("It is 28 now").run()
    checked(test)
    [turn] = desk.conversations(ADA)._log.find(Selection())
    assert (turn.rating, turn.reason) == (-1, "It is 28 now")


def test_a_rating_can_be_taken_back(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    for value in (1, None):  # a second click on the same thumb
        [thumbs] = test.get("feedback")
        checked(thumbs.set_value(value).run())
    [turn] = desk.conversations(ADA)._log.find(Selection())
    assert (turn.rating, turn.reason) == (None, "")
    assert not test.text_input


def test_edit_and_ask_again_fills_the_box(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    [button] = [one for one in test.button if one.label == "Edit and ask again"]
    checked(button.click().run())
    assert test.chat_input[0].proto.value == "How much leave?"


def test_conversations_are_only_those_of_this_person(desk: Desk) -> None:
    ask(page(desk, BOB), "Is Bob alone?")
    ask(page(desk), "How much leave?")
    test = page(desk)
    listed = [button for button in test.button if (button.key or "").startswith("conversation-")]
    assert [button.label for button in listed] == ["How much leave?"]
    checked(listed[0].click().run())
    assert "You get 26 days" in html(test)
    assert "Bob" not in html(test)


def test_another_person_in_the_same_browser_begins_anew(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    test.session_state["the_person"] = BOB
    checked(test.run())
    assert "How much leave?" not in html(test).replace("How much leave do I get?", "")


def test_a_conversation_is_deleted_after_a_confirmation(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    checked(test.button(key="delete").click().run())
    assert len(desk.conversations(ADA).list()) == 1
    checked(test.button(key="really-delete").click().run())
    assert desk.conversations(ADA).list() == []
    assert "You get 26 days" not in html(test)


def test_an_export_has_questions_answers_and_sources(desk: Desk) -> None:
    ask(ask(page(desk), "How much leave?"), "How far is the moon?")
    turns = desk.conversations(ADA).turns("last")
    first, second = json.loads(as_json(turns))
    assert (first["question"], first["citations"][0]["source"]) == ("How much leave?", "hr/handbook.pdf")
    assert second["outcome"] == "abstained"
    text = as_markdown(turns)
    assert "## How much leave?" in text
    assert "> Employees in Poland get 26 days of annual leave." in text
    assert "hr/handbook.pdf, page 6, 4 Leave" in text
    assert "Not in the documents" in text


def test_a_document_that_is_not_for_this_person_any_more_is_not_quoted(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")

    def closed(person: Person, doc_id: str) -> Any:
        raise UsageError("There is no such document.")

    desk.document = closed  # type: ignore[method-assign]
    checked(test.run())
    assert "<mark>" not in html(test)
    assert "not there any more" in html(test)


def test_a_turn_of_the_live_voice_appears_once_it_is_logged(desk: Desk) -> None:
    ended: list[LiveTurn] = []

    def voice(desk: Desk, person: Person, conversation_id: str) -> LiveTurn:
        if not ended:
            *_, answer = desk.ask(person, "How much leave?", conversation_id=conversation_id, speak=False)
            ended.append(LiveTurn(answer.turn_id))  # type: ignore[union-attr]
        return ended[0]

    test = page(desk, voice=voice)
    assert html(test).count("Take them by March.") == 1
    assert html(checked(test.run())).count("Take them by March.") == 1


def spoken_to(desk: Desk, conversation_id: str) -> tuple[VoiceLoop, Answer]:
    """A live voice, and what it has answered."""
    loop = desk.loop(ADA, conversation_id, shown=True)
    loop.say("How much leave?")
    return loop, next(event for event in loop.events() if isinstance(event, Answer))


def test_a_turn_of_the_live_voice_stays_on_the_page_where_turns_are_not_kept(tmp_path: Path, bot: ScriptedBot) -> None:
    ended: list[LiveTurn] = []

    def voice(desk: Desk, person: Person, conversation_id: str) -> LiveTurn:
        if not ended:
            loop, answer = spoken_to(desk, conversation_id)
            loop.close()
            ended.append(LiveTurn(answer.turn_id))
        return ended[0]

    test = page(make_desk(tmp_path, bot, keep=False), voice=voice)
    assert html(test).count("Take them by March.") == 1
    assert html(checked(test.run())).count("Take them by March.") == 1
    assert html(ask(test, "And in Germany?")).count("Take them by March.") == 2


@pytest.mark.parametrize("keep", [True, False])
def test_of_a_live_answer_that_was_interrupted_the_page_shows_what_was_heard(tmp_path: Path, keep: bool) -> None:
    slow = Said("You get 26 days.", None, AudioChunk(np.zeros(160_000, np.float32), 16_000))
    desk = make_desk(tmp_path, ScriptedBot(lambda number: (slow, Said("Take them.", None, None))), keep=keep)
    live: list[LiveTurn] = []
    test = page(desk, voice=lambda *_: live[-1] if live else None)
    talk = test.session_state["talk"][1]
    loop, told = spoken_to(desk, talk.conversation_id)
    live.append(LiveTurn(told.turn_id))
    assert "You get 26 days." in html(checked(test.run()))

    live.append(LiveTurn(told.turn_id, interrupted=True))
    checked(test.run())  # the page may be sooner than the log
    assert talk.awaited_until
    loop.interrupt(heard_s=5.0)
    assert next(event for event in loop.events() if isinstance(event, Interrupted)).heard_text == "You get"
    loop.close()
    until(test, "You get<")
    assert "You get 26" not in html(test)
    assert any("Stopped" in badge for badge in badges(test))
    assert not talk.awaited_until
    assert len(talk.exchanges) == 1


def test_a_written_turn_that_ends_while_the_page_looks_for_a_spoken_one_is_shown_once(
    desk: Desk, bot: ScriptedBot
) -> None:
    def voice(*_: Any) -> LiveTurn | None:
        running = st.session_state["talk"][1].running
        if running is None:
            return None
        bot.gate.set()
        running.wait(10)
        return LiveTurn("f" * 32, interrupted=True)

    bot.gate.clear()
    test = ask(page(desk, voice=voice), "How much leave in Poland?")
    assert html(test).count("Take them by March.") == 1
    assert len(test.session_state["talk"][1].exchanges) == 1


def test_a_turn_of_the_live_voice_that_is_nowhere_is_no_error(desk: Desk) -> None:
    test = page(desk, voice=lambda *_: LiveTurn("f" * 32, interrupted=True))
    assert not test.error


def test_a_log_that_cannot_be_read_keeps_nobody_from_asking(tmp_path: Path, bot: ScriptedBot) -> None:
    (tmp_path / "turns.sqlite").mkdir()
    test = ask(page(make_desk(tmp_path, bot)), "How much leave in Poland?")

    assert "Take them by March." in html(test)
    assert "cannot be read" in test.sidebar.warning[0].value


def test_a_conversation_that_was_deleted_elsewhere_stays_closed(desk: Desk) -> None:
    test = ask(page(desk), "How much leave in Poland?")
    [stored] = desk.conversations(ADA).list()
    button = next(one for one in test.button if one.key == f"conversation-{stored.conversation_id}")
    desk.conversations(ADA).delete(stored.conversation_id)
    checked(button.click().run())
    assert "no conversation" in test.toast[0].value


def test_open_shows_the_document_at_the_place(desk: Desk) -> None:
    test = ask(page(desk), "How much leave?")
    [button] = [one for one in test.button if one.label == "Open"]
    checked(button.click().run())
    assert "rv-document" in html(test)
    assert "In Germany it is 30." in html(test)


def test_a_recording_counts_before_the_text_beside_it() -> None:
    tone = AudioChunk(np.full(16_000, 0.5, np.float32), 16_000)
    recording = io.BytesIO(wav_bytes(tone))
    for given in ({"audio": recording, "files": []}, {"audio": None, "files": [recording]}):
        question = question_in(SimpleNamespace(text="ignored", **given))
        assert isinstance(question, AudioChunk)
        assert len(question.samples_t) == 16_000
        assert question.samples_t.mean() == pytest.approx(0.5, abs=0.01)
    assert question_in(SimpleNamespace(text="How much?", audio=None, files=[])) == "How much?"
    with pytest.raises(AudioError):
        question_in(SimpleNamespace(text="", audio=None, files=[io.BytesIO(b"not a recording")]))


def test_a_spoken_question_shows_what_was_heard(desk: Desk, bot: ScriptedBot) -> None:
    def script() -> None:
        import streamlit as st

        from ragvoice.ui import ask

        state = st.session_state
        desk, person = state["the_desk"], state["the_person"]
        ask.render(desk, person)
        st.button("speak", key="speak", on_click=lambda: ask._ask(state["talk"][1], state["the_question"]))

    test = AppTest.from_function(script, default_timeout=20)
    test.session_state["the_desk"], test.session_state["the_person"] = desk, ADA
    test.session_state["the_question"] = AudioChunk(np.full(16_000, 0.5, np.float32), 16_000)
    test.run().button(key="speak").click().run()
    assert ">heard</span> How much leave in Poland?" in html(finished(test))
    test.session_state["the_question"] = AudioChunk(np.zeros(16_000, np.float32), 16_000)
    test.button(key="speak").click().run()
    assert any("No question heard" in badge for badge in badges(finished(test)))
