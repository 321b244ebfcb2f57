"""Questions about no document, which the base model answers itself: an adapter that is trained on its answers forgets
less of what the base could (Li and Hoiem 2016, Learning without Forgetting, arXiv 1606.09282)."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from langchain_core.language_models.chat_models import BaseChatModel

from finetune.data.contexts import Dropped
from finetune.data.examples import Example, prompt_of
from ragvoice.evaluation.journal import Journal
from ragvoice.generation.prompts import is_refusal, prompt_hash

GENERAL = "general"
"""Source of these examples."""


def rehearsal_questions() -> list[str]:
    """Those of general.jsonl; none of them is asked by the proof (`finetune/proof/general.jsonl`)."""
    lines = resources.files("finetune.data").joinpath("general.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["question"] for line in lines]


def rehearsed(
    chat: Callable[[], BaseChatModel],
    journal: Path,
    most_answer_tokens: int,
    count_tokens: Callable[[str], int],
    dropped: Dropped,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Example]:
    """One example for each question that the model answers in few words.

    :param chat: Loads the base; not called when the journal holds every answer.
    :param journal: Every answer is kept here, so that a job that was killed goes on. One file for each model.
    :raises GenerationError: when the model or its server fails.
    """
    answers = Journal(journal)
    model: BaseChatModel | None = None
    questions = rehearsal_questions()
    made = []
    for number, question in enumerate(questions, start=1):
        example = Example(f"{GENERAL}/{number}", question, (), "", "spoken", source=GENERAL)
        key = prompt_hash(prompt_of(example))
        record = answers.get(key)
        if record is None:
            model = model or chat()
            record = {"answer": model.invoke(prompt_of(example)).text.strip()}
            answers.put(key, record)
        answer = str(record["answer"])
        if not answer or is_refusal(answer):
            dropped.reasons[f"{GENERAL}: the base has no answer"] += 1
        elif count_tokens(answer) > most_answer_tokens:
            dropped.reasons[f"{GENERAL}: the base's answer is long"] += 1
        else:
            made.append(Example(example.id, question, (), answer, "spoken", source=GENERAL, accepted=(answer,)))
        progress(number, len(questions))
    return made
