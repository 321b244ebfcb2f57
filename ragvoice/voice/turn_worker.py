"""Runs the answers of one conversation, one after another, and stops them when nobody wants them any more."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import set_config_context

from ragvoice.errors import RagVoiceError
from ragvoice.voice.events import TurnEvent
from ragvoice.voice.messages import Question, TurnEnded, TurnHeldUp, TurnYielded
from ragvoice.voicebot import Said, SaidOn

Ask = Callable[[Question], Iterator[TurnEvent]]

_log = logging.getLogger(__name__)


class Stopped(GeneratorExit):
    """Raised inside a model's stream: as if the generator that reads it had been closed at this token."""


class _Turn(BaseCallbackHandler):
    """A turn, and the LangChain handler that ends its generation at the next token once it is cancelled."""

    raise_error = True
    run_inline = True

    def __init__(self, number: int, question: Question):
        self.number = number
        self.question = question
        self.cancelled = False
        self.go = threading.Event()

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **kwargs: Any) -> None:
        if self.cancelled:
            raise Stopped


class TurnWorker:
    """One thread.

    The generator that `ask` returns is read to the end of its first sentence's sound and no further before `let_go`.
    A cancelled one is closed; where the model is writing at that moment, `GeneratorExit` comes out of it at its next
    token.

    :param report: called from that thread with what each turn yields and with its end, unless it was cancelled before
        it began.
    :param patience_s: after which it is reported that nobody has let the turn go on.
    """

    def __init__(self, ask: Ask, report: Callable[[TurnYielded | TurnHeldUp | TurnEnded], None], *, patience_s: float):
        self._ask = ask
        self._report = report
        self._patience_s = patience_s
        self._turns: dict[int, _Turn] = {}
        self._waiting: queue.SimpleQueue[_Turn | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="voice-turns", daemon=True)
        self._thread.start()

    def start(self, number: int, question: Question) -> None:
        turn = self._turns[number] = _Turn(number, question)
        self._waiting.put(turn)

    def let_go(self, number: int) -> None:
        if turn := self._turns.get(number):
            turn.go.set()

    def cancel(self, number: int) -> None:
        if turn := self._turns.get(number):
            turn.cancelled = True
            turn.go.set()

    def close(self) -> None:
        """Cancel everything, and wait for the thread as long as a model may need for a token or a sentence's sound."""
        for number in list(self._turns):
            self.cancel(number)
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while (turn := self._waiting.get()) is not None:
            if not turn.cancelled:
                with set_config_context({"callbacks": [turn]}) as context:
                    error = context.run(self._answer, turn)
                self._report(TurnEnded(turn.number, error))
            del self._turns[turn.number]

    def _answer(self, turn: _Turn) -> RagVoiceError | None:
        try:
            events = self._ask(turn.question)
            try:
                for event in events:
                    if turn.cancelled:
                        break
                    self._report(TurnYielded(turn.number, event))
                    said = isinstance(event, Said | SaidOn) and event.last
                    if said and not turn.go.wait(self._patience_s):
                        self._report(TurnHeldUp(turn.number))
                        turn.go.wait()
                    if turn.cancelled:
                        break
            finally:
                if isinstance(events, Generator):
                    events.close()
        except Stopped:
            return None
        except RagVoiceError as error:
            return error
        except Exception as error:
            _log.exception("A turn failed")
            return RagVoiceError(f"The turn failed: {error}")
        return None
