"""A model asked directly, without retrieval and without the checks of `Answering`: what it reads out of given passages,
and what it still knows and does without any.

Answers become the same `QuestionResult` as those of `ragvoice evaluate`, so that every figure is computed the same way.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from pydantic import TypeAdapter

from finetune.data.examples import Example, prompt_of
from ragvoice.datatypes import Answer, Outcome, Style
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.journal import Journal
from ragvoice.evaluation.provenance import code_hash, described, models, without_folders
from ragvoice.evaluation.results import QuestionResult
from ragvoice.evaluation.runner import Progress, scored
from ragvoice.generation.answering import ReadsAhead
from ragvoice.generation.prompts import front_of, is_refusal, prompt_hash
from ragvoice.settings import Settings, home

_ANSWER = TypeAdapter(Answer)
_DECISIVE = (
    "llm", "llm_runtime", "llm_quantisation", "passages_apart", "adapter", "max_new_tokens", "context_tokens",
)  # fmt: skip
"""Settings that decide what a model writes after a given prompt."""


@dataclass(frozen=True)
class Task:
    """One prompt, and the question by which its answer is judged."""

    question: Question
    style: Style
    prompt: tuple[BaseMessage, ...]


def reading_tasks(examples: Sequence[Example]) -> list[Task]:
    """The prompt is the one that is served and trained on; the passages are those of the example, all of them."""
    return [_reading_task(example) for example in examples]


def _reading_task(example: Example) -> Task:
    prompt = tuple(prompt_of(example))
    question = Question(
        f"{example.id}#{prompt_hash(prompt)[:8]}",  # a question may be asked over several numbers of passages
        example.question,
        () if example.refuses else example.accepted or (example.answer,),
        (),
        not example.refuses,
        example.history,
        kind="unanswerable" if example.refuses else "answerable",
    )
    return Task(question, example.style, prompt)


def general_questions(kind: str | None = None) -> list[Question]:
    """The questions of general.jsonl.

    :param kind: knowledge, reasoning, instruction or language; None is all.
    """
    lines = resources.files("finetune.proof").joinpath("general.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        Question(row["id"], row["question"], tuple(row["answers"]), (), True)
        for row in rows
        if kind in (None, row["kind"])
    ]


def general_tasks() -> list[Task]:
    return [Task(question, "spoken", (HumanMessage(question.text),)) for question in general_questions()]


def journal_of(name: str, settings: Settings) -> Path:
    """Of one model in one state, so that runs on the same base share its answers.

    :param name: Folder below RAGVOICE_HOME/evaluation.
    """
    told = described(settings)
    parts = [{key: told[key] for key in _DECISIVE}, models(settings, ("llm", "adapter")), code_hash(("generation",))]
    digest = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return home() / "evaluation" / name / "journals" / f"{digest[:16]}.jsonl"


def ask_directly(
    tasks: Sequence[Task],
    chat: Callable[[], BaseChatModel],
    journal: Path | None,
    progress: Progress = lambda done, total: None,
) -> list[QuestionResult]:
    """Greedy answers to the prompts that the journal does not hold yet; a prompt that failed is asked again.

    Prompts over the same passages are asked one after the other: a model that can read ahead reads the passages once.

    :param chat: Loads the model; not called when the journal holds every answer.
    """
    kept = Journal(journal)
    missing = {key: task for task in tasks if _is_missing(kept, key := prompt_hash(task.prompt))}
    shared = Counter(map(_front, missing.values()))
    loaded = chat() if missing else None
    for number, (key, task) in enumerate(sorted(missing.items(), key=lambda item: _front(item[1]))):
        assert loaded is not None
        progress(len(tasks) - len(missing) + number, len(tasks))
        kept.put(key, _asked(task, loaded, reads_ahead=shared[_front(task)] > 1))
    progress(len(tasks), len(tasks))
    return [_of_the_words(_scored(task, kept)) for task in tasks]


def _is_missing(kept: Journal, key: str) -> bool:
    record = kept.get(key)
    return record is None or record["error"] is not None


def _front(task: Task) -> str:
    """Everything before what is asked."""
    *before, last = task.prompt
    return "\0".join([*(message.text for message in before), front_of(last)])


def _asked(task: Task, chat: BaseChatModel, *, reads_ahead: bool) -> dict[str, Any]:
    prompt = list(task.prompt)
    try:
        if reads_ahead and isinstance(chat, ReadsAhead) and front_of(prompt[-1]):
            chat.prepare(prompt, lambda: True)
        said = "".join(chunk.text for chunk in chat.stream(prompt)).strip()
    except Exception as error:
        # One prompt must not end a run of hours, whatever a model or a server raises at it.
        return {"answer": None, "error": without_folders(f"{type(error).__name__}: {error}"), "found": {}}
    refuses = not said or is_refusal(said)
    question = task.question.text
    outcome: Outcome = "abstained" if refuses else "answered"
    answer = Answer("", question, question, outcome, said, 0.0, draft=said)
    return {"answer": _ANSWER.dump_python(answer, mode="json"), "error": None, "found": {}}


def _scored(task: Task, kept: Journal) -> QuestionResult:
    record = kept.get(prompt_hash(task.prompt))
    assert record is not None
    return scored(task.question, task.style, record)


def _of_the_words(result: QuestionResult) -> QuestionResult:
    """Without the figures of citations and confidence, which a model that is asked directly has not, and without the
    seconds, which depend on what was read before."""
    return replace(result, grounded=None, citation_recall=None, right_draft=None, failure=None, timings=None)
