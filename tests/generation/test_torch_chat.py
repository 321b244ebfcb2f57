"""The default model in int8 on torch: the stream, guesses that change nothing, what was read ahead."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import GenerationError, ModelError
from ragvoice.generation.prompts import build_prompt
from ragvoice.generation.torch_chat import TorchChatModel

CAPITAL: list[BaseMessage] = [
    SystemMessage("Answer in one short sentence."),
    HumanMessage("What is the capital of France? Reply in the form: The capital of X is Y."),
]
COPY: list[BaseMessage] = [
    HumanMessage("Repeat this sentence twice: Salaries are paid on the 26th of each month by bank transfer.")
]
PASSAGES = [
    Passage("a.md", "a.md", "Pay", "Pay day", None, None, "Salaries are paid on the 26th of each month.", 0, 0.9),
    Passage("b.md", "b.md", "Leave", "", None, None, "Employees get 25 days of annual leave a year.", 0, 0.8),
]


@pytest.fixture(scope="module")
def chat(default_torch: Path) -> TorchChatModel:
    return TorchChatModel(model_path=default_torch, max_new_tokens=40)


@pytest.fixture
def read(chat: TorchChatModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens each forward pass reads."""
    lengths: list[int] = []
    original = chat._decoder.layer_by_layer

    def counted(ids: Any, cache: Any) -> Any:
        lengths.append(len(ids))
        return original(ids, cache)

    monkeypatch.setattr(chat._decoder, "layer_by_layer", counted)
    return lengths


def test_stream_gives_one_piece_a_token_with_its_logprob(chat: TorchChatModel) -> None:
    chunks = [chunk for chunk in chat.stream(CAPITAL) if "logprobs" in chunk.response_metadata]
    logprobs = [value for chunk in chunks for value in chunk.response_metadata["logprobs"]]
    assert "".join(chunk.text for chunk in chunks) == "The capital of France is Paris."
    assert len(logprobs) == len(chunks) == 7
    assert all(value <= 0 for value in logprobs)
    assert min(logprobs) < 0


def test_guesses_save_passes_and_change_no_word(chat: TorchChatModel, read: list[int]) -> None:
    guessed = chat.invoke(COPY).text
    passes = len(read)
    read.clear()
    plain = chat.model_copy(update={"guessed_tokens": 0}).invoke(COPY).text
    assert guessed == plain
    assert "Salaries are paid on the 26th of each month by bank transfer." in guessed
    assert set(read[1:]) == {1}
    assert passes < 0.6 * len(read)


def test_the_logprobs_are_those_of_a_model_that_reads_all_at_once(chat: TorchChatModel) -> None:
    reply = chat.invoke(COPY)
    [prompt] = chat._pieces(COPY)
    ids = chat._template.tokenizer.encode(reply.text, add_special_tokens=False).ids
    logprobs = reply.response_metadata["logprobs"]
    assert len(ids) == len(logprobs)
    cache = chat._decoder.cache(len(prompt) + len(ids))
    found = chat._likeliest([*prompt, *ids[:-1]], cache, len(ids))
    assert [token for token, _ in found] == ids
    # Attention sums in another order, and what is rounded to int8 may then fall to the other side.
    assert logprobs == pytest.approx([logprob for _, logprob in found], abs=0.1)


def test_reply_is_no_longer_than_asked_for(chat: TorchChatModel) -> None:
    assert len(list(chat.model_copy(update={"max_new_tokens": 5})._stream(COPY))) == 5


def test_what_was_read_ahead_changes_no_token(chat: TorchChatModel, read: list[int]) -> None:
    said = (Message("user", "Hello?"), Message("agent", "Good morning."))
    prompts = [
        build_prompt("When is pay day?", PASSAGES),
        build_prompt("How many days of leave\n\ndo I get?", PASSAGES, said),
        build_prompt("Wann kommt das Gehalt?", PASSAGES),
    ]
    chat._kept.clear()
    unprepared = []
    for prompt in prompts:
        reply = chat.invoke(prompt)
        unprepared.append((reply.text, reply.response_metadata["logprobs"]))
        chat._kept.clear()
    assert "26th" in unprepared[0][0]
    assert "25 days" in unprepared[1][0]
    read.clear()
    assert chat.prepare(build_prompt("When is", PASSAGES))
    assert chat.prepare(build_prompt("When is pay", PASSAGES))
    assert len(read) == 3  # what stands before the passages, and each passage
    replies = [(reply.text, reply.response_metadata["logprobs"]) for reply in map(chat.invoke, prompts)]
    assert replies == unprepared
    assert max(read[3:]) <= len(chat._pieces(prompts[1])[-1])


