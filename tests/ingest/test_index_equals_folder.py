"""Whatever happens to a folder, and wherever a job breaks off, the next ingest makes the index what the folder is.

Files are read in this process here, which is quicker than a worker each time; `test_kill.py` has the real ones.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from unittest.mock import patch

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ingest_harness import Bench, CountingEmbeddings, TokenOffsets
from langchain_core.embeddings import Embeddings

from ingest.loaders import load
from ingest.sandbox import ParsedFile
from ingest.verification import verify
from ragvoice.datatypes import EVERYONE
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.vector_store import FaissStore

NAMES = ["a.md", "b.txt", "hr/a.md", "hr/pay/c.md", "it/d.md", "it/e.txt"]
BREAKS = [
    "ingest.job.EmbeddingQueue.finish",
    "ingest.journal.Journal.keep_vectors",
    "ingest.writer.LexicalIndex.build",
    "ingest.writer.publish",
    "ragvoice.retrieval.generations.os.replace",
    "ragvoice.retrieval.vector_store.write_vectors",
]


class Broken(Exception):
    """Where the job was stopped."""


class InThisProcess:
    """In place of `ParserPool`."""

    def __init__(self, *_: object):
        pass

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def parse(self, paths: Iterable[Path]) -> Iterator[ParsedFile]:
        for path in paths:
            yield ParsedFile(path, tuple(load(path)), None)


def machine(embeddings: Embeddings, embedder: EmbedderIdentity, tokens_of: TokenOffsets) -> type[RuleBasedStateMachine]:
    class FolderAndIndex(RuleBasedStateMachine):
        @initialize()
        def start(self) -> None:
            self.top = Path(tempfile.mkdtemp())
            (self.top / "documents").mkdir()
            counting = CountingEmbeddings(embeddings)
            self.bench = Bench(self.top / "documents", self.top / "index", counting, embedder, tokens_of)
            self.words = 0
            self.everything: set[str] = set()
            """Every word that was ever in a file."""
            self.files: dict[str, str] = {}
            self.hr_only = False
            self.in_step = False

        def teardown(self) -> None:
            shutil.rmtree(self.top, ignore_errors=True)

        @rule(name=st.sampled_from(NAMES), sections=st.integers(1, 3))
        def write(self, name: str, sections: int) -> None:
            self.words += 1
            word = f"zqx{self.words}k"
            self.everything.add(word)
            body = "\n".join(f"## Section {number}\n\nThe {word} of section {number}.\n" for number in range(sections))
            self.files[name] = f"# Note {word}\n\n{body}" if name.endswith(".md") else f"About {word}. " * sections
            self.bench.write(name, self.files[name])
            self.in_step = False

        @precondition(lambda self: self.files)
        @rule(data=st.data(), name=st.sampled_from(NAMES), keep=st.booleans())
        def move_or_copy(self, data: st.DataObject, name: str, keep: bool) -> None:
            old = data.draw(st.sampled_from(sorted(self.files)))
            if old == name or old[-3:] != name[-3:]:
                return
            text = self.files[old]
            self.bench.write(name, text)
            self.files[name] = text
            if not keep:
                del self.files[old]
                (self.bench.documents / old).unlink()
            self.in_step = False

        @precondition(lambda self: self.files)
        @rule(data=st.data())
        def delete(self, data: st.DataObject) -> None:
            name = data.draw(st.sampled_from(sorted(self.files)))
            del self.files[name]
            (self.bench.documents / name).unlink()
            self.in_step = False

        @rule(hr_only=st.booleans())
        def restrict(self, hr_only: bool) -> None:
            self.hr_only = hr_only
            rules = '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\nowner = "Ada"\n'
            self.bench.write("access.toml", rules if hr_only else '[[rule]]\npath = "x"\ngroups = ["x"]\n')
            self.in_step = False

        @precondition(lambda self: self.files)
        @rule(where=st.sampled_from(BREAKS))
        def ingest_and_break(self, where: str) -> None:
            before = self.bench.index_texts()
            with patch(where, side_effect=Broken), patch("ingest.job.ParserPool", InThisProcess):
                try:
                    self.bench.ingest()
                except Broken:
                    assert self.bench.index_texts() == before
                else:
                    self.in_step = True

        @precondition(lambda self: self.files)
        @rule()
        def ingest(self) -> None:
            with patch("ingest.job.ParserPool", InThisProcess):
                self.bench.ingest()
            self.in_step = True

        @invariant()
        def the_index_is_the_folder(self) -> None:
            if not getattr(self, "in_step", False):
                return
            assert self.bench.index_texts() == {name: text.strip("\n") for name, text in self.files.items()}
            for document in self.bench.opened().documents():
                hidden = self.hr_only and document.doc_id.startswith("hr/")
                assert document.allowed_groups == (("hr",) if hidden else (EVERYONE,))
                assert document.metadata.get("owner") == ("Ada" if hidden else None)
            assert verify(self.bench.index, FaissStore()).problems == ()
            gone = {word for word in self.everything if not any(word in text for text in self.files.values())}
            stored = b"".join(file.read_bytes() for file in self.bench.index.rglob("*") if file.is_file())
            assert [word for word in gone if word.encode() in stored] == []
            self.bench.embeddings.texts.clear()
            with patch("ingest.job.ParserPool", InThisProcess):
                again = self.bench.ingest()
            assert (again.added, again.changed, again.removed) == (0, 0, 0)
            assert self.bench.embeddings.texts == []

    return FolderAndIndex


def run(kind: type[RuleBasedStateMachine], examples: int, steps: int) -> None:
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_index_equals_folder(embeddings: Embeddings, embedder: EmbedderIdentity, tokens_of: TokenOffsets) -> None:
    run(machine(embeddings, embedder, tokens_of), 8, 12)


def test_index_equals_folder_in_many_small_shards_with_inverted_lists(
    embeddings: Embeddings, embedder: EmbedderIdentity, tokens_of: TokenOffsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ragvoice.retrieval.shards.SHARD_ROWS", 4)
    monkeypatch.setattr("ragvoice.retrieval.shards.EXACT_ROWS", 3)
    run(machine(embeddings, embedder, tokens_of), 4, 12)


@pytest.mark.slow
def test_index_equals_folder_long(embeddings: Embeddings, embedder: EmbedderIdentity, tokens_of: TokenOffsets) -> None:
    run(machine(embeddings, embedder, tokens_of), 80, 30)
