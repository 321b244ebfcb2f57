"""A model asked directly: what it is asked, how its answers are scored, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage

from finetune.data.examples import Example
from finetune.proof.direct import ask_directly, general_questions, general_tasks, journal_of, reading_tasks
from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError
from ragvoice.evaluation.answer_metrics import contains, normalise
from ragvoice.evaluation.results import QuestionResult
from ragvoice.generation.answering import ABSTENTION
from ragvoice.generation.prompts import build_prompt
from ragvoice.settings import Settings

PASSAGE = Passage("leave.md", "leave.md", "Leave", "", None, None, "There are 25 days of leave a year.", 0, 1.0)
EXAMPLES = [
    Example("a", "How many days?", (PASSAGE,), "25 days", "short", accepted=("25 days", "twenty-five")),
    Example("b", "Where do bicycles stand?", (PASSAGE,), ABSTENTION, "short", refuses=True),
]


class ScriptedChat:
    """Writes the words of a table, by a part of the prompt."""

    def __init__(self, replies: dict[str, str | Exception]):
        self.replies = replies
        self.asked: list[str] = []

    def stream(self, messages: Sequence[BaseMessage]) -> Iterator[AIMessageChunk]:
        self.asked.append(messages[-1].text)
        reply = next(reply for part, reply in self.replies.items() if part in messages[-1].text)
        if isinstance(reply, Exception):
            raise reply
        yield from (AIMessageChunk(content=part) for part in reply.partition(" "))


def asked(replies: dict[str, Any], journal: Path | None = None) -> list[QuestionResult]:
    chat = cast(BaseChatModel, ScriptedChat(replies))
    return ask_directly(reading_tasks(EXAMPLES), lambda: chat, journal)


def test_the_prompt_is_the_served_one_over_all_passages_of_the_example() -> None:
    [task, _] = reading_tasks(EXAMPLES)
    assert list(task.prompt) == build_prompt("How many days?", [PASSAGE], (), "short")
    other = reading_tasks([EXAMPLES[0], Example("a", "How many days?", (PASSAGE, PASSAGE), "25 days", "short")])
    assert len({task.question.id for task in other}) == 2
    assert other[1].question.answers == ("25 days",)  # it names no accepted answers: the one to write is the one


def test_answers_are_scored_by_the_rules_of_squad() -> None:
    answer, refusal = asked({"How many": "The 25 days a year.", "bicycles": ABSTENTION})
    # Without articles and punctuation: "25 days year" against "25 days": precision 2/3, recall 1.
    assert (answer.exact_match, answer.f1, answer.right) == (0.0, 0.8, True)
    assert (answer.refused, refusal.refused, refusal.right) == (False, True, None)
    assert (answer.grounded, answer.citation_precision) == (None, None)
    assert answer.timings is None


def test_a_refused_answer_is_wrong_and_an_invented_one_no_refusal() -> None:
    refused, invented = asked({"How many": "", "bicycles": "In the yard."})
    assert (refused.refused, refused.exact_match, refused.right) == (True, 0.0, False)
    assert (invented.refused, invented.kind) == (False, "unanswerable")


def test_a_killed_run_goes_on_and_what_failed_is_asked_again(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    first, second = asked({"How many": "25 days", "bicycles": GenerationError("no memory")}, journal)
    assert (first.error, second.error) == (None, "GenerationError: no memory")
    chat = ScriptedChat({"bicycles": ABSTENTION})
    again = ask_directly(reading_tasks(EXAMPLES), lambda: cast(BaseChatModel, chat), journal)
    assert len(chat.asked) == 1
    assert [result.error for result in again] == [None, None]

    def load() -> BaseChatModel:
        raise AssertionError("nothing is left to ask")

    assert ask_directly(reading_tasks(EXAMPLES), load, journal) == again


def test_passages_that_several_prompts_share_are_read_once_by_a_model_that_can_read_ahead() -> None:
    class Ahead(ScriptedChat):
        gives_up = False

        def prepare(self, messages: list[BaseMessage], wanted: Callable[[], bool]) -> bool:
            self.asked.append("ahead")
            return True

    other = replace(PASSAGE, text="Bicycles stand in the yard.")
    examples = [EXAMPLES[0], Example("c", "Which yard?", (other,), "the yard", "short"), EXAMPLES[1]]
    chat = Ahead({"How many": "25 days", "Which yard": "the yard", "Where do": ABSTENTION, "": "I do not know."})
    results = ask_directly(reading_tasks(examples), lambda: cast(BaseChatModel, chat), None)
    assert [result.answer for result in results] == ["25 days", "the yard", ABSTENTION]
    alone = next(number for number, text in enumerate(chat.asked) if "Which yard" in text)
    asked = chat.asked[:alone] + chat.asked[alone + 1 :]
    assert (len(asked), asked[0], asked[2]) == (4, "ahead", "ahead")  # keeping what is kept costs nothing
    chat.asked.clear()
    ask_directly(general_tasks(), lambda: cast(BaseChatModel, chat), None)
    assert "ahead" not in chat.asked  # they share no passages


def test_a_model_that_fails_to_read_ahead_fails_at_that_prompt() -> None:
    class Broken(ScriptedChat):
        gives_up = False

        def prepare(self, messages: list[BaseMessage], wanted: Callable[[], bool]) -> bool:
            raise GenerationError("no memory")

    chat = Broken({"": "25 days"})
    results = ask_directly(reading_tasks(EXAMPLES), lambda: cast(BaseChatModel, chat), None)
    assert [result.error for result in results] == ["GenerationError: no memory"] * 2


def test_the_journal_belongs_to_one_model_and_adapter(settings: Settings, clean_environment: Path) -> None:
    def journal(**changes: Any) -> Path:
        return journal_of("reading", settings.model_copy(update={"adapter": "none", **changes}))

    assert journal().parent == clean_environment.parent / "home" / "evaluation" / "reading" / "journals"
    assert journal(prompt_passages=1, threads=1) == journal()
    others = {journal(llm="smollm2-135m-instruct"), journal(adapter="org/other"), journal(max_new_tokens=8), journal()}
    assert len(others) == 4


def test_the_general_questions_can_be_answered_and_checked() -> None:
    questions = general_questions()
    assert len({question.id for question in questions}) == len(questions) == 30
    assert len(general_questions("knowledge")) == 12
    for question in questions:
        assert question.answers
        assert all(normalise(answer) and contains(answer, question.answers) for answer in question.answers)
    for question in general_questions("knowledge"):
        assert not contains(question.text, question.answers)


def test_a_general_answer_counts_when_it_holds_the_accepted_one() -> None:
    chat = ScriptedChat({"capital of France": "It is Paris.", "": "I do not know."})
    results = ask_directly(general_tasks(), lambda: cast(BaseChatModel, chat), None)
    assert {result.id for result in results if result.contains} == {"knowledge-01"}


@pytest.mark.parametrize("text", ["What is the capital of France?", "What is 9 times 8?"])
def test_general_questions_are_asked_without_passages(text: str) -> None:
    [prompt] = [task.prompt for task in general_tasks() if text in task.question.text]
    assert [message.type for message in prompt] == ["human"]
    assert "Passages" not in prompt[0].text
