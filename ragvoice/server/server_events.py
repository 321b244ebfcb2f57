"""What the voice loop reports -> events of OpenAI's Realtime API (its names since general availability).

Beside those, own events for what the API has no name for, each beginning with `ragvoice.`:

    ragvoice.waiting        ahead: how many turns are answered before this one
    ragvoice.partial        text: all words heard so far, the last of them may still change
    ragvoice.sources        standalone_question, passages: what the answer will be based on
    ragvoice.draft          response_id, text, refused: the sentence being written, not checked yet: to be shown paler
                            until the next transcript delta or the end of the answer; a refused one is left out
    ragvoice.sentence       text, citation, audio_start_ms, audio_end_ms: a sentence and where it stands in the sound
    ragvoice.answer         the answer as `ragvoice ask --json` prints it: outcome, confidence, citations, turn_id ...
    ragvoice.paused         response_id: somebody may be speaking, so be silent until one of the next two
    ragvoice.resumed        response_id: it was no speech, play on
    ragvoice.interrupted    heard_text, heard_ms: what of the answer the person heard
    ragvoice.nothing_heard  sound that held no words
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

from ragvoice.contract import answer_json, search_json
from ragvoice.datatypes import Answer, Draft
from ragvoice.errors import AccessError, BusyError, RagVoiceError, UsageError
from ragvoice.fair_queue import Waiting
from ragvoice.server.response_events import Json, ResponseEvents, Status, message_item, new_id, server_event
from ragvoice.server.session import Session
from ragvoice.voice.events import (
    AnswerPaused,
    AnswerResumed,
    Failed,
    Interrupted,
    NothingHeard,
    NothingToAnswer,
    Partial,
    SpeechEnded,
    SpeechStarted,
    VoiceEvent,
)
from ragvoice.voicebot import Found, Heard, Said, SaidOn

_ERROR_TYPES: tuple[tuple[type[RagVoiceError], str], ...] = (
    (UsageError, "invalid_request_error"),
    (AccessError, "authentication_error"),
    (BusyError, "rate_limit_error"),
)


NOTHING_TO_ANSWER = "There is nothing to answer: speak, or send conversation.item.create with an input_text first."


def error_event(error: RagVoiceError, event_id: str | None = None) -> Json:
    """:param event_id: Of the client's message that caused it."""
    content = {
        "type": _error_type(error),
        "code": error.code,
        "message": str(error),
        "param": None,
        "event_id": event_id,
    }
    return server_event("error", error=content)


def _error_type(error: RagVoiceError) -> str:
    return next((name for cls, name in _ERROR_TYPES if isinstance(error, cls)), "server_error")


