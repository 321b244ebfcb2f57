"""Questions through a system, answered once and kept in a journal, and the figures of each answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from pydantic import TypeAdapter

from ragvoice.datatypes import Answer, Citation, Message, Passage, Style
from ragvoice.evaluation.abstention_metrics import leaked
from ragvoice.evaluation.answer_metrics import bleu, chrf, contains, exact_match, f1, is_right, rouge_l
from ragvoice.evaluation.datasets import Dataset, Question, is_gold
from ragvoice.evaluation.failures import classify
from ragvoice.evaluation.grounding_metrics import citation_precision, citation_recall, groundedness, quote_found
from ragvoice.evaluation.journal import Journal
from ragvoice.evaluation.provenance import without_folders
from ragvoice.evaluation.results import Cited, QuestionResult, ReadPassage
from ragvoice.evaluation.retrieval_metrics import CUTOFFS, ranked_documents, retrieval_scores

DEPTH = 5 * max(CUTOFFS)
"""Chunks that are searched for: a document counts once, so its further chunks must not use up the largest cut-off."""

_ANSWER = TypeAdapter(Answer)

Progress = Callable[[int, int], None]


class System(Protocol):
    """What can be evaluated: `Application`, or another pipeline that answers with an `Answer`."""

    @property
    def name(self) -> str: ...

    def ask(
        self, question: str, history: Sequence[Message] = (), groups: Iterable[str] = (), style: Style = "spoken"
    ) -> Answer: ...

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        """The best `k` chunks, best first, for the retrieval figures."""


class Asks(Protocol):
    """`VoiceBot` has it."""

    def ask(
        self, question: str, history: Sequence[Message] = (), groups: Iterable[str] = (), style: Style = "spoken"
    ) -> Answer: ...


class Searches(Protocol):
    """`HybridRetriever` has it."""

    def search(self, query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]: ...


class Application:
    """The application itself, as `ragvoice ask` uses it."""

    name = "ragvoice"

    def __init__(self, bot: Asks, retriever: Searches):
        self._bot = bot
        self._retriever = retriever

    def ask(
        self, question: str, history: Sequence[Message] = (), groups: Iterable[str] = (), style: Style = "spoken"
    ) -> Answer:
        return self._bot.ask(question, history, groups, style)

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        return self._retriever.search(query, k, groups)


def evaluate(
    dataset: Dataset,
    system: System,
    style: Style = "short",
    journal: Path | None = None,
    progress: Progress = lambda done, total: None,
) -> list[QuestionResult]:
    """Ask every question that the journal does not hold yet; a question that failed is asked again.

    An answer is kept as it came, the figures are computed from it each time: a changed metric costs no new answers.

    :param journal: A file for this system and this state of it only; None keeps nothing.
    """
    kept = Journal(journal)
    results = []
    for number, question in enumerate(dataset.questions):
        progress(number, len(dataset.questions))
        key = _key(question, style)
        record = kept.get(key)
        if record is None or record["error"] is not None:
            record = _asked(system, question, style)
            kept.put(key, record)
        results.append(scored(question, style, record))
    progress(len(dataset.questions), len(dataset.questions))
    return results


def without_history(dataset: Dataset, *, rewritten: bool = False) -> Dataset:
    """The follow-ups alone, each asked as if nothing had been said before.

    :param rewritten: In the words of the dataset's own rewriting; questions without one are left out.
    """
    chosen = [question for question in dataset.questions if question.history]
    if rewritten:
        texts = [replace(question, text=question.standalone) for question in chosen if question.standalone]
    else:
        texts = chosen
    return replace(dataset, questions=tuple(replace(question, history=()) for question in texts))


def _key(question: Question, style: Style) -> str:
    """Of everything that is asked: a question whose words, gold documents or asker changed is another one."""
    asked = json.dumps([asdict(question)["history"], question.text, question.groups, question.gold_ids])
    digest = hashlib.sha256((asked + (question.standalone or "")).encode()).hexdigest()[:16]
    return f"{question.id}/{style}/{digest}"


def _asked(system: System, question: Question, style: Style) -> dict[str, Any]:
    """A record of the journal: the answer or the error, and what was found by which words."""
    record: dict[str, Any] = {"answer": None, "error": None, "found": {}}
    try:
        answer = system.ask(question.text, question.history, question.groups, style)
        record["answer"] = _ANSWER.dump_python(answer, mode="json")
        if question.answerable and question.gold_ids:
            queries = [answer.standalone_question]
            if question.history:
                queries += [question.text, question.standalone or ""]
            for query in filter(None, dict.fromkeys(queries)):
                found = system.search(query, question.groups, DEPTH)
                record["found"][query] = [[passage.doc_id, passage.page] for passage in found]
    except Exception as error:
        # One question must not end a run of hours, whatever a foreign model or server raises at it.
        record["error"] = without_folders(f"{type(error).__name__}: {error}")
    return record


def scored(question: Question, style: Style, record: Mapping[str, Any]) -> QuestionResult:
    """Every figure of one record of the journal: `answer` (an `Answer` as JSON) or `error`, and `found`."""
    blank = QuestionResult(
        id=question.id,
        style=style,
        question=question.text,
        history=question.history,
        groups=question.groups,
        standalone_question=question.text,
        answerable=question.answerable,
        kind=question.kind,
        outcome="failed",
        answer="",
        draft="",
        golds=question.answers,
        gold_ids=question.gold_ids,
        confidence=0.0,
        evidence={},
    )
    if record["error"] is not None:
        result = replace(blank, error=record["error"], **_wording("", "", question, style))
        return replace(result, failure=classify(result))
    answer = _ANSWER.validate_python(record["answer"])
    said = "" if answer.abstained else answer.answer
    golds = question.gold_ids if question.answerable else ()
    result = replace(
        blank,
        standalone_question=answer.standalone_question,
        outcome=answer.outcome,
        answer=answer.answer,
        draft=answer.draft,
        confidence=answer.confidence,
        evidence=dict(answer.evidence),
        citations=tuple(_cited(citation, golds) for citation in answer.citations),
        passages=tuple(_shown(passage, golds) for passage in answer.passages),
        heard=answer.transcription.text if answer.transcription else None,
        timings=asdict(answer.timings),
        **_rankings(question, answer.standalone_question, record["found"]),
        **_wording(said, answer.draft, question, style),
        **_trust(answer, question),
    )
    return replace(result, failure=classify(result))


def _rankings(question: Question, standalone: str, found: dict[str, list[list[Any]]]) -> dict[str, Any]:
    def scores(query: str | None) -> dict[str, float] | None:
        if query is None or query not in found:
            return None
        passages = [Passage(doc_id, "", "", "", page, None, "", 0, 0.0) for doc_id, page in found[query]]
        return retrieval_scores(ranked_documents(passages, question.gold_ids), question.gold_ids)

    followup = bool(question.history)
    return {
        "retrieval": scores(standalone),
        "retrieval_without_history": scores(question.text) if followup else None,
        "retrieval_of_standalone": scores(question.standalone) if followup else None,
    }


def _wording(said: str, draft: str, question: Question, style: Style) -> dict[str, Any]:
    """Figures of the words of an answerable question with gold answers; all 0 when nothing was said."""
    golds = question.answers
    if not question.answerable:
        return {"right_draft": False}
    if not golds:
        return {}
    measures = {
        "exact_match": exact_match, "f1": f1, "contains": contains, "rouge_l": rouge_l, "bleu": bleu, "chrf": chrf,
    }  # fmt: skip
    return {
        **{name: round(measure(said, golds), 4) if said else 0.0 for name, measure in measures.items()},
        "right": bool(said) and is_right(said, golds, style),
        "right_draft": bool(draft) and is_right(draft, golds, style),
    }


def _trust(answer: Answer, question: Question) -> dict[str, Any]:
    """Figures of what the answer rests on, rounded; None where they are not defined."""
    cited, golds = answer.citations, question.gold_ids if question.answerable else ()
    gold = [float(_cited(citation, golds).gold) for citation in cited] if golds else []
    found = [float(quote_found(citation, answer.passages)) for citation in cited]
    shares = {
        "grounded": groundedness(answer),
        "citation_precision": citation_precision(answer),
        "citation_recall": citation_recall(answer, golds),
        "cites_gold": mean(gold) if gold else None,
        "quotes_found": mean(found) if found else None,
    }
    rounded = {name: None if value is None else round(value, 4) for name, value in shares.items()}
    known = question.world_answers
    return {**rounded, "leaked": leaked("" if answer.abstained else answer.answer, known) if known else None}


def _cited(citation: Citation, golds: Sequence[str]) -> Cited:
    where = Passage(citation.doc_id, "", "", "", citation.page, None, "", 0, 0.0)
    gold = any(is_gold(where, gold) for gold in golds)
    return Cited(citation.doc_id, citation.section, citation.page, citation.quote, gold)


def _shown(passage: Passage, golds: Sequence[str]) -> ReadPassage:
    gold = any(is_gold(passage, gold) for gold in golds)
    return ReadPassage(passage.doc_id, passage.section, passage.page, round(passage.score, 6), passage.text, gold)
