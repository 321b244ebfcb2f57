"""Two pipelines that a person would write in an afternoon, as systems that `ragvoice.evaluation.runner` can ask.

Both read the texts that our loaders got out of the documents, and both write with the application's model and runtime,
so that only retrieval, prompt, checks and abstention differ.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from ragvoice.build import build_store
from ragvoice.datatypes import EVERYONE, Answer, Message, Outcome, Passage, Style, Timings
from ragvoice.generation.prompts import is_refusal
from ragvoice.retrieval.index import DocumentIndex

PROMPT = (
    "Use the following pieces of context to answer the question at the end. If you don't know the answer, just say "
    "that you don't know, don't try to make up an answer.{style}\n\n{context}\n\nQuestion: {question}\nHelpful answer:"
)
STYLES = {"spoken": " Answer in one sentence.", "short": " Answer with as few words as possible."}
READ = 4
"""Passages in the prompt: what LangChain's `similarity_search` returns by default."""


class PlainSystem:
    """Best passages into the prompt, the model's words out; no history, no groups but everyone, no citations."""

    name = "plain"

    def __init__(self, chat: BaseChatModel):
        self._chat = chat

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        raise NotImplementedError

    def ask(
        self, question: str, history: Sequence[Message] = (), groups: Iterable[str] = (), style: Style = "spoken"
    ) -> Answer:
        started = time.perf_counter()
        passages = tuple(self.search(question, groups, READ))
        found = time.perf_counter()
        context = "\n\n".join(passage.text for passage in passages)
        text = self._chat.invoke(PROMPT.format(style=STYLES[style], context=context, question=question)).text.strip()
        refused = is_refusal(text) or "don't know" in text.lower() or "do not know" in text.lower() or not text
        outcome: Outcome = "abstained" if refused else "answered"
        timings = Timings(retrieve=found - started, total=time.perf_counter() - started)
        return Answer("", question, question, outcome, text, 0.0, passages=passages, timings=timings)


class Bm25System(PlainSystem):
    """bm25s with its defaults over our chunks."""

    name = "BM25, passages to the model"

    def __init__(self, chat: BaseChatModel, index: DocumentIndex):
        import bm25s

        super().__init__(chat)
        self._chunks = _chunks(index)
        self._bm25s = bm25s
        self._index = bm25s.BM25()
        self._index.index(
            bm25s.tokenize([chunk.text for chunk in self._chunks], stopwords="en", show_progress=False),
            show_progress=False,
        )

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        tokens = self._bm25s.tokenize([query], stopwords="en", show_progress=False)
        wanted = min(k, len(self._chunks))
        rows, scores = self._index.retrieve(tokens, k=wanted, show_progress=False)
        return [_scored(self._chunks[int(row)], float(score)) for row, score in zip(rows[0], scores[0], strict=True)]


class LangChainSystem(PlainSystem):
    """Its recursive splitter, `HuggingFaceEmbeddings` and vector store, all with their defaults."""

    name = "LangChain, defaults"

    def __init__(self, chat: BaseChatModel, index: DocumentIndex):
        from langchain_huggingface import HuggingFaceEmbeddings

        super().__init__(chat)
        documents = [
            Document(text, metadata={"doc_id": entry.doc_id, "source": entry.source, "title": entry.title})
            for entry, text in _open_documents(index)
        ]
        embeddings = HuggingFaceEmbeddings(model_name=str(build_store().path("all-minilm-l6-v2")))
        self._store = InMemoryVectorStore(embeddings)
        self._store.add_documents(RecursiveCharacterTextSplitter().split_documents(documents))

    def search(self, query: str, groups: Iterable[str], k: int) -> Sequence[Passage]:
        return [
            Passage(
                found.metadata["doc_id"],
                found.metadata["source"],
                found.metadata["title"],
                "",
                None,
                None,
                found.page_content,
                0,
                float(np.clip(score, 0, 1)),
            )
            for found, score in self._store.similarity_search_with_score(query, k)
        ]


def _open_documents(index: DocumentIndex) -> list[tuple[Any, str]]:
    return [
        (entry, index.document(entry.doc_id).text) for entry in index.documents() if EVERYONE in entry.allowed_groups
    ]


def _chunks(index: DocumentIndex) -> list[Passage]:
    chunks = []
    for entry, text in _open_documents(index):
        for span in index.chunk_spans(entry.doc_id):
            words = text[span.start_index : span.end_index]
            chunks.append(
                Passage(
                    entry.doc_id, entry.source, entry.title, span.section, span.page, span.place, words,
                    span.start_index, 0.0,
                )
            )  # fmt: skip
    return chunks


def _scored(passage: Passage, score: float) -> Passage:
    from dataclasses import replace

    return replace(passage, score=score)
