"""Two persons at one desk: what belongs to one of them is, to the other, not there. The bot is scripted."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from langchain_core.embeddings import Embeddings
from scripted_bot import ScriptedBot

from ingest.documents import Chunking
from ingest.job import ingest
from ragvoice.datatypes import Answer, AudioChunk, Message, ModelNames, Passage
from ragvoice.desk import Desk, Models
from ragvoice.desk_turns import SpokenTurns, Unlogged
from ragvoice.errors import AccessError, BusyError, TurnLogError, UsageError, VectorIndexError
from ragvoice.fair_queue import FairQueue, Waiting
from ragvoice.people.person import Person
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings
from ragvoice.turns.log import Selection, TurnLog
from ragvoice.turns.recorder import Recorder
from ragvoice.turns.records import Circumstances
from ragvoice.voice.events import Interrupted
from ragvoice.voicebot import Event, Found, Said

ADA, BOB = Person("ada", "asker", ("hr",)), Person("bob", "asker")
OWNER = Person("olga", "owner")
TALK = "talk" * 8


class HashedWords(Embeddings):
    """A bag of words in 32 dimensions."""

    def embed_query(self, text: str) -> list[float]:
        vector = np.full(32, 1e-3)
        for word in re.findall(r"\w+", text.lower()):
            vector[hashlib.sha256(word.encode()).digest()[0] % 32] += 1
        return [float(value) for value in vector / np.linalg.norm(vector)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> DocumentIndex:
    folder = tmp_path_factory.mktemp("desk")
    documents = folder / "documents"
    documents.mkdir()
    (documents / "open.md").write_text("# Leave\n\nEverybody gets 25 days of leave.\n")
    (documents / "hr.md").write_text("# Pay\n\nThe leave of the director is 40 days.\n")
    (documents / "access.toml").write_text('[[rule]]\npath = "hr.md"\ngroups = ["hr"]\n')
    spans = Chunking(lambda text: [match.span() for match in re.finditer(r"\w+|\W", text)], 100, 0)
    ingest([documents], folder / "index", HashedWords, EmbedderIdentity("words", "w", 100, 0), spans)
    return DocumentIndex.open(folder / "index")


@pytest.fixture
def log(tmp_path: Path) -> TurnLog:
    return TurnLog(tmp_path / "turns.sqlite", 90)


@pytest.fixture
def bot() -> ScriptedBot:
    return ScriptedBot()


def models(bot: ScriptedBot, index: DocumentIndex) -> Models:
    return Models(bot, HybridRetriever(index=index, embeddings=HashedWords()))  # type: ignore[arg-type]


@pytest.fixture
def desk(index: DocumentIndex, log: TurnLog, bot: ScriptedBot) -> Desk:
    recorder = Recorder(log, lambda: Circumstances({}, {}, "1", "c"), lambda generation: generation)
    return Desk(Settings.model_construct(), lambda: models(bot, index), log, recorder, FairQueue(longest=2))


def answer_of(events: Iterable[object]) -> Answer:
    *_, last = events
    assert isinstance(last, Answer)
    return last


def test_a_turn_is_asked_and_logged_in_the_name_of_its_person(desk: Desk, bot: ScriptedBot, log: TurnLog) -> None:
    kinds = [type(event).__name__ for event in desk.ask(ADA, "How many days?", conversation_id=TALK)]
    assert kinds == ["Found", "Said", "Said", "Answer"]
    assert bot.asked == [("How many days?", (), ("hr",))]
    [turn] = log.find(Selection())
    assert (turn.person, turn.groups, turn.conversation_id, turn.answer) == ("ada", ("hr",), TALK, "First 1. Second 1.")


@pytest.mark.parametrize("broken", ["cannot be opened", "damaged"])
def test_a_broken_log_costs_no_answer(
    broken: str, index: DocumentIndex, bot: ScriptedBot, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "turns.sqlite"
    if broken == "damaged":
        file.write_bytes(b"x" * 5000)
    else:
        file.mkdir()
    log = TurnLog(file, 90)
    recorder = Recorder(log, lambda: Circumstances({}, {}, "1", "c"), lambda generation: generation)
    desk = Desk(Settings.model_construct(), lambda: models(bot, index), log, recorder)

    assert answer_of(desk.ask(ADA, "How many days?", conversation_id=TALK)).answer == "First 1. Second 1."
    assert "without its history" in caplog.text


def test_an_interruption_that_cannot_be_logged_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: str) -> None:
        raise TurnLogError("the disk is full")

    turns = SpokenTurns(lambda question: pytest.fail("not asked"), fails, fails)
    turns.interrupted(Interrupted("You get", 0.5, "t1"))

    assert "the disk is full" in caplog.text


def test_the_turn_is_in_the_log_when_its_answer_is_seen(desk: Desk, log: TurnLog) -> None:
    for event in desk.ask(ADA, "How many days?"):
        assert log.count(Selection()) == isinstance(event, Answer)


def test_the_next_question_knows_what_was_said_in_its_conversation_only(desk: Desk, bot: ScriptedBot) -> None:
    for question, talk in (("How many days?", TALK), ("What else?", "other" * 6), ("Alone?", None)):
        answer_of(desk.ask(ADA, question, conversation_id=talk))
    answer_of(desk.ask(ADA, "And in Poland?", conversation_id=TALK))
    histories = [history for _, history, _ in bot.asked]
    said = (Message("user", "How many days?"), Message("agent", "First 1. Second 1."))
    assert histories == [(), (), (), said]


def test_nobody_else_sees_goes_on_with_rates_or_deletes_a_turn(desk: Desk, bot: ScriptedBot, log: TurnLog) -> None:
    answer = answer_of(desk.ask(ADA, "How many days?", conversation_id=TALK))
    assert [one.conversation_id for one in desk.conversations(ADA).list()] == [TALK]
    for other in (BOB, OWNER, Person("root", "admin"), Person("")):
        theirs = desk.conversations(other)
        assert theirs.list() == []
        for use in (theirs.turns, theirs.history, theirs.delete, theirs.said_in):
            with pytest.raises(UsageError, match="There is no conversation"):
                use(TALK)
        with pytest.raises(UsageError, match="There is no conversation"):
            desk.ask(other, "And for me?", conversation_id=TALK)
        with pytest.raises(UsageError, match="There is no turn"):
            desk.rate(other, answer.turn_id, -1)
    assert len(bot.asked) == 1
    assert log.get(answer.turn_id).rating is None


def test_a_recording_too_long_for_a_question_holds_nobody_up(desk: Desk, bot: ScriptedBot) -> None:
    with pytest.raises(UsageError, match="lasts 6 minutes; a question lasts at most 5"):
        desk.ask(ADA, AudioChunk(np.zeros(360 * 100, np.float32), 100))
    assert bot.asked == []


def test_a_rating_is_kept_with_its_reason(desk: Desk, log: TurnLog) -> None:
    answer = answer_of(desk.ask(ADA, "How many days?"))
    desk.rate(ADA, answer.turn_id, -1, "It is 30.")
    assert (log.get(answer.turn_id).rating, log.get(answer.turn_id).reason) == (-1, "It is 30.")
    with pytest.raises(UsageError, match="1 or -1"):
        desk.rate(ADA, answer.turn_id, 5)


def test_an_answer_that_is_stopped_is_logged_as_far_as_it_was_handed_out(
    desk: Desk, bot: ScriptedBot, log: TurnLog
) -> None:
    bot.gate.clear()
    events = desk.ask(ADA, "How many days?", conversation_id=TALK)
    for event in events:
        if isinstance(event, Said):
            break
    events.close()  # type: ignore[attr-defined]
    bot.gate.set()
    assert bot.closed.wait(10)
    [turn] = log.find(Selection())
    assert (turn.answer, turn.confidence) == ("First 1.", 0)
    assert [citation.quote for citation in turn.citations] == ["Quote 1."]
    assert desk.conversations(ADA).said_in(TALK)[-1] == Message("agent", "First 1.")


def test_of_an_answer_that_is_stopped_before_it_began_only_the_question_stays(desk: Desk, log: TurnLog) -> None:
    events = desk.ask(ADA, "How many days?", conversation_id=TALK)
    assert isinstance(next(events), Found)
    events.close()  # type: ignore[attr-defined]
    assert [turn.answer for turn in log.find(Selection())] == [""]
    assert desk.conversations(ADA).said_in(TALK) == (Message("user", "How many days?"),)


@pytest.mark.parametrize("stopped", [False, True])
def test_a_conversation_that_is_deleted_while_it_is_answered_stays_deleted(
    stopped: bool, desk: Desk, bot: ScriptedBot, log: TurnLog
) -> None:
    answer_of(desk.ask(ADA, "How many days?", conversation_id=TALK))
    bot.gate.clear()
    events = desk.ask(ADA, "And in Poland?", conversation_id=TALK)
    read_until(events, Said)
    assert desk.conversations(ADA).delete(TALK) == 1
    if stopped:
        events.close()  # type: ignore[attr-defined]
    bot.gate.set()
    assert any(isinstance(event, Answer) for event in events) != stopped
    assert log.find(Selection()) == []


def test_one_waits_while_the_other_is_answered_and_is_told(desk: Desk, bot: ScriptedBot) -> None:
    bot.gate.clear()
    first = desk.ask(ADA, "How many days?")
    assert isinstance(next(first), Found)
    second = desk.ask(BOB, "And I?")
    assert next(second) == Waiting(1)
    bot.gate.set()
    *waiting, last = (event for event in second if isinstance(event, Waiting | Answer))
    assert waiting[-1] == Waiting(0)
    assert isinstance(last, Answer)
    assert [last.question, answer_of(first).question] == ["And I?", "How many days?"]


def test_a_full_desk_says_so_and_a_turn_that_is_given_up_makes_room(desk: Desk, bot: ScriptedBot) -> None:
    bot.gate.clear()
    running = desk.ask(ADA, "How many days?")
    next(running)
    waiting = [desk.ask(Person(name), "And I?") for name in ("kim", "lea")]
    assert [type(next(events)) for events in waiting] == [Waiting, Waiting]
    with pytest.raises(BusyError, match="again in a moment"):
        next(desk.ask(BOB, "And I?"))
    assert desk._queue.length == 3
    waiting[0].close()  # type: ignore[attr-defined]
    bot.gate.set()
    assert [answer_of(events).question for events in (waiting[1], running)] == ["And I?", "How many days?"]
    assert [question for question, _, _ in bot.asked] == ["How many days?", "And I?"]


def test_a_reader_who_does_not_read_holds_nobody_up(desk: Desk, bot: ScriptedBot) -> None:
    sleeper = desk.ask(ADA, "How many days?")
    next(sleeper)
    assert answer_of(desk.ask(BOB, "And I?")).question == "And I?"


def test_groups_decide_what_is_found_and_opened(desk: Desk) -> None:
    def found(person: Person) -> set[str]:
        passages: list[Passage] = desk.search(person, "days of leave")
        return {passage.doc_id for passage in passages}

    assert (found(ADA), found(BOB), found(OWNER)) == ({"open.md", "hr.md"}, {"open.md"}, {"open.md"})
    assert "director" in desk.document(ADA, "hr.md").text
    assert len(desk.chunks(ADA, "hr.md")) == 1
    for look in (desk.document, desk.chunks):
        with pytest.raises(UsageError, match=r"There is no document 'hr\.md'"):
            look(BOB, "hr.md")
        with pytest.raises(UsageError, match=r"There is no document 'none\.md'"):
            look(BOB, "none.md")
    assert desk.document(BOB, "open.md").title


def test_a_document_is_read_once_and_still_only_by_who_may(index: DocumentIndex) -> None:
    assert index.document("hr.md", ("hr",)) is index.document("hr.md")
    with pytest.raises(UsageError, match="There is no document"):
        index.document("hr.md", ())


def test_owners_look_after_every_document_and_askers_after_none(desk: Desk) -> None:
    assert {document.doc_id for document in desk.documents(OWNER)} == {"open.md", "hr.md"}
    assert "director" in desk.document(OWNER, "hr.md").text
    with pytest.raises(AccessError, match="look after the documents"):
        desk.documents(ADA)


def test_only_who_looks_after_people_may(desk: Desk, log: TurnLog) -> None:
    answer_of(desk.ask(ADA, "How many days?"))
    answer_of(desk.ask(BOB, "And I?"))
    for person in (ADA, OWNER):
        with pytest.raises(AccessError, match="look after people"):
            desk.accounts(person)
        with pytest.raises(AccessError, match="look after people"):
            desk.forget_turns(person, "ada")
    admin = Person("root", "admin")
    assert desk.accounts(admin).file.name == "people.toml"
    assert desk.forget_turns(admin, "ada") == 1
    assert [turn.person for turn in log.find(Selection())] == ["bob"]


@pytest.mark.parametrize("question", ["", "  ", "word " * 400])
def test_what_is_no_question_is_refused_before_anybody_waits(desk: Desk, question: str) -> None:
    with pytest.raises(UsageError):
        desk.ask(ADA, question)
    with pytest.raises(UsageError):
        desk.search(ADA, question)


def test_an_error_of_the_turn_reaches_who_asked_and_frees_the_place(desk: Desk, bot: ScriptedBot) -> None:
    def fail(*_: object, **__: object) -> Iterator[Event]:
        raise UsageError("The bot is lost.")
        yield

    works, bot.turn = bot.turn, fail  # type: ignore[method-assign]
    with pytest.raises(UsageError, match="lost"):
        answer_of(desk.ask(ADA, "How many days?"))
    bot.turn = works  # type: ignore[method-assign]
    assert answer_of(desk.ask(BOB, "And I?")).outcome == "answered"


def test_models_are_loaded_once_and_asked_for_again_while_there_is_no_index(
    index: DocumentIndex, log: TurnLog, bot: ScriptedBot
) -> None:
    tries: list[int] = []

    def load() -> Models:
        tries.append(1)
        if len(tries) == 1:
            raise VectorIndexError("There is no index.")
        return models(bot, index)

    recorder = Recorder(log, lambda: Circumstances({}, {}, "1", "c"), lambda generation: generation)
    desk = Desk(Settings.model_construct(), load, log, recorder)
    with pytest.raises(VectorIndexError):
        desk.documents(OWNER)
    assert len(desk.documents(OWNER)) == 2
    assert answer_of(desk.ask(ADA, "How many days?")).models == ModelNames()
    assert len(tries) == 2


def begin(desk: Desk, question: str = "How many days?", *, shown: bool = False) -> tuple[SpokenTurns, Iterator[object]]:
    """The turns of Ada's voice loop, and the events of the first of them."""
    loop = desk.loop(ADA, TALK, shown=shown)
    turns = loop._on_interrupted.__self__  # type: ignore[union-attr]
    loop.close()
    return turns, turns.ask(question)


