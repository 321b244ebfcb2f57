"""`ragvoice replay`: a logged question, asked again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from difflib import ndiff
from typing import TYPE_CHECKING, Any

import typer

from ragvoice.commands.options import AsJson, Index
from ragvoice.commands.turns import TurnId
from ragvoice.errors import UsageError

if TYPE_CHECKING:
    from ragvoice.datatypes import Answer, Message, Transcription
    from ragvoice.retrieval.index import DocumentIndex, IndexedDocument
    from ragvoice.turns.records import Turn
    from ragvoice.turns.replay import Replay
    from ragvoice.voicebot import VoiceBot


def replay(turn_id: TurnId, index: Index = None, as_json: AsJson = False) -> None:
    """Ask a logged question again, with its history, groups, style, settings and language model: the same answer, or
    what has changed since.

    Exit code 0: the same outcome, words and cited quotes; 1: not the same. A spoken turn is replayed from its
    transcript. Nothing is logged.
    """
    from ragvoice.build import build_retriever, build_voicebot, open_index
    from ragvoice.build_turns import answer_settings, build_circumstances, build_turn_log, index_id, settings_of_turn
    from ragvoice.settings import read_settings
    from ragvoice.turns.replay import replay as ask_again

    today = read_settings(index=index)
    turn = build_turn_log(today).get(turn_id)
    if turn.outcome == "no_speech":
        raise UsageError(f"In turn {turn.turn_id[:12]} nobody spoke; there is nothing to ask again.")
    settings = settings_of_turn(today, turn)
    opened = open_index(settings)
    bot = build_voicebot(settings, listens=False, speaks=False, retriever=build_retriever(settings, opened))
    result = ask_again(
        turn,
        lambda question, history: _answer(bot, turn, question, history),
        build_circumstances(settings),
        answer_settings(today),
        lambda generation: index_id(settings, generation),
        lambda doc_id: _document(opened, doc_id),
    )
    if as_json:
        typer.echo(json.dumps(_as_json(result)))
    else:
        typer.echo("\n".join(_lines(result)))
    if not result.same:
        raise typer.Exit(1)


def _answer(bot: VoiceBot, turn: Turn, question: str | Transcription, history: Sequence[Message]) -> Answer:
    from ragvoice.datatypes import Answer

    *_, answer = bot.turn(question, history, turn.groups, turn.style)
    assert isinstance(answer, Answer)
    return answer


def _document(index: DocumentIndex, doc_id: str) -> IndexedDocument | None:
    try:
        return index.document(doc_id)
    except UsageError:
        return None


def _as_json(result: Replay) -> dict[str, Any]:
    from ragvoice.contract import answer_json
    from ragvoice.turns.replay import UNEXPLAINED

    return {
        "turn_id": result.turn.turn_id,
        "same": result.same,
        "before": {"outcome": result.turn.outcome, "answer": result.turn.answer},
        "now": answer_json(result.answer, None),
        "changed": [asdict(change) for change in result.changes],
        "passages": [asdict(passage) for passage in result.passages],
        "settings_of_today": [asdict(change) for change in result.settings],
        "note": UNEXPLAINED if result.unexplained else None,
    }


def _lines(result: Replay) -> list[str]:
    from ragvoice.turns.replay import UNEXPLAINED

    turn, answer = result.turn, result.answer
    lines = [f"turn {turn.turn_id[:12]} of {turn.asked_at[:16]}: {turn.question}"]
    if result.same:
        lines += ["Same answer:", f"  {turn.outcome}: {turn.answer}"]
    else:
        before, now = f"{turn.outcome}: {turn.answer}", f"{answer.outcome}: {answer.answer}"
        lines.append("Not the same:" if before != now else "The same words, but not the same quotes:")
        lines += ["  " + line.rstrip("\n") for line in ndiff([before], [now])]
    if result.changes:
        lines.append("Changed since:")
        lines += [f"  {change.what}: {change.before or 'none'} -> {change.now or 'none'}" for change in result.changes]
    lines += [
        f"  {passage.doc_id}, {passage.section or 'top'}: {_STATES[passage.state]}"
        for passage in result.passages
        if passage.state != "unchanged"
    ]
    if result.settings:
        lines.append("Set otherwise today, but replayed as they were:")
        lines += [f"  {change.what}: {change.before}, today {change.now}" for change in result.settings]
    if result.unexplained:
        lines.append(UNEXPLAINED)
    return lines


_STATES = {
    "changed": "the passage has changed",
    "gone": "the document is no longer in the index",
    "closed": "the groups of the turn may no longer read it",
}
