"""The default runtime on the default model: the stream, what it has read ahead, cancelling it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.ctranslate2_chat import CTranslate2ChatModel
from ragvoice.generation.prompts import build_prompt
from ragvoice.generation.transformers_chat import TransformersChatModel

CAPITAL: list[BaseMessage] = [
    SystemMessage("Answer in one short sentence."),
    HumanMessage("What is the capital of France? Reply in the form: The capital of X is Y."),
]
STORY: list[BaseMessage] = [HumanMessage("Tell me a long story about a fox and a hen, in many sentences.")]
"""Long, whatever a processor rounds."""


@pytest.fixture(scope="module")
def chat(default_ctranslate2: Path) -> CTranslate2ChatModel:
    return CTranslate2ChatModel(model_path=default_ctranslate2, max_new_tokens=16, cpu_threads=2)


def test_stream_gives_one_piece_a_token_with_its_logprob(chat: CTranslate2ChatModel) -> None:
    chunks = [chunk for chunk in chat.stream(CAPITAL) if "logprobs" in chunk.response_metadata]
    logprobs = [value for chunk in chunks for value in chunk.response_metadata["logprobs"]]
    assert "".join(chunk.text for chunk in chunks) == "The capital of France is Paris."
    assert len(logprobs) == len(chunks) >= 7
    assert all(value <= 0 for value in logprobs)
    assert min(logprobs) < 0


def test_decoding_is_greedy(chat: CTranslate2ChatModel) -> None:
    assert chat.invoke(STORY).text == chat.invoke(STORY).text != chat.invoke(CAPITAL).text


def test_reply_is_no_longer_than_asked_for(chat: CTranslate2ChatModel) -> None:
    assert len(list(chat._stream(STORY))) == 16


def test_what_was_read_ahead_changes_no_token(chat: CTranslate2ChatModel) -> None:
    passages = [
        Passage("a.md", "a.md", "Pay", "1 Days", None, None, "Salaries are paid on the 26th of each month.", 0, 0.9),
        Passage("b.md", "b.md", "Leave", "", None, None, "Employees get 25 days of annual leave a year.", 0, 0.8),
    ]
    said = (Message("user", "Hello?"), Message("agent", "Good morning."))
    prompts = [
        build_prompt("When is pay day?", passages),
        build_prompt("How many days of leave\n\ndo I get?", passages, said),
        build_prompt("Wann kommt das Gehalt?", passages),
    ]

    def replies() -> list[tuple[str, list[float]]]:
        return [(reply.text, reply.response_metadata["logprobs"]) for reply in map(chat.invoke, prompts)]

    unprepared = replies()
    assert "26th" in unprepared[0][0]
    assert "25 days" in unprepared[1][0]
    assert chat.prepare(build_prompt("When is", passages))
    assert replies() == unprepared


def test_another_answer_than_one_that_begins_so(chat: CTranslate2ChatModel) -> None:
    other = chat.avoiding("The capital").invoke(CAPITAL).text
    assert other
    assert not other.startswith("The")
    assert chat.avoiding("Never said").invoke(CAPITAL).text == "The capital of France is Paris."


def test_prompt_without_a_front_is_not_read_ahead(chat: CTranslate2ChatModel) -> None:
    assert not chat.prepare(CAPITAL)


def test_dropping_the_iterator_ends_the_work(chat: CTranslate2ChatModel) -> None:
    long = chat.model_copy(update={"max_new_tokens": 80})
    before = set(threading.enumerate())
    pieces = long.stream(STORY)
    for _ in range(3):
        next(pieces)
    assert set(threading.enumerate()) - before
    started = time.perf_counter()
    pieces.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) - before == set()
    stopped_s = time.perf_counter() - started
    started = time.perf_counter()
    assert len(list(long._stream(STORY))) > 20
    assert stopped_s < (time.perf_counter() - started) / 2
    assert chat.invoke(CAPITAL).text == "The capital of France is Paris."


def test_process_ends_well_while_a_stream_is_open(default_ctranslate2: Path) -> None:
    """CTranslate2 aborts the process (exit code -6) when its threads outlive the interpreter."""
    program = (
        "from pathlib import Path\n"
        "from ragvoice.generation.ctranslate2_chat import CTranslate2ChatModel\n"
        f"chat = CTranslate2ChatModel(model_path=Path({str(default_ctranslate2)!r}))\n"
        "pieces = chat.stream('Count to fifty, in words.')\n"
        "print(next(pieces).text)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()


def test_stop_mark_ends_the_reply_and_is_not_part_of_it(chat: CTranslate2ChatModel) -> None:
    assert chat.invoke(CAPITAL, stop=["France"]).text == "The capital of "


def test_characters_of_several_tokens_arrive_whole(chat: CTranslate2ChatModel) -> None:
    asked = [SystemMessage("Repeat what the user says, word by word."), HumanMessage("Zażółć gęślą jaźń 🦔")]
    pieces = [chunk.text for chunk in chat.model_copy(update={"max_new_tokens": 40}).stream(asked)]
    assert "ż" in "".join(pieces)
    assert not any("�" in piece for piece in pieces)


def test_prompt_longer_than_the_context_is_refused(chat: CTranslate2ChatModel) -> None:
    narrow = chat.model_copy(update={"context_tokens": 30})
    with pytest.raises(GenerationError, match=r"the limit is 14\."):
        narrow.invoke(CAPITAL)


def test_tokens_are_counted_without_special_ones(chat: CTranslate2ChatModel) -> None:
    assert chat.get_num_tokens("The capital of France is Paris.") == 7


def test_folder_without_model_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded by CTranslate2"):
        CTranslate2ChatModel(model_path=tiny_llama)


@pytest.mark.slow
def test_int8_begins_like_transformers(small_ctranslate2: Path, small_transformers: Path) -> None:
    """The same prompt tokens, the same first words, log probabilities within what int8 costs."""
    fast = CTranslate2ChatModel(model_path=small_ctranslate2, max_new_tokens=5)
    full = TransformersChatModel(model_path=small_transformers, max_new_tokens=5, device="cpu")
    ours, theirs = fast.invoke(CAPITAL), full.invoke(CAPITAL)
    assert ours.text == theirs.text
    assert ours.response_metadata["logprobs"] == pytest.approx(theirs.response_metadata["logprobs"][:5], abs=0.3)