def read_until(events: Iterator[object], kind: type) -> Any:
    return next(event for event in events if isinstance(event, kind))


def test_a_spoken_turn_that_ends_is_logged_and_cut_when_it_is_interrupted_later(desk: Desk, log: TurnLog) -> None:
    turns, events = begin(desk)
    answer = answer_of(events)
    assert log.get(answer.turn_id).answer == "First 1. Second 1."
    turns.interrupted(Interrupted("First 1. Second 1.", 2.0, answer.turn_id))
    assert log.get(answer.turn_id).confidence == 0.8  # all of it was heard
    turns.interrupted(Interrupted("First", 0.4, answer.turn_id))
    assert log.get(answer.turn_id).confidence == 0
    assert desk.conversations(ADA).said_in(TALK) == (Message("user", "How many days?"), Message("agent", "First"))


def test_a_spoken_turn_that_is_interrupted_while_it_is_written_is_logged_as_heard(desk: Desk, log: TurnLog) -> None:
    turns, events = begin(desk)
    read_until(events, Said)
    turns.interrupted(Interrupted("Fir", 0.2))
    events.close()  # type: ignore[attr-defined]
    [turn] = log.find(Selection())
    assert (turn.answer, turn.person, turn.conversation_id) == ("Fir", "ada", TALK)
    assert desk._queue.length == 0


