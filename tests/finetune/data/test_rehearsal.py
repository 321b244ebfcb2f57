"""Questions about no document, with the base's own answers."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from finetune.data.contexts import Dropped
from finetune.data.examples import prompt_of
from finetune.data.rehearsal import rehearsal_questions, rehearsed
from ragvoice.errors import GenerationError


class Answers(BaseChatModel):
    """Says what it was asked, up to a point."""

    asked: list[str] = Field(default_factory=list)
    fails_at: int = 10**6

    @property
    def _llm_type(self) -> str:
        return "answers"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if len(self.asked) == self.fails_at:
            raise GenerationError("The server does not answer.")
        (message,) = messages
        self.asked.append(message.text)
        number = len(self.asked)
        said = "That is not in the documents." if number == 1 else "word " * 50 if number == 2 else f"Answer {number}."
        return ChatResult(generations=[ChatGeneration(message=AIMessage(said))])


def _count(text: str) -> int:
    return len(text.split())


def test_the_proof_asks_none_of_these_questions() -> None:
    def words(question: str) -> str:
        return " ".join("".join(c if c.isalnum() else " " for c in question.lower()).split())

    lines = resources.files("finetune.proof").joinpath("general.jsonl").read_text(encoding="utf-8").splitlines()
    proof = {words(json.loads(line)["question"]) for line in lines}
    own = [words(question) for question in rehearsal_questions()]
    assert len(own) > 100
    assert len(set(own)) == len(own)
    assert not proof & set(own)


def test_the_bare_question_and_what_the_base_says(tmp_path: Path) -> None:
    model, dropped = Answers(), Dropped()
    made = rehearsed(lambda: model, tmp_path / "general.jsonl", 40, _count, dropped)
    assert model.asked == rehearsal_questions()
    assert [one.answer for one in made] == [f"Answer {n}." for n in range(3, len(model.asked) + 1)]
    assert prompt_of(made[0]) == [HumanMessage(rehearsal_questions()[2])]
    assert not any(one.refuses for one in made)
    assert {one.source for one in made} == {"general"}
    assert dropped.reasons == {"general: the base has no answer": 1, "general: the base's answer is long": 1}


def test_a_job_that_failed_asks_the_rest(tmp_path: Path) -> None:
    journal = tmp_path / "general.jsonl"
    with pytest.raises(GenerationError):
        rehearsed(lambda: Answers(fails_at=10), journal, 40, _count, Dropped())
    rest = Answers()
    rehearsed(lambda: rest, journal, 40, _count, Dropped())
    assert rest.asked == rehearsal_questions()[10:]

    def no_model() -> BaseChatModel:
        raise AssertionError("everything is answered")

    assert len(rehearsed(no_model, journal, 60, _count, Dropped())) > 100
