"""`ragvoice talk`: a conversation in the terminal, with a microphone or with recordings."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from ragvoice.commands.options import Groups, Index, Person, group_names

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.settings import Settings
    from ragvoice.voice.devices import Player
    from ragvoice.voice.events import VoiceEvent
    from ragvoice.voice.loop import VoiceLoop

ECHO = ("cancelled", "half_duplex", "correlated")


def talk(
    inputs: Annotated[
        list[Path] | None,
        typer.Option("--input", help="A recorded question in place of the microphone; may be repeated."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write what is said to this WAV file, not to a loudspeaker.")
    ] = None,
    fast: Annotated[bool, typer.Option("--fast", help="Recordings need not take as long as they last.")] = False,
    pause: Annotated[
        float, typer.Option(min=0.2, max=5, help="Silence that ends a question.", metavar="SECONDS")
    ] = 0.6,
    echo: Annotated[
        str,
        typer.Option(
            help="The microphone hears the loudspeaker? correlated: its sound does not count; half_duplex: nobody is "
            "heard while the voice speaks; cancelled: it does not, with headphones for instance.",
        ),
    ] = "correlated",
    index: Index = None,
    groups: Groups = None,
    person: Person = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Keep no record of these turns. docs/turns.md")] = False,
) -> None:
    """Talk with the documents. Speak over the voice, press Enter or Ctrl-C to interrupt it; Ctrl-C again ends."""
    from ragvoice.errors import UsageError
    from ragvoice.people.person import Person as Asker
    from ragvoice.settings import read_settings
    from ragvoice.voice.devices import Player
    from ragvoice.voice.messages import LoopOptions

    if echo not in ECHO:
        raise UsageError(f"--echo is one of {', '.join(ECHO)}, not {echo!r}.")
    if bool(inputs) != bool(output):
        raise UsageError("--input and --output go together: files in place of microphone and loudspeaker.")
    settings = read_settings(index=index, person=person)
    asker = Asker(settings.person, groups=group_names(groups, settings.groups))
    options = LoopOptions(pause_s=pause, patient_pause_s=max(1.5, 2 * pause), echo="cancelled" if inputs else echo)  # type: ignore[arg-type]
    with _desk(settings, keeps_turns=not no_log) as desk:
        player = Player(desk.models.bot.voice.sample_rate_hz)
        loop = desk.loop(asker, options=options)
        try:
            if inputs and output:
                _with_files(loop, player, inputs, output, fast=fast)
            else:
                threading.Thread(target=desk.read_while_idle, name="read-documents", daemon=True).start()
                _with_devices(loop, player)
        finally:
            loop.close()


@contextmanager
def _desk(settings: Settings, *, keeps_turns: bool) -> Iterator[Desk]:
    """Follow-ups need the turns before; where none is kept, they are gone at the end."""
    from ragvoice.desk import build_desk

    if keeps_turns and settings.turn_log:
        yield build_desk(settings)
        return
    with TemporaryDirectory() as folder:
        yield build_desk(settings.model_copy(update={"turn_log": True, "turns": Path(folder) / "turns.sqlite"}))


def _with_files(loop: VoiceLoop, player: Player, inputs: list[Path], output: Path, *, fast: bool) -> None:
    """Events are shown here while another thread gives the sound."""
    from ragvoice.datatypes import AudioChunk
    from ragvoice.errors import RagVoiceError
    from ragvoice.speech.audio import write_wav
    from ragvoice.voice.devices import play_files

    answered = threading.Event()
    played: list[AudioChunk] = []
    failures: list[RagVoiceError] = []

    def give() -> None:
        try:
            played.append(play_files(loop, inputs, player, answered, fast=fast))
        except RagVoiceError as error:
            failures.append(error)
        finally:
            loop.close()

    feeder = threading.Thread(target=give, name="recordings", daemon=True)
    feeder.start()
    screen = _Screen(player)
    for event in loop.events():
        if screen.show(event):
            if fast:
                loop.played(float("inf"))
            answered.set()
    feeder.join()
    if failures:
        raise failures[0]
    write_wav(output, played[0])
    typer.echo(f"audio: {output}")


def _with_devices(loop: VoiceLoop, player: Player) -> None:
    from ragvoice.voice.devices import microphone_and_loudspeaker

    threading.Thread(target=_follow_keys, args=(loop,), name="keys", daemon=True).start()
    threading.Thread(target=_follow_player, args=(loop, player), name="position", daemon=True).start()
    screen = _Screen(player)
    with microphone_and_loudspeaker(loop.hear, player):
        typer.echo("Listening. Ask your question.")
        while True:
            try:
                for event in loop.events():
                    screen.show(event)
                return
            except KeyboardInterrupt:
                if not player.waiting_s:
                    raise
                loop.interrupt(player.position_s)


def _follow_keys(loop: VoiceLoop) -> None:
    """Enter interrupts; a line is a question."""
    for line in sys.stdin:
        if line.strip():
            loop.say(line.strip())
        else:
            loop.interrupt()


def _follow_player(loop: VoiceLoop, player: Player) -> None:
    """The loop learns where the loudspeaker is."""
    while not loop.closed.wait(0.1):
        if player.waiting_s:
            loop.played(player.position_s)


class _Screen:
    """Shows events, and hands sound to the player."""

    def __init__(self, player: Player):
        self._player = player
        self._begun = False
        self._wide = 0

    def show(self, event: VoiceEvent) -> bool:
        """:returns: Whether the turn is over."""
        from ragvoice.commands.ask import print_sources
        from ragvoice.datatypes import Answer
        from ragvoice.fair_queue import Waiting
        from ragvoice.voice.events import AnswerPaused, AnswerResumed, Failed, Interrupted, NothingHeard, Partial
        from ragvoice.voicebot import Heard, Said, SaidOn

        match event:
            case Partial():
                self._line(f"... {event.text}")
            case Heard():
                self._line("")
                typer.echo(f"You: {event.transcription.text or '(no speech)'}")
            case Waiting():
                typer.echo(f"{event.ahead} before you.")
            case Said():
                if not self._begun:
                    self._player.begin()
                    self._begun = True
                if event.audio is not None:
                    self._player.add(event.audio)
                if event.text:
                    typer.echo(event.text + " ", nl=False)
            case AnswerPaused():
                self._player.pause()
            case AnswerResumed():
                self._player.resume()
            case SaidOn():
                self._player.add(event.audio)
            case Interrupted():
                self._player.clear()
                self._begun = False
                typer.echo("" if event.continues else " [interrupted]")
                return not event.continues
            case Answer():
                self._begun = False
                print_sources(event)
                return True
            case Failed():
                self._begun = False
                self._line("")
                typer.echo(f"ragvoice: {event.error}", err=True)
                return True
            case NothingHeard():
                self._line("")
                typer.echo("(I did not hear a question.)")
                return True
        return False

    def _line(self, text: str) -> None:
        """In place of the last one like it, where the terminal can."""
        if sys.stdout.isatty():
            text = text[-100:]
            typer.echo("\r" + text.ljust(self._wide) + ("" if text else "\r"), nl=False)
            self._wide = len(text)