def test_a_turn_on_half_a_question_was_never_asked(desk: Desk, bot: ScriptedBot, log: TurnLog) -> None:
    turns, events = begin(desk, "How many")
    read_until(events, Said)
    events.close()  # type: ignore[attr-defined]
    finished = answer_of(turns.ask("How many days"))
    turns.interrupted(Interrupted("", 0.0, finished.turn_id, continues=True))
    events = turns.ask("How many days do I")
    read_until(events, Said)
    turns.interrupted(Interrupted("", 0.0, continues=True))
    assert isinstance(answer_of(events), Answer)
    assert log.count(Selection()) == 0
    answer_of(turns.ask("How many days do I get?"))
    assert [turn.question for turn in log.find(Selection())] == ["How many days do I get?"]
    assert [history for _, history, _ in bot.asked] == [()] * 4


@pytest.fixture
def desk_without_log(index: DocumentIndex, log: TurnLog, bot: ScriptedBot) -> Desk:
    recorder = Recorder(log, lambda: Circumstances({}, {}, "1", "c"), str, keep=False)
    return Desk(Settings.model_construct(), lambda: models(bot, index), log, recorder)


def test_what_the_voice_told_a_page_and_no_log_keeps_is_there_for_its_person_as_it_was_heard(
    desk_without_log: Desk, log: TurnLog
) -> None:
    desk = desk_without_log
    turns, events = begin(desk, shown=True)
    answer = answer_of(events)
    read_until(events := turns.ask("And in Poland?"), Said)
    turns.interrupted(Interrupted("Fir", 0.2))
    events.close()  # type: ignore[attr-defined]
    answer_of(desk.ask(ADA, "Typed", conversation_id=TALK))  # whoever asks so has the answer already

    assert desk.unlogged(BOB, TALK) == desk.unlogged(ADA, "other" * 6) == []
    assert [one.answer for one in desk.unlogged(ADA, TALK)] == [answer.answer, "Fir"]
    turns.interrupted(Interrupted(answer.answer, 2.0, answer.turn_id))
    assert desk.unlogged(ADA, TALK)[0] == answer
    turns.interrupted(Interrupted("First", 0.4, answer.turn_id))
    assert [(one.answer, one.confidence) for one in desk.unlogged(ADA, TALK)] == [("First", 0), ("Fir", 0)]
    turns.interrupted(Interrupted("", 0.0, answer.turn_id, continues=True))
    assert [one.answer for one in desk.unlogged(ADA, TALK)] == ["Fir"]
    assert log.count(Selection()) == 0


