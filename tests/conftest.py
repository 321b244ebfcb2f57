"""What several rooms are tested on: the real small models, and one index of the sample company for all tests.

A missing model fails the tests: a skip would hide that nothing was tested.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from postgres_server import PostgresServer

from ragvoice.errors import RagVoiceError
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.settings import Settings, home

DOCUMENTS = Path(__file__).resolve().parents[1] / "data" / "documents"
MODELS = ("all-minilm-l6-v2", "qwen2.5-coder-0.5b-instruct", "whisper-base", "piper-en-us-joe-medium")


@pytest.fixture(scope="session", autouse=True)
def _turns_of_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test logs its turns beside those of whoever runs it."""
    os.environ["RAGVOICE_TURNS"] = str(tmp_path_factory.mktemp("turns") / "turns.sqlite")


@pytest.fixture(autouse=True)
def _main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit's tests leave a script of theirs as the main module, which a spawned process would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(scope="session")
def model_home() -> Path:
    """The RAGVOICE_HOME of this run, with the default models in it."""
    from ragvoice.build import build_store

    for name in MODELS:
        try:
            build_store().path(name)
        except RagVoiceError as error:
            pytest.fail(f"These tests run on the real model {name}. {error} (RAGVOICE_HOME says where)", pytrace=False)
    return home()


@pytest.fixture(scope="session")
def settings(model_home: Path) -> Settings:
    """The defaults, whatever this machine's environment and settings file say."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
    return Settings.model_construct(**{**defaults, "threads": 2})


@pytest.fixture(scope="session")
def embeddings(settings: Settings) -> Embeddings:
    from ragvoice.build import build_embeddings

    return build_embeddings(settings)


@pytest.fixture(scope="session")
def tokens_of(settings: Settings) -> Callable[[str], Sequence[tuple[int, int]]]:
    from ragvoice.build import token_offsets

    return token_offsets(settings)


@pytest.fixture(scope="session")
def embedder(settings: Settings) -> EmbedderIdentity:
    from ragvoice.build import embedder_identity

    return embedder_identity(settings)


@pytest.fixture(scope="session")
def sample_index(
    tmp_path_factory: pytest.TempPathFactory,
    embeddings: Embeddings,
    embedder: EmbedderIdentity,
    tokens_of: Callable[[str], Sequence[tuple[int, int]]],
    settings: Settings,
) -> Path:
    """Folder of an index of `data/documents`; read it, never write to it."""
    from ingest.documents import Chunking
    from ingest.job import ingest

    index = tmp_path_factory.mktemp("sample") / "index"
    chunking = Chunking(tokens_of, settings.chunk_tokens, settings.overlap_tokens)
    ingest([DOCUMENTS], index, lambda: embeddings, embedder, chunking)
    return index


@pytest.fixture(scope="session")
def sample(sample_index: Path) -> DocumentIndex:
    return DocumentIndex.open(sample_index)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A real server with pgvector, started for this run."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    """Name of a database on it that holds nothing of other tests."""
    name = "tests"
    if not postgres.execute(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
        postgres.new_database(name)
    postgres.execute("DROP SCHEMA IF EXISTS ragvoice CASCADE", name)
    return name


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No RAGVOICE_ variable but an empty home, and an empty working folder, which is returned."""
    for name in list(os.environ):
        if name.startswith("RAGVOICE_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "working"
    folder.mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    return folder
