"""Candidates out of the turn log: what people asked, and called answered well.

Neither who asked nor when is copied. Turns that were forgotten are not in the log; data that was made before still
holds their words, so make it again after `ragvoice turns forget`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from finetune.data.candidates import Candidate
from ragvoice.evaluation.answer_metrics import normalise
from ragvoice.turns.records import Turn


def from_log(turns: Iterable[Turn]) -> tuple[list[Candidate], Counter[str]]:
    """Turns rated good, and why the others are left out. Of a question that was asked again the first one counts.

    A turn rated bad is left out: the log keeps a reason, no corrected answer. `ragvoice turns export` writes such
    turns as lines of a question set, and becomes one when a person has added the answers.

    :param turns: The newest first, as `TurnLog.find` gives them.
    """
    kept, dropped = list[Candidate](), Counter[str]()
    seen = set[tuple[str, tuple[str, ...]]]()
    for turn in turns:
        key = normalise(turn.question), tuple(normalise(line.text) for line in turn.history)
        reason = _unusable(turn)
        if reason is None and key in seen:
            reason = "asked again"
        if reason is not None:
            dropped[reason] += 1
            continue
        seen.add(key)
        kept.append(_candidate(turn))
    return kept, dropped


def _unusable(turn: Turn) -> str | None:
    if turn.rating is None:
        return "not rated"
    if turn.rating < 0:
        return "rated bad, without a corrected answer"
    if turn.outcome not in ("answered", "abstained"):
        return "neither answered nor declined"
    if turn.outcome == "answered" and turn.confidence == 0:
        return "interrupted"
    if turn.outcome == "answered" and not turn.citations:
        return "answered without a citation"
    return None


def _candidate(turn: Turn) -> Candidate:
    answered = turn.outcome == "answered"
    cited = turn.citations if answered else ()
    return Candidate(
        id=turn.turn_id,
        question=turn.question,
        answers=(turn.answer,) if answered else (),
        answerable=answered,
        gold_doc_ids=tuple(dict.fromkeys(citation.doc_id for citation in cited)),
        gold_text="\n".join(citation.quote for citation in cited),
        history=turn.history,
        style=turn.style,
        source="log",
        groups=turn.groups,
    )