def test_of_what_nobody_shows_nothing_is_held(desk_without_log: Desk) -> None:
    _, events = begin(desk_without_log)
    answer_of(events)
    assert desk_without_log.unlogged(ADA, TALK) == []


def test_what_no_log_keeps_is_forgotten_with_the_persons_turns_and_in_minutes_by_itself(desk_without_log: Desk) -> None:
    desk, admin = desk_without_log, Person("root", "admin")
    answer = answer_of(begin(desk, shown=True)[1])
    desk.forget_turns(admin, "bob")
    assert desk.unlogged(ADA, TALK) == [answer]
    desk.forget_turns(admin, "ada")
    assert desk.unlogged(ADA, TALK) == []

    unlogged = Unlogged(keep=2, keep_s=0.05)
    for turn_id in ("t1", "t2", "t3"):
        unlogged.add("ada", TALK, replace(answer, turn_id=turn_id))
    assert [one.turn_id for one in unlogged.of("ada", TALK)] == ["t2", "t3"]
    for _ in range(100):
        if not unlogged._kept:
            break
        time.sleep(0.05)
    assert not unlogged._kept, "although nobody has looked"
    unlogged.add("ada", TALK, answer)
    assert unlogged.of("ada", TALK) == [answer]


def test_an_interruption_before_a_turn_has_begun_leaves_the_one_before_as_it_was(desk: Desk, log: TurnLog) -> None:
    turns, events = begin(desk)
    answer = answer_of(events)
    for continues in (True, False):
        turns.interrupted(Interrupted("", 0.0, continues=continues))
    assert log.get(answer.turn_id).answer == "First 1. Second 1."