def test_passages_are_read_once_with_what_stands_before_them(chat: TorchChatModel, read: list[int]) -> None:
    chat._kept.clear()
    assert chat.prepare(build_prompt("?", PASSAGES))
    read.clear()
    assert chat.prepare(build_prompt("?", PASSAGES[::-1]))
    others = chat._pieces(build_prompt("?", PASSAGES[::-1]))
    assert read == [len(piece) for piece in others[1:-1]]


def test_passages_that_are_read_apart_are_read_once_whatever_stands_beside_them(
    chat: TorchChatModel, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat._kept, "_apart", True)
    chat._kept.clear()
    first = chat._pieces(build_prompt("?", PASSAGES))
    assert chat.prepare(build_prompt("?", PASSAGES[:1]))
    assert chat.prepare(build_prompt("?", PASSAGES))
    assert read == [len(piece) for piece in first[:-1]]
    read.clear()
    assert chat.prepare(build_prompt("?", PASSAGES[::-1]))
    assert read == []


def test_what_was_not_used_for_longest_goes_first(default_torch: Path) -> None:
    prompts = [build_prompt("?", [passage]) for passage in PASSAGES]
    fitting = TorchChatModel(model_path=default_torch)
    start, *sizes = (len(piece) for prompt in prompts for piece in fitting._pieces(prompt)[:-1])
    few = TorchChatModel(model_path=default_torch, kept_tokens=start + sizes[0] + sizes[2] - 1)
    assert few.prepare(prompts[0])
    assert few.prepare(prompts[1])
    fronts = [few._pieces(prompt)[:-1] for prompt in prompts]
    assert [front in few._kept for front in fronts] == [False, True]
    assert len(few._kept) == start + sizes[2]
    longer = build_prompt("?", [*PASSAGES, *PASSAGES])
    assert not few.prepare(longer)


def test_reading_that_was_given_up_goes_on_where_it_ended(chat: TorchChatModel, read: list[int]) -> None:
    prompt = build_prompt("When is pay day?", PASSAGES)
    chat._kept.clear()
    whole = chat.invoke(prompt)
    chat._kept.clear()
    read.clear()
    layers = iter([True] * (chat._decoder._shape["layers"] + 3))
    assert not chat.prepare(prompt, lambda: next(layers, False))  # within the second piece
    assert not chat.prepare(prompt, lambda: False)
    assert len(read) == 2
    reply = chat.invoke(prompt)
    assert (reply.text, reply.response_metadata) == (whole.text, whole.response_metadata)
    pieces = [len(piece) for piece in chat._pieces(prompt)]
    assert read[: len(pieces)] == pieces


def test_another_answer_than_one_that_begins_so(chat: TorchChatModel) -> None:
    other = chat.avoiding("The capital").invoke(CAPITAL).text
    assert other
    assert not other.startswith("The")
    assert chat.avoiding("Never said").invoke(CAPITAL).text == "The capital of France is Paris."


def test_nothing_is_read_ahead_without_a_front_or_while_an_answer_is_written(chat: TorchChatModel) -> None:
    assert not chat.prepare(CAPITAL)
    chat._kept.clear()
    pieces = chat.stream(CAPITAL)
    next(pieces)
    assert not chat.prepare(build_prompt("When?", PASSAGES))
    pieces.close()  # type: ignore[attr-defined]
    assert chat.prepare(build_prompt("When?", PASSAGES))


def test_dropping_the_iterator_ends_the_work(chat: TorchChatModel, read: list[int]) -> None:
    pieces = chat.stream(COPY)
    for _ in range(3):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    passes = len(read)
    time.sleep(0.3)
    assert len(read) == passes


def test_two_at_once_get_their_own_answers(chat: TorchChatModel) -> None:
    alone = chat.invoke(CAPITAL).text, chat.invoke(COPY).text
    found: dict[int, str] = {}

    def ask(number: int, prompt: list[BaseMessage]) -> None:
        found[number] = chat.invoke(prompt).text

    threads = [threading.Thread(target=ask, args=row) for row in enumerate((CAPITAL, COPY))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found[0], found[1]) == alone


def test_stop_mark_ends_the_reply_and_is_not_part_of_it(chat: TorchChatModel) -> None:
    assert chat.invoke(CAPITAL, stop=["France"]).text == "The capital of "


def test_characters_of_several_tokens_arrive_whole(chat: TorchChatModel) -> None:
    asked = [SystemMessage("Repeat what the user says, word by word."), HumanMessage("Zażółć gęślą jaźń 🦔")]
    pieces = [chunk.text for chunk in chat.stream(asked)]
    assert "ż" in "".join(pieces)
    assert not any("�" in piece for piece in pieces)


def test_prompt_longer_than_the_context_is_refused(chat: TorchChatModel) -> None:
    narrow = chat.model_copy(update={"context_tokens": 54})
    with pytest.raises(GenerationError, match=r"the limit is 14\."):
        narrow.invoke(CAPITAL)


def test_folder_without_model_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded as int8 for torch"):
        TorchChatModel(model_path=tiny_llama)
