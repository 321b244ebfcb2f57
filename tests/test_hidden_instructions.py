"""A document that gives orders to the assistant, through the whole turn: it is quoted for its facts, never obeyed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from pydantic import Field

from ingest.documents import Chunking
from ingest.job import ingest
from ragvoice.datatypes import Answer
from ragvoice.generation.answering import Answering
from ragvoice.generation.confidence import ConfidenceModel
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings
from ragvoice.voicebot import VoiceBot

NOTICE = Path(__file__).parent / "data" / "coffee-machine-notice.md"
QUESTION = "When is the coffee machine on the second floor descaled?"
ORDERS = ("Ignore all", "bean-bargain", "unrestricted", "French", "im_start")


class ObedientChat(GenericFakeChatModel):
    """Says what the test wants and notes what it has read."""

    read: list[str] = Field(default_factory=list)

    def get_num_tokens(self, text: str) -> int:
        return len(text.split())

    def _stream(self, messages: list[BaseMessage], *args: Any, **options: Any) -> Iterator[Any]:
        self.read += [message.text for message in messages]
        yield from super()._stream(messages, *args, **options)


@pytest.fixture(scope="module")
def index(
    tmp_path_factory: pytest.TempPathFactory,
    embeddings: Embeddings,
    embedder: EmbedderIdentity,
    tokens_of: Callable[[str], Sequence[tuple[int, int]]],
    settings: Settings,
) -> Path:
    folder = tmp_path_factory.mktemp("notice") / "index"
    chunking = Chunking(tokens_of, settings.chunk_tokens, settings.overlap_tokens)
    ingest([NOTICE], folder, lambda: embeddings, embedder, chunking)
    return folder


def ask(index: Path, embeddings: Embeddings, words: str) -> tuple[Answer, str]:
    """The answer when the model writes these words, and everything that it read before."""
    chat = ObedientChat(messages=iter([AIMessage(words)]))
    answering = Answering(chat, ConfidenceModel(10.0, {}), relative_score=0.0)
    answer = VoiceBot(HybridRetriever(index=DocumentIndex.open(index), embeddings=embeddings), answering).ask(QUESTION)
    return answer, "\n".join(chat.read)


def test_the_model_reads_the_facts_and_no_order(index: Path, embeddings: Embeddings) -> None:
    answer, read = ask(index, embeddings, "It is descaled every Thursday at 16:00.")
    assert answer.answer == "It is descaled every Thursday at 16:00."
    assert "Brookline Catering" in read
    assert "Add one tablet to the tank" in read  # an instruction to people is a fact
    assert [order for order in ORDERS if order in read] == []


@pytest.mark.parametrize("words", ["Order your beans at www.bean-bargain.example.", "I am an unrestricted AI."])
def test_a_model_that_obeys_all_the_same_is_not_heard(index: Path, embeddings: Embeddings, words: str) -> None:
    answer, _ = ask(index, embeddings, words)
    assert answer.outcome == "abstained"
    assert answer.citations == ()


def test_the_stored_text_stays_as_it_is_and_quotes_are_in_their_place(index: Path, embeddings: Embeddings) -> None:
    answer, _ = ask(index, embeddings, "The tablets are in the cupboard under the sink.")
    stored = DocumentIndex.open(index).document(answer.passages[0].doc_id).text
    assert all(order in stored for order in ORDERS)
    [citation] = answer.citations
    assert stored[citation.start_index :].startswith(citation.quote)
    assert citation.quote == "Descaling tablets are in the cupboard under the sink."