def test_nobody_talks_on_in_somebody_elses_conversation(desk: Desk) -> None:
    answer_of(desk.ask(ADA, "How many days?", conversation_id=TALK))
    with pytest.raises(UsageError, match="There is no conversation"):
        desk.loop(BOB, TALK)


def test_a_spoken_turn_has_the_groups_of_its_moment(desk: Desk, bot: ScriptedBot) -> None:
    now = [ADA, Person("ada", "asker", ())]
    loop = desk.loop(ADA, TALK, as_of_now=lambda person: now.pop(0))
    turns = loop._on_interrupted.__self__  # type: ignore[union-attr]
    loop.close()
    for _ in range(2):
        answer_of(turns.ask("How many days?"))
    assert [groups for _, _, groups in bot.asked] == [("hr",), ()]


def test_nothing_is_prepared_while_somebody_is_answered(desk: Desk, bot: ScriptedBot) -> None:
    loop = desk.loop(ADA)
    assert loop._prepare is not None
    assert loop._prepare("How many", lambda: True)
    bot.gate.clear()
    events = desk.ask(BOB, "And I?")
    next(events)
    assert not loop._prepare("How many days", lambda: True)
    bot.gate.set()
    answer_of(events)
    loop.close()
    assert bot.prepared == [("How many", (), ("hr",))]
