"""Vectors on a real PostgreSQL server: what is written is found, exactly, and only by whom it is meant for."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from postgres_server import PostgresServer

from ragvoice.build import build_vector_store
from ragvoice.errors import UsageError, VectorIndexError, VectorServerError
from ragvoice.retrieval import pgvector_rows, pgvector_search
from ragvoice.retrieval.pgvector import PgVectorStore
from ragvoice.retrieval.vector_store import VectorSearch
from ragvoice.settings import Settings

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

DIMENSION = 32
ROWS = 3000
CHUNKS_A_DOCUMENT = 5
NOTHING = np.zeros(0, dtype=np.int64)


def unit(rows: int, seed: int = 0) -> Floats:
    """Clustered, as embeddings are."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((40, DIMENSION))
    vectors = centres[generator.integers(0, 40, rows)] + 0.6 * generator.standard_normal((rows, DIMENSION))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


class Folder:
    """An index folder, of which only what the store reads is there."""

    def __init__(self, path: Path, store: PgVectorStore):
        self.path, self.store = path, store
        self._number = 0

    def write(self, keep: Ids, ids: Ids, vectors: Floats, previous: Path | None = None, publish: bool = True) -> Path:
        self._number += 1
        staged = self.path / "generations" / f"g{self._number}"
        staged.mkdir(parents=True)
        np.save(staged / "chunks.npy", (np.concatenate([keep, ids]) // CHUNKS_A_DOCUMENT).astype(np.int32))
        parts = max(1, len(ids) // 700)
        batches = zip(np.array_split(ids, parts), np.array_split(vectors, parts), strict=True)
        self.store.write(staged, previous, keep, batches, DIMENSION)
        if publish:
            (self.path / "CURRENT").write_text(staged.name)
        return staged

    def drop(self, generation: Path) -> None:
        shutil.rmtree(generation)
        self.store.retain(self.path / "generations")


@pytest.fixture
def folder(tmp_path: Path, postgres: PostgresServer, database: str) -> Folder:
    return Folder(tmp_path / "index", PgVectorStore(postgres.address(database)))


@pytest.fixture(params=["exact", "HNSW"])
def written(
    request: pytest.FixtureRequest, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> tuple[VectorSearch, Floats]:
    """A generation and its vectors, as if it were large or small."""
    few = 50_000 if request.param == "exact" else 100
    monkeypatch.setattr(pgvector_rows, "EXACT_ROWS", few)
    monkeypatch.setattr(pgvector_search, "EXACT_ROWS", few)
    vectors = unit(ROWS)
    search = folder.store.open(folder.write(NOTHING, np.arange(ROWS, dtype=np.int64), vectors))
    assert search.describe()["kind"].startswith(request.param)
    return search, vectors


def exact(vectors: Floats, query: Floats, limit: int, allowed: NDArray[np.bool_]) -> list[int]:
    scores = np.where(allowed, vectors @ query, -np.inf)
    return np.argsort(-scores, kind="stable")[:limit].tolist()  # type: ignore[no-any-return]


def by_document(share: float) -> NDArray[np.bool_]:
    documents = np.random.default_rng(1).random(ROWS // CHUNKS_A_DOCUMENT) < share
    return np.repeat(documents, CHUNKS_A_DOCUMENT)


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param(np.ones(ROWS, dtype=bool), id="all"),
        pytest.param(by_document(0.5), id="half"),
        pytest.param(by_document(0.95), id="nearly all"),
        pytest.param(by_document(0.02), id="few"),
        pytest.param(np.random.default_rng(2).random(ROWS) < 0.5, id="parts of documents"),
        pytest.param(unit(ROWS)[:, 0] > 0.1, id="by topic"),
    ],
)
def test_the_nearest_allowed_rows_are_found_with_exact_similarities(
    written: tuple[VectorSearch, Floats], allowed: NDArray[np.bool_]
) -> None:
    search, vectors = written
    hits = 0
    for query in unit(20, seed=7):
        rows, similarity = search.search(query, 10, allowed)
        assert len(rows) == 10
        assert allowed[rows].all()
        assert similarity == pytest.approx(vectors[rows] @ query, abs=1e-5)
        assert (np.diff(similarity) <= 0).all()
        hits += len({*rows.tolist()} & {*exact(vectors, query, 10, allowed)})
    assert hits / 200 >= (1.0 if search.describe()["kind"] == "exact" else 0.95)


def test_as_many_as_are_asked_for_and_allowed(written: tuple[VectorSearch, Floats]) -> None:
    search, vectors = written
    for limit in (0, 1, 100, ROWS, 10 * ROWS):
        assert len(search.search(vectors[0], limit)[0]) == min(limit, ROWS)
    nobody = np.zeros(ROWS, dtype=bool)
    assert len(search.search(vectors[0], 5, nobody)[0]) == 0
    nobody[17] = True
    assert search.search(vectors[0], 5, nobody)[0].tolist() == [17]
    with pytest.raises(ValueError, match="filter"):
        search.search(vectors[0], 5, nobody[:-1])


def test_vectors_come_back_as_they_were_in_the_order_asked_for(written: tuple[VectorSearch, Floats]) -> None:
    search, vectors = written
    rows = np.array([2999, 0, 17, 17, 500])
    assert np.array_equal(search.vectors(rows), vectors[rows])
    assert search.vectors(NOTHING).shape == (0, DIMENSION)
    assert (search.size, search.dimension) == (ROWS, DIMENSION)


def test_many_threads_ask_and_a_restart_of_the_server_is_not_noticed(
    written: tuple[VectorSearch, Floats], postgres: PostgresServer
) -> None:
    search, vectors = written
    found: dict[int, int] = {}

    def ask(row: int) -> None:
        found[row] = int(search.search(vectors[row], 1)[0][0])

    threads = [threading.Thread(target=ask, args=(row,)) for row in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {row: row for row in range(24)}
    postgres.stop()
    with pytest.raises(VectorServerError, match="cannot be reached"):
        ask(0)
    postgres.start()
    started = time.perf_counter()
    ask(30)
    assert found[30] == 30
    assert time.perf_counter() - started < 3  # no waiting for connections that are dead


def test_a_large_index_stays_right_while_rows_come_and_go(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgvector_rows, "EXACT_ROWS", 100)
    monkeypatch.setattr(pgvector_search, "EXACT_ROWS", 100)
    vectors = unit(ROWS)
    ids = np.arange(ROWS, dtype=np.int64)
    first = folder.write(NOTHING, ids[:2000], vectors[:2000])
    keep = ids[500:2000]
    second = folder.write(keep, ids[2000:], vectors[2000:], first)
    before, after = folder.store.open(first), folder.store.open(second)
    for search, rows in ((before, ids[:2000]), (after, ids[500:])):
        assert np.array_equal(search.ids_n, rows)
        hits = 0
        for query in unit(20, seed=7):
            allowed = np.isin(ids, rows)
            found = search.ids_n[search.search(query, 10)[0]]
            hits += len({*found.tolist()} & {*exact(vectors, query, 10, allowed)})
        assert hits / 200 >= 0.95
    folder.drop(first)
    assert np.array_equal(folder.store.open(second).ids_n, ids[500:])
    with pytest.raises(VectorServerError, match="a newer one is published"):
        before.vectors(np.array([0]))


def test_what_is_to_be_kept_must_be_there(folder: Folder) -> None:
    ids = np.arange(10, dtype=np.int64)
    first = folder.write(NOTHING, ids, unit(10))
    with pytest.raises(VectorIndexError, match=r"Of 2 vectors to be kept some are missing.*--rebuild"):
        folder.write(np.array([3, 77]), NOTHING, unit(0), first)
    assert folder.store.open(first).size == 10


def test_rows_that_do_not_fit_are_refused_as_a_whole(folder: Folder) -> None:
    ids = np.arange(10, dtype=np.int64)
    first = folder.write(NOTHING, ids, unit(10))
    with pytest.raises(ValueError, match="must ascend"):
        folder.write(ids, np.array([12, 11]), unit(2), first)
    with pytest.raises(ValueError, match="shape"):
        folder.write(ids, np.array([12]), unit(1)[:, 1:], first)
    assert folder.store.open(folder.write(ids, np.array([12]), unit(1), first)).size == 11


def test_deleted_vectors_are_cleared_from_the_indexes_too(
    folder: Folder, postgres: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector_rows, "EXACT_ROWS", 100)
    vectors = unit(6000)  # so many that PostgreSQL would not clear its indexes for two dead rows
    ids = np.arange(6000, dtype=np.int64)
    first = folder.write(NOTHING, ids, vectors)
    second = folder.write(ids[1:], NOTHING, unit(0), first)
    table = folder.store.open(second).describe()["table"]
    removed, kept = vectors[0].astype(np.float16).tobytes(), vectors[1].astype(np.float16).tobytes()
    assert removed in postgres.file_of(f"{table}_hnsw", database)
    folder.drop(first)
    assert removed not in postgres.file_of(f"{table}_hnsw", database)
    assert kept in postgres.file_of(f"{table}_hnsw", database)
    assert postgres.execute(f"SELECT count(*) FROM {table}", database) == [(5999,)]


def test_a_second_writer_of_the_same_vectors_is_told(folder: Folder) -> None:
    first = folder.write(NOTHING, np.arange(3, dtype=np.int64), unit(3))

    def meanwhile() -> Iterator[tuple[Ids, Floats]]:
        with pytest.raises(VectorServerError, match="Another process is writing"):
            folder.write(np.arange(3, dtype=np.int64), NOTHING, unit(0), first)
        yield np.array([4]), unit(1)

    staged = folder.path / "generations" / "g9"
    staged.mkdir()
    np.save(staged / "chunks.npy", np.zeros(4, dtype=np.int32))
    folder.store.write(staged, first, np.arange(3, dtype=np.int64), meanwhile(), DIMENSION)
    assert folder.store.open(staged).size == 4


def test_a_server_that_does_not_know_the_index_says_so(folder: Folder, postgres: PostgresServer) -> None:
    first = folder.write(NOTHING, np.arange(3, dtype=np.int64), unit(3))
    elsewhere = PgVectorStore(postgres.address("postgres"))
    with pytest.raises(VectorServerError, match=r"does not know this index.*vector_store.*--rebuild"):
        elsewhere.open(first)
    folder.store = elsewhere
    with pytest.raises(VectorIndexError, match=r"does not know this index.*--rebuild"):
        folder.write(NOTHING, NOTHING, unit(0), first)


def test_an_index_comes_along_when_the_database_moves(folder: Folder, postgres: PostgresServer, database: str) -> None:
    first = folder.write(NOTHING, np.arange(3, dtype=np.int64), unit(3))
    users = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"
    postgres.execute(users)  # a template must have none
    postgres.execute(f"CREATE DATABASE moved TEMPLATE {database}")
    assert PgVectorStore(postgres.address("moved")).open(first).size == 3


def test_rights_that_are_missing_are_named(folder: Folder, postgres: PostgresServer, database: str) -> None:
    first = folder.write(NOTHING, np.arange(3, dtype=np.int64), unit(3))
    postgres.execute("DROP ROLE IF EXISTS clerk")
    postgres.execute("CREATE ROLE clerk LOGIN")
    clerk = PgVectorStore(postgres.address(database, "clerk"))
    with pytest.raises(VectorServerError, match=r"does not permit this.*administrator"):
        clerk.open(first)
    postgres.execute("GRANT USAGE ON SCHEMA ragvoice TO clerk", database)
    postgres.execute("GRANT SELECT ON ALL TABLES IN SCHEMA ragvoice TO clerk", database)
    assert clerk.open(first).search(unit(3)[1], 1)[0].tolist() == [1]
    postgres.execute(
        "REVOKE ALL ON ALL TABLES IN SCHEMA ragvoice FROM clerk; REVOKE ALL ON SCHEMA ragvoice FROM clerk", database
    )
    if not postgres.execute("SELECT 1 FROM pg_database WHERE datname = 'bare'"):
        postgres.new_database("bare")
    folder.store = PgVectorStore(postgres.address("bare", "clerk"))
    with pytest.raises(VectorServerError, match=r"has no pgvector.*CREATE EXTENSION vector"):
        folder.write(NOTHING, np.arange(3, dtype=np.int64), unit(3))


def test_a_password_in_the_address_is_refused_and_not_repeated(settings: Settings) -> None:
    for address in (
        "postgresql://a:S3cret@host/db",
        "postgresql://host/db?password=S3cret",
        "postgresql://a:S3cret@[::",
    ):
        with pytest.raises(UsageError) as caught:
            build_vector_store(settings.model_copy(update={"vector_store": address}))
        assert "S3cret" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    with pytest.raises(UsageError, match="faiss or postgresql://"):
        build_vector_store(settings.model_copy(update={"vector_store": "milvus"}))


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    store = PgVectorStore("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(VectorServerError, match=r"127\.0\.0\.1/none cannot be reached .*refused") as caught:
        store._server.connect().__enter__()
    assert "\n" not in str(caught.value)
