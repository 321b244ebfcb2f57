"""`ragvoice ask` and `ragvoice search`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragvoice.commands.options import (
    AsJson,
    Groups,
    Index,
    Input,
    Person,
    Since,
    Sources,
    Tags,
    Until,
    group_names,
    scope_of,
    style_name,
)

if TYPE_CHECKING:
    from ragvoice.contract import BadRequest, Request
    from ragvoice.datatypes import Answer, AudioChunk, Message, Style
    from ragvoice.settings import Settings
    from ragvoice.voicebot import VoiceBot


def search(
    query: Annotated[str | None, typer.Argument(help="What to look for.")] = None,
    index: Index = None,
    k: Annotated[int, typer.Option("-k", min=1, help="How many chunks.")] = 10,
    groups: Groups = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    tag: Tags = None,
    input_file: Input = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages that a question finds, best first."""
    from ragvoice.build import build_retriever, build_speech_to_text, open_live_index
    from ragvoice.contract import printable, search_json
    from ragvoice.errors import UsageError
    from ragvoice.generation.followup import search_follow_up
    from ragvoice.settings import read_settings
    from ragvoice.voicebot import check_question

    if (query is None) == (input_file is None):
        raise UsageError('Give either a query or --input FILE, for example: ragvoice search "parental leave"')
    settings = read_settings(index=index)
    who = group_names(groups, settings.groups)
    requests = _requests(input_file)
    if query is not None:
        check_question(query)
    retriever = build_retriever(settings, open_live_index(settings), scope_of(source, since, until, tag))
    stt = build_speech_to_text(settings) if _any_audio(requests) else None

    def look_up(text: str, history: Sequence[Message], id_: str | None) -> dict[str, Any]:
        check_question(text)
        _, found = search_follow_up(text, history, lambda query: retriever.search(query, k, who))
        return search_json(text, found, id_)

    def look_up_line(request: Request) -> dict[str, Any]:
        heard = stt.transcribe(_decoded(request.audio)).text if stt and request.audio else request.question
        return look_up(heard or "", request.history, request.id)

    if input_file:
        _run_lines(requests, look_up_line)
        return
    found = look_up(printable(query or ""), (), None)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for number, hit in enumerate(found["hits"], start=1):
        typer.echo(f"{number:>2}. {hit['score']:.3f}  {_where(hit['source'], hit['place'], hit['section'])}")
        typer.echo("    " + " ".join(hit["text"].split())[:160])
    if not found["hits"]:
        typer.echo("Nothing found.")