class ServerEvents:
    """Holds the identifiers that events refer to. Called from the loop's thread and from the connection."""

    def __init__(self, session: Session, conversation_id: str):
        self.session = session
        self.cancelled_by_client = False
        """Whether the interruption that comes is the client's wish rather than new speech."""
        self._conversation_id = conversation_id
        self._lock = threading.Lock()
        self._last_item: str | None = None
        self._speech_item: str | None = None
        self._committed = False
        self._partial = ""
        self._response: ResponseEvents | None = None

        self.last_response_id: str | None = None
        self.last_answer_item: str | None = None

    def typed(self, text: str) -> list[Json]:
        """A message of the user that was written."""
        with self._lock:
            return list(self._added(new_id("item"), {"type": "input_text", "text": text}))

    def committed(self) -> list[Json]:
        """The sound so far is a turn; its words come later."""
        with self._lock:
            return list(self._commit())

    def cleared(self) -> list[Json]:
        """A committed turn is no longer in the buffer; one that the client ends itself is, until it is answered."""
        if self.session.by_hand or not self._committed:
            self.forget_speech()
        return [server_event("input_audio_buffer.cleared")]

    def forget_speech(self) -> None:
        """What was being said becomes no item."""
        with self._lock:
            self._forget_speech()

    def translate(self, event: VoiceEvent) -> list[Json]:
        with self._lock:
            return list(self._translated(event))

    def _translated(self, event: VoiceEvent) -> Iterator[Json]:
        match event:
            case SpeechStarted(at_s):
                yield server_event(
                    "input_audio_buffer.speech_started", audio_start_ms=round(1000 * at_s), item_id=self._speech()
                )
            case Partial(text):
                yield from self._partially(text)
            case SpeechEnded(at_s):
                yield server_event(
                    "input_audio_buffer.speech_stopped", audio_end_ms=round(1000 * at_s), item_id=self._speech()
                )
                yield from self._commit()
            case Heard(transcription):
                yield self._transcribed(transcription.text, transcription.duration_s)
            case NothingHeard():
                if self._speech_item:
                    yield self._transcribed("", 0.0)
                yield server_event("ragvoice.nothing_heard")
            case NothingToAnswer():
                yield error_event(UsageError(NOTHING_TO_ANSWER))
            case Waiting(ahead):
                yield server_event("ragvoice.waiting", ahead=ahead)
            case Found(standalone_question=standalone, passages=passages):
                yield from self._begun()
                hits = search_json(standalone, passages, None)["hits"]
                yield server_event("ragvoice.sources", standalone_question=standalone, passages=hits)
            case Draft(text, refused):
                yield from self._begun()
                yield server_event("ragvoice.draft", response_id=self.last_response_id, text=text, refused=refused)
            case Said():
                yield from self._begun()
                if self._response:
                    yield from self._response.said(event)
            case SaidOn(audio, last=last):
                if self._response:
                    yield from self._response.sound(audio, last=last)
            case Answer():
                yield from self._begun()
                answer = answer_json(event, None)
                yield server_event("ragvoice.answer", conversation_id=self._conversation_id, **answer)
                yield from self._finished("completed", {"turn_id": event.turn_id})
            case AnswerPaused():
                yield server_event("ragvoice.paused", response_id=self.last_response_id)
            case AnswerResumed():
                yield server_event("ragvoice.resumed", response_id=self.last_response_id)
            case Interrupted(heard_text, heard_s):
                heard_ms = round(1000 * heard_s)
                yield server_event("ragvoice.interrupted", heard_text=heard_text, heard_ms=heard_ms)
                reason = "client_cancelled" if self.cancelled_by_client else "turn_detected"
                self.cancelled_by_client = False
                yield from self._finished("cancelled", {}, {"type": "cancelled", "reason": reason})
            case Failed(error):
                yield error_event(error)
                cause = {"type": _error_type(error), "code": error.code}
                yield from self._finished("failed", {}, {"type": "failed", "error": cause})

    def _speech(self) -> str:
        """The item that the person's speech becomes."""
        self._speech_item = self._speech_item or new_id("item")
        return self._speech_item

    def _forget_speech(self) -> None:
        self._speech_item, self._committed, self._partial = None, False, ""

    def _partially(self, text: str) -> Iterator[Json]:
        """The API's deltas are only ever added to; words that changed wait for the completed transcript."""
        yield server_event("ragvoice.partial", item_id=self._speech(), text=text)
        if len(text) > len(self._partial) and text.startswith(self._partial):
            delta, self._partial = text[len(self._partial) :], text
            yield server_event(
                "conversation.item.input_audio_transcription.delta",
                item_id=self._speech(),
                content_index=0,
                delta=delta,
            )

    def _commit(self) -> Iterator[Json]:
        if self._committed:  # by hand, and now the loop says so too
            return
        self._committed = True
        yield server_event("input_audio_buffer.committed", item_id=self._speech(), previous_item_id=self._last_item)
        yield from self._added(self._speech(), {"type": "input_audio", "transcript": None})

    def _transcribed(self, text: str, duration_s: float) -> Json:
        item_id = self._speech()
        self._forget_speech()
        return server_event(
            "conversation.item.input_audio_transcription.completed",
            item_id=item_id,
            content_index=0,
            transcript=text,
            usage={"type": "duration", "seconds": round(duration_s, 3)},
        )

    def _added(self, item_id: str, content: Json) -> Iterator[Json]:
        item = message_item(item_id, "user", "completed", [content])
        before, self._last_item = self._last_item, item_id
        yield server_event("conversation.item.added", previous_item_id=before, item=item)
        yield server_event("conversation.item.done", previous_item_id=before, item=item)

    def _begun(self) -> Iterator[Json]:
        if self._response is None:
            self._response = ResponseEvents(self.session, self._conversation_id, self._last_item)
            self._last_item = self.last_answer_item = self._response.item_id
            self.last_response_id = self._response.id
            self.cancelled_by_client = False
            yield from self._response.begun()

    def _finished(self, status: Status, metadata: dict[str, str], details: Json | None = None) -> Iterator[Json]:
        response, self._response = self._response, None
        if response:
            yield from response.finished(status, metadata, details)
