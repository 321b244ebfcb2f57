"""All that the page and the voice door may ask of the application, in the name of one person.

Rights are checked here, not in the page. Whatever belongs to somebody else is, to every method, not there.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from ragvoice.background import in_background
from ragvoice.datatypes import Answer, AudioChunk, Message, Passage, Style, Transcription
from ragvoice.desk_turns import Event, FollowedTurn, SpokenTurns, Unlogged
from ragvoice.errors import TurnLogError, UsageError
from ragvoice.fair_queue import FairQueue
from ragvoice.idle_reading import IdleReading
from ragvoice.people.person import Person
from ragvoice.voicebot import VoiceBot, check_question

if TYPE_CHECKING:
    from ragvoice.people.accounts import Accounts
    from ragvoice.retrieval.index import ChunkSpan, DocumentIndex, IndexedDocument
    from ragvoice.retrieval.retriever import HybridRetriever
    from ragvoice.settings import Settings
    from ragvoice.turns.conversations import Conversations
    from ragvoice.turns.log import TurnLog
    from ragvoice.turns.recorder import Recorder
    from ragvoice.voice.loop import VoiceLoop
    from ragvoice.voice.messages import LoopOptions

_log = logging.getLogger(__name__)

MAX_QUESTION_S = 300
"""Of a recorded question: others wait while it is recognised."""


@dataclass(frozen=True)
class Models:
    """What all people share."""

    bot: VoiceBot
    retriever: HybridRetriever
    """The one that `bot` searches with."""


class Desk:
    """One of a process, for all people and any thread."""

    def __init__(
        self,
        settings: Settings,
        load: Callable[[], Models],
        log: TurnLog,
        recorder: Recorder,
        queue: FairQueue | None = None,
    ):
        """:param load: Called at the first use, and again as long as it fails: the first document may come later.
        :param recorder: Writes into `log`, or nothing if the settings say so.
        """
        self.settings = settings
        self._load = load
        self._loaded: Models | None = None
        self._loading = threading.Lock()
        self._log = log
        self._recorder = recorder
        self._queue = queue or FairQueue()
        self._unlogged = Unlogged()
        self._loops: WeakSet[VoiceLoop] = WeakSet()

    def ask(
        self,
        person: Person,
        question: str | AudioChunk,
        *,
        conversation_id: str | None = None,
        style: Style = "spoken",
        speak: bool = True,
    ) -> Iterator[Event]:
        """Events in the order in which they happen: `Waiting` while others are served, then those of the bot.

        The turn is logged before its `Answer` is handed out. Closed half-way, it is cancelled at the bot's next event
        and logged with the sentences that were handed out, if the search was over.

        :param conversation_id: A stored one or a new identifier; None has no history.
        :raises AccessError: without the right to ask.
        :raises UsageError: for an empty or endless question, or somebody else's conversation.
        :raises BusyError: from the iterator, when too many wait; and what `VoiceBot.turn` raises.
        """
        person.require("ask")
        if isinstance(question, str):
            check_question(question)
        elif question.duration_s > MAX_QUESTION_S:
            raise UsageError(
                f"The recording lasts {question.duration_s / 60:.0f} minutes; a question lasts at most "
                f"{MAX_QUESTION_S // 60}. To make a long recording searchable, add it to the documents."
            )
        history = self._said_in(person, conversation_id) if conversation_id else ()
        followed = self._followed(person, history, conversation_id, style, live=False)
        turn = self._queued(person, question, history, style, speak)
        return followed.follow(in_background(turn, name="turn"))

    def loop(
        self,
        person: Person,
        conversation_id: str | None = None,
        options: LoopOptions | None = None,
        *,
        as_of_now: Callable[[Person], Person] = lambda person: person,
        shown: bool = False,
    ) -> VoiceLoop:
        """A conversation by voice, whose turns wait, are answered and are logged like those of `ask`.

        An answer that was interrupted is logged with what was heard of it. Close the loop when the person has gone.

        :param conversation_id: A stored one or a new identifier; None begins a new one.
        :param as_of_now: Their rights and groups, looked up before each turn; raises AccessError for who has none.
        :param shown: A page shows the turns: those that no log keeps wait for it, see `unlogged`.
        :raises AccessError, UsageError: as `ask`. :raises ModelError, VectorIndexError: see `models`.
        """
        from ragvoice.voice.loop import VoiceLoop

        talk = conversation_id or self.conversations(person).resolve("new")
        self._said_in(person, talk)
        bot = self.models.bot

        def begin(question: str | Transcription) -> tuple[FollowedTurn, Generator[Event]]:
            asker = as_of_now(person)
            history = self._said_in(asker, talk)
            followed = self._followed(asker, history, talk, "spoken", live=True, shown=shown)
            return followed, self._queued(asker, question, history, "spoken", speak=True)

        def prepare(partial: str, wanted: Callable[[], bool]) -> bool:
            # Otherwise it would take the processor and the model's memory from whoever is served.
            said = self._said_in(person, talk)
            return self._queue.length == 0 and bot.prepare(partial, said, person.groups, wanted=wanted)

        turns = SpokenTurns(
            begin,
            lambda turn_id, heard: self._shorten(person, turn_id, heard),
            lambda turn_id: self._withdraw(person, turn_id),
        )
        loop = VoiceLoop(turns.ask, bot.recogniser, options, prepare=prepare, on_interrupted=turns.interrupted)
        self._loops.add(loop)
        return loop

    def read_while_idle(self, stopped: threading.Event | None = None) -> None:
        """Load the models and let the language model read the documents while nobody asks or speaks, until stopped: for
        a thread of its own.

        :raises ModelError, VectorIndexError: see `models`.
        """
        bot = self.models.bot
        reading = IdleReading(lambda: self._index, lambda: bot.answering, self._nobody_asks)
        reading.run(stopped or threading.Event())

    def _nobody_asks(self) -> bool:
        return self._queue.length == 0 and not any(loop.at_work for loop in list(self._loops))

    def _shorten(self, person: Person, turn_id: str, heard: str) -> None:
        self._unlogged.shorten(turn_id, heard)
        self._log.shorten(turn_id, heard, person=person.name)

    def _withdraw(self, person: Person, turn_id: str) -> None:
        self._unlogged.withdraw(turn_id)
        self._log.withdraw(turn_id, person=person.name)

    def _followed(
        self,
        person: Person,
        history: Sequence[Message],
        conversation_id: str | None,
        style: Style,
        *,
        live: bool,
        shown: bool = False,
    ) -> FollowedTurn:
        def record(answer: Answer) -> None:
            logged = self._recorder.record(
                answer,
                person=person.name,
                groups=person.groups,
                style=style,
                history=history,
                conversation_id=conversation_id,
            )
            if shown and not logged and conversation_id:
                self._unlogged.add(person.name, conversation_id, answer)

        return FollowedTurn(record, closed_is_heard=not live)

    def _queued(
        self,
        person: Person,
        question: str | AudioChunk | Transcription,
        history: Sequence[Message],
        style: Style,
        speak: bool,
    ) -> Generator[Event]:
        with self._queue.enter(person.name) as place:
            yield from place.waiting()
            yield from self.models.bot.turn(question, history, person.groups, style, speak=speak)

    def _said_in(self, person: Person, conversation_id: str) -> tuple[Message, ...]:
        """Nothing where the log cannot be read, which costs no answer. :raises UsageError: for somebody else's."""
        try:
            return self.conversations(person).said_in(conversation_id)
        except TurnLogError as error:
            _log.warning("A turn begins without its history: %s", error)
            return ()

    def conversations(self, person: Person) -> Conversations:
        """This person's."""
        from ragvoice.turns.conversations import Conversations

        person.require("ask")
        return Conversations(self._log, person.name)

    def unlogged(self, person: Person, conversation_id: str) -> list[Answer]:
        """What the live voice of a page has answered in the last minutes, as far as it was heard, and no log keeps,
        because of the settings or a full disk."""
        person.require("ask")
        return self._unlogged.of(person.name, conversation_id)

    def rate(self, person: Person, turn_id: str, rating: int | None, reason: str = "") -> None:
        """:param rating: 1 or -1; None takes it back.

        :raises UsageError: when this person has no such turn, or for another rating.
        """
        person.require("ask")
        if rating not in (1, -1, None):
            raise UsageError(f"A rating is 1 or -1, not {rating!r}.")
        self._log.rate(turn_id, rating, reason, person=person.name)

    def search(self, person: Person, query: str, k: int = 10) -> list[Passage]:
        """:raises UsageError: for an empty or endless query."""
        person.require("ask")
        check_question(query)
        return self.models.retriever.search(query, k, person.groups)

    def documents(self, person: Person) -> list[IndexedDocument]:
        """All of them, without their texts, for who looks after them. :raises AccessError: for anybody else."""
        person.require("documents")
        return self._index.documents()

    def document(self, person: Person, doc_id: str) -> IndexedDocument:
        """With its text, if this person's groups may read it, or if they look after the documents.

        :raises UsageError: when there is none that they may see.
        """
        person.require("ask")
        return self._index.document(doc_id, None if person.may("documents") else person.groups)

    def chunks(self, person: Person, doc_id: str) -> list[ChunkSpan]:
        """How a document is cut. :raises UsageError: as `document`."""
        return self._index.chunk_spans(self.document(person, doc_id).doc_id)

    def accounts(self, person: Person) -> Accounts:
        """The password file, for who looks after people. :raises AccessError: for anybody else."""
        from ragvoice.people.accounts import Accounts

        person.require("people")
        return Accounts(self.settings.people_path)

    def forget_turns(self, person: Person, name: str) -> int:
        """Delete all that somebody has asked. :raises AccessError: for others than who looks after people."""
        from ragvoice.turns.log import Selection

        person.require("people")
        self._unlogged.forget(name)
        return self._log.forget(Selection(person=name))

    @property
    def models(self) -> Models:
        """Loaded once; ask for them early to have them warm. :raises ModelError, VectorIndexError: see `build_desk`."""
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    @property
    def _index(self) -> DocumentIndex:
        return self.models.retriever.index.current()


def build_desk(settings: Settings) -> Desk:
    """Without any model yet: `Desk.models` loads them, and raises ModelError or VectorIndexError when one of them, or
    the index, is not there."""
    from ragvoice.build_turns import build_recorder, build_turn_log

    return Desk(settings, lambda: load_models(settings), build_turn_log(settings), build_recorder(settings))


def load_models(settings: Settings) -> Models:
    from ragvoice.build import build_retriever, build_voicebot, open_live_index

    retriever = build_retriever(settings, open_live_index(settings))
    bot = build_voicebot(settings, listens=True, speaks=True, retriever=retriever, follows=True)
    return Models(bot, retriever)