def ask(
    question: Annotated[str | None, typer.Argument(help="The question, typed.")] = None,
    audio: Annotated[Path | None, typer.Option(help="The question, recorded.")] = None,
    index: Index = None,
    groups: Groups = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    tag: Tags = None,
    style: Annotated[str, typer.Option(help="spoken: a sentence to hear; short: the bare fact.")] = "spoken",
    speak: Annotated[Path | None, typer.Option(help="Write the spoken answer to this WAV file.")] = None,
    conversation: Annotated[
        str | None,
        typer.Option(help="Go on with a stored conversation, or begin a new one.", metavar="ID|last|new"),
    ] = None,
    person: Person = None,
    no_log: Annotated[bool, typer.Option("--no-log", help="Keep no record of this turn. docs/turns.md")] = False,
    input_file: Input = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents, with citations, or say that it is not in them."""
    from ragvoice.build import build_retriever, build_voicebot, open_live_index
    from ragvoice.build_turns import build_recorder
    from ragvoice.contract import answer_json, printable
    from ragvoice.errors import UsageError
    from ragvoice.settings import read_settings
    from ragvoice.voicebot import check_question

    if [question, audio, input_file].count(None) != 2:
        raise UsageError('Give one of: a question, --audio FILE, --input FILE. Example: ragvoice ask "Who leads HR?"')
    if input_file and speak:
        raise UsageError("--speak goes with one question, not with --input.")
    if input_file and conversation:
        raise UsageError('--conversation goes with one question; a line of --input has its own "history".')
    wanted = style_name(style)
    settings = read_settings(index=index, person=person)
    who = group_names(groups, settings.groups)
    recorder = build_recorder(settings, keep=not no_log)
    conversation_id, history = _conversation(settings, conversation, keeps=recorder.keeps)
    requests = _requests(input_file)
    listens = audio is not None or _any_audio(requests)
    heard = _decoded(audio) if audio else None
    if question is not None:
        question = printable(question)
        check_question(question)
    retriever = build_retriever(settings, open_live_index(settings), scope_of(source, since, until, tag))
    bot = build_voicebot(settings, listens=listens, speaks=speak is not None, retriever=retriever)

    def answer(request: Request) -> dict[str, Any]:
        asked = _decoded(request.audio) if request.audio else request.question or ""
        done = bot.ask(asked, request.history, who, wanted)
        recorder.record(done, person=settings.person, groups=who, style=wanted, history=request.history)
        return answer_json(done, request.id)

    if input_file:
        _run_lines(requests, answer)
        return
    result, path = _one_turn(bot, heard or question or "", history, who, wanted, speak, quiet=as_json)
    logged = recorder.record(
        result,
        person=settings.person,
        groups=who,
        style=wanted,
        history=history,
        conversation_id=conversation_id,
    )
    if as_json:
        typer.echo(json.dumps(answer_json(result, None)))
    else:
        print_sources(result)
        if path:
            typer.echo(f"audio: {path}")
        if logged:
            typer.echo(f"turn: {result.turn_id[:12]}")
    if logged and conversation_id:
        typer.echo(f"conversation: {conversation_id[:12]}", err=as_json)


def _conversation(settings: Settings, name: str | None, *, keeps: bool) -> tuple[str | None, tuple[Message, ...]]:
    """Identifier and what was said before; neither without a conversation."""
    from ragvoice.build_turns import build_turn_log
    from ragvoice.errors import UsageError
    from ragvoice.turns.conversations import Conversations

    if name is None:
        return None, ()
    if name == "new" and not keeps:
        raise UsageError("A conversation is made of logged turns: leave out --no-log, or set turn_log = true.")
    stored = Conversations(build_turn_log(settings), settings.person)
    conversation_id = stored.resolve(name)
    return conversation_id, () if name == "new" else stored.history(conversation_id)


def _one_turn(
    bot: VoiceBot,
    asked: str | AudioChunk,
    history: Sequence[Message],
    who: Iterable[str],
    style: Style,
    speak: Path | None,
    *,
    quiet: bool,
) -> tuple[Answer, Path | None]:
    """Show the turn as it happens; write the sound when it is complete."""
    import numpy as np

    from ragvoice.datatypes import Answer, AudioChunk
    from ragvoice.errors import RagVoiceError
    from ragvoice.speech.audio import write_wav
    from ragvoice.voicebot import Heard, Said, SaidOn

    spoken: list[AudioChunk] = []
    for event in bot.turn(asked, history, who, style, speak=speak is not None):
        if isinstance(event, Heard) and not quiet:
            typer.echo(f"Heard: {event.transcription.text or '(no speech)'}\n")
        elif isinstance(event, Said):
            if event.text and not quiet:
                typer.echo(event.text + " ", nl=False)
            if event.audio is not None:
                spoken.append(event.audio)
        elif isinstance(event, SaidOn):
            spoken.append(event.audio)
        elif isinstance(event, Answer):
            if speak:
                samples = np.concatenate([chunk.samples_t for chunk in spoken])
                write_wav(speak, AudioChunk(samples, spoken[0].sample_rate_hz))
            return event, speak
    raise RagVoiceError("The turn ended without an answer.")


def _requests(file: Path | None) -> list[Request | BadRequest]:
    """All at once: what comes through a pipe can be read only once."""
    from ragvoice.contract import read_requests

    return list(read_requests(file)) if file else []


def _run_lines(requests: Iterable[Request | BadRequest], handle: Callable[[Request], dict[str, Any]]) -> None:
    """One JSON result a line, in order, each as soon as it is ready; exit code 1 when a line failed."""
    from ragvoice.contract import BadRequest, error_json
    from ragvoice.errors import RagVoiceError

    failed = False
    for request in requests:
        try:
            if isinstance(request, BadRequest):
                raise request.error
            result = handle(request)
        except RagVoiceError as error:
            failed = True
            result = error_json(request.id, error)
        typer.echo(json.dumps(result))
    if failed:
        raise typer.Exit(1)


def _any_audio(requests: Iterable[Request | BadRequest]) -> bool:
    from ragvoice.contract import Request

    return any(isinstance(request, Request) and request.audio for request in requests)


def _decoded(file: Path) -> AudioChunk:
    from ragvoice.speech.audio import decode

    return decode(file)


def print_sources(answer: Answer) -> None:
    """Citations, outcome and timings."""
    from ragvoice.contract import place_json

    typer.echo("\n")
    for number, citation in enumerate(answer.citations, start=1):
        typer.echo(f"[{number}] {_where(citation.source, place_json(citation.place), citation.section)}")
        typer.echo(f'    "{" ".join(citation.quote.split())}"')
    typer.echo(
        f"{answer.outcome}, confidence {answer.confidence:.2f}; "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in _stages(answer))
    )


def _stages(answer: Answer) -> Iterator[tuple[str, float]]:
    from dataclasses import asdict

    return (
        (name.replace("_", " "), seconds) for name, seconds in asdict(answer.timings).items() if seconds is not None
    )


def _where(source: str, place: dict[str, Any] | None, section: str) -> str:
    from ragvoice.contract import place_words

    return ", ".join(part for part in (source, place_words(place), section) if part)
