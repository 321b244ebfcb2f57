"""Vectors of a generation: found whatever the size, never one that is not allowed, no trace left of a removed one."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.errors import VectorIndexError
from ragvoice.retrieval import shards, vectors
from ragvoice.retrieval.ann import Partition
from ragvoice.retrieval.vectors import VectorIndex, write_vectors

DIMENSION = 32
NOTHING = np.zeros(0, dtype=np.int64)

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_ROWS", 1000)


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inverted lists from 1,001 rows on; a query is compared with few of them, as it is in a large index."""
    monkeypatch.setattr(shards, "EXACT_ROWS", 1000)
    monkeypatch.setattr(vectors, "SCANNED_AT_LEAST", 500)
    monkeypatch.setattr(vectors, "SCANNED_SHARE", 0.1)
    monkeypatch.setattr(vectors, "FILTERED_SCANNED_SHARE", 0.1)
    monkeypatch.setattr(vectors, "LOOKED_UP_AT_LEAST", 250)


def unit(values: NDArray[np.floating]) -> Floats:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def clustered(rows: int, seed: int = 0) -> Floats:
    random = np.random.default_rng(seed)
    centres = random.standard_normal((60, DIMENSION))
    return unit(centres[random.integers(0, 60, rows)] + 0.5 * random.standard_normal((rows, DIMENSION)))


def side(rows: Floats) -> NDArray[np.bool_]:
    """Rows of about half of the clusters."""
    return rows @ unit(np.random.default_rng(5).standard_normal((1, DIMENSION)))[0] > 0


def batches(ids: Ids, rows: Floats, size: int = 300) -> Iterator[tuple[Ids, Floats]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size], rows[start : start + size]


def written(target: Path, rows: Floats, ids: Ids | None = None) -> VectorIndex:
    ids = np.arange(len(rows), dtype=np.int64) if ids is None else ids
    write_vectors(target, None, NOTHING, batches(ids, rows), rows.shape[1])
    return VectorIndex.open(target)


def exact(rows: Floats, query: Floats, limit: int, allowed: NDArray[np.bool_] | None = None) -> list[int]:
    scores = rows @ query
    if allowed is not None:
        scores[~allowed] = -np.inf
    return np.argsort(-scores, kind="stable")[:limit].tolist()  # type: ignore[no-any-return]


def recall(index: VectorIndex, rows: Floats, queries: Floats, allowed: NDArray[np.bool_] | None = None) -> float:
    found = 0
    for query in queries:
        rows_c, _ = index.search(query, 10, allowed)
        assert allowed is None or allowed[rows_c].all()
        assert len(set(rows_c.tolist())) == 10
        found += len(set(rows_c.tolist()) & set(exact(rows, query, 10, allowed)))
    return found / (10 * len(queries))


def bytes_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()))


def test_a_small_index_compares_every_vector(tmp_path: Path) -> None:
    rows = clustered(2500)
    index = written(tmp_path / "vectors", rows, ids=np.arange(2500, dtype=np.int64) * 3 + 7)
    assert (index.size, index.dimension) == (2500, DIMENSION)
    assert index.ids_n.tolist() == list(range(7, 7 + 3 * 2500, 3))
    assert index.describe()["kind"] == "exact"
    assert index.describe()["shards"] == 3
    for query in clustered(20, seed=1):
        rows_c, similarity_c = index.search(query, 10)
        assert rows_c.tolist() == exact(rows, query, 10)
        assert similarity_c == pytest.approx(rows[rows_c] @ query, abs=1e-6)


def test_vectors_come_back_as_they_were_in_the_order_asked_for(tmp_path: Path) -> None:
    rows = clustered(2500)
    index = written(tmp_path / "vectors", rows)
    asked = np.array([2499, 0, 1000, 999, 0])
    assert (index.vectors(asked) == rows[asked]).all()
    assert index.vectors(NOTHING).shape == (0, DIMENSION)


def test_a_filter_hides_rows_whatever_their_number(tmp_path: Path) -> None:
    rows = clustered(2500)
    index = written(tmp_path / "vectors", rows)
    for share in (0.5, 0.1, 0.01):
        allowed = np.random.default_rng(2).random(2500) < share
        assert recall(index, rows, clustered(20, seed=1), allowed) == 1.0


def test_no_more_rows_come_back_than_there_are_or_may_be_seen(tmp_path: Path) -> None:
    rows = clustered(30)
    index = written(tmp_path / "vectors", rows)
    allowed = np.zeros(30, dtype=bool)
    assert len(index.search(rows[0], 100)[0]) == 30
    assert len(index.search(rows[0], 100, allowed)[0]) == 0
    allowed[[4, 9]] = True
    assert sorted(index.search(rows[0], 100, allowed)[0].tolist()) == [4, 9]
    assert len(index.search(rows[0], 0)[0]) == 0


def test_a_query_or_filter_of_another_index_is_refused(tmp_path: Path) -> None:
    index = written(tmp_path / "vectors", clustered(30))
    with pytest.raises(ValueError, match="30 x 32"):
        index.search(np.ones(DIMENSION + 1, dtype=np.float32), 5)
    with pytest.raises(ValueError, match="30 x 32"):
        index.search(np.ones(DIMENSION, dtype=np.float32), 5, np.ones(31, dtype=bool))


def test_an_index_without_vectors_answers_nothing(tmp_path: Path) -> None:
    index = written(tmp_path / "vectors", np.zeros((0, DIMENSION), dtype=np.float32))
    assert (index.size, index.dimension) == (0, DIMENSION)
    assert len(index.search(np.ones(DIMENSION, dtype=np.float32), 10)[0]) == 0
    assert len(index.search(np.ones(DIMENSION, dtype=np.float32), 10, np.zeros(0, dtype=bool))[0]) == 0


def test_an_index_of_one_vector_finds_it(tmp_path: Path) -> None:
    rows = clustered(1)
    rows_c, similarity_c = written(tmp_path / "vectors", rows).search(rows[0], 10)
    assert rows_c.tolist() == [0]
    assert similarity_c == pytest.approx([1.0])


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.01])
def test_inverted_lists_find_nearly_all_that_is_nearest(tmp_path: Path, share: float) -> None:
    rows = clustered(5000)
    index = written(tmp_path / "vectors", rows)
    assert "inverted lists" in index.describe()["kind"]
    allowed = None if share == 1.0 else np.random.default_rng(2).random(5000) < share
    assert recall(index, rows, clustered(100, seed=1), allowed) >= 0.95


@pytest.mark.usefixtures("small_is_large")
def test_a_filter_that_leaves_only_other_topics_costs_no_recall(tmp_path: Path) -> None:
    rows = clustered(5000)
    index = written(tmp_path / "vectors", rows)
    queries = clustered(100, seed=1)
    assert recall(index, rows, queries[~side(queries)], side(rows)) >= 0.95


@pytest.mark.usefixtures("small_is_large")
def test_a_large_index_returns_as_many_rows_as_asked_for(tmp_path: Path) -> None:
    rows = clustered(3000)
    index = written(tmp_path / "vectors", rows)
    assert len(set(index.search(rows[0], 3000)[0].tolist())) == 3000
    allowed = np.zeros(3000, dtype=bool)
    allowed[17] = True
    assert index.search(rows[0], 10, allowed)[0].tolist() == [17]


@pytest.mark.usefixtures("small_is_large")
def test_threads_get_the_same_answers(tmp_path: Path) -> None:
    rows = clustered(5000)
    index = written(tmp_path / "vectors", rows)
    allowed = np.random.default_rng(2).random(5000) < 0.5
    queries = clustered(50, seed=1)
    expected = [index.search(query, 10, allowed)[0].tolist() for query in queries]
    wrong: list[int] = []

    def ask() -> None:
        for number, query in enumerate(queries):
            if index.search(query, 10, allowed)[0].tolist() != expected[number]:
                wrong.append(number)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_update_keeps_adds_and_removes(tmp_path: Path) -> None:
    rows = clustered(2600)
    written(tmp_path / "old", rows[:2500])
    keep = np.array([i for i in range(2500) if i % 10 != 3], dtype=np.int64)
    added = np.arange(9000, 9100, dtype=np.int64)
    write_vectors(tmp_path / "new", tmp_path / "old", keep, batches(added, rows[2500:]), DIMENSION)
    index = VectorIndex.open(tmp_path / "new")
    assert index.ids_n.tolist() == [*keep.tolist(), *added.tolist()]
    assert (index.vectors(np.arange(index.size)) == np.concatenate([rows[keep], rows[2500:]])).all()
    assert VectorIndex.open(tmp_path / "old").size == 2500


def test_shards_that_stay_as_they_were_are_linked(tmp_path: Path) -> None:
    rows = clustered(3500)
    written(tmp_path / "old", rows)
    keep = np.array([i for i in range(3500) if i != 1500], dtype=np.int64)
    write_vectors(tmp_path / "new", tmp_path / "old", keep, [], DIMENSION)
    linked = [
        (tmp_path / "new" / f"0000{shard}.flat").samefile(tmp_path / "old" / f"0000{shard}.flat") for shard in range(4)
    ]
    assert linked == [True, False, True, True]


def test_shards_are_copied_where_links_are_impossible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    rows = clustered(2500)
    written(tmp_path / "old", rows)
    monkeypatch.setattr(os, "link", refuse)
    write_vectors(tmp_path / "new", tmp_path / "old", np.arange(2500), [], DIMENSION)
    assert not (tmp_path / "new" / "00000.flat").samefile(tmp_path / "old" / "00000.flat")
    assert (VectorIndex.open(tmp_path / "new").vectors(np.arange(2500)) == rows).all()


def test_small_updates_do_not_pile_up_small_shards(tmp_path: Path) -> None:
    rows = clustered(1500)
    previous = None
    for update in range(30):
        ids = np.arange(update * 50, update * 50 + 50, dtype=np.int64)
        write_vectors(
            tmp_path / str(update), previous, np.arange(update * 50), [(ids, rows[ids])], DIMENSION
        )  # fmt: skip
        previous = tmp_path / str(update)
    index = VectorIndex.open(tmp_path / "29")
    assert index.describe()["shards"] <= 3
    assert (index.vectors(np.arange(1500)) == rows).all()


@pytest.mark.parametrize("large", [False, True])
def test_nothing_remains_of_a_removed_vector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        monkeypatch.setattr(shards, "EXACT_ROWS", 1000)
    rows = clustered(3000)
    rows[1200] = unit(-rows[:1].astype(float))[0]  # far from all others: a centroid of its own
    written(tmp_path / "old", rows)
    assert rows[1200].tobytes() in bytes_in(tmp_path / "old")
    gone = [5, 1200, 2999]
    keep = np.setdiff1d(np.arange(3000), gone)
    write_vectors(tmp_path / "new", tmp_path / "old", keep, [], DIMENSION)
    files = bytes_in(tmp_path / "new")
    for row in gone:
        assert rows[row].tobytes() not in files
        assert rows[row, :8].tobytes() not in files
    index = VectorIndex.open(tmp_path / "new")
    assert index.ids_n.tolist() == keep.tolist()
    for row in gone:
        rows_c, similarity_c = index.search(rows[row], 10)
        assert similarity_c.max() < 0.9999
        assert not set(index.ids_n[rows_c].tolist()) & set(gone)


@pytest.mark.usefixtures("small_is_large")
def test_a_centroid_goes_with_the_last_of_its_rows(tmp_path: Path) -> None:
    rows = clustered(3000)
    alone = unit(np.random.default_rng(9).standard_normal((1, DIMENSION)))[0]
    rows[100:140] = unit(alone + 0.001 * np.random.default_rng(8).standard_normal((40, DIMENSION)))
    written(tmp_path / "old", rows)
    centroids = shards.read_partition(tmp_path / "old")
    assert centroids.similarity(alone).max() > 0.999
    keep = np.setdiff1d(np.arange(3000), np.arange(100, 140))
    write_vectors(tmp_path / "new", tmp_path / "old", keep, [], DIMENSION)
    assert shards.read_partition(tmp_path / "new").similarity(alone).max() < 0.9


def test_no_centroid_is_a_single_vector() -> None:
    rows = clustered(1000)
    partition = Partition.train(rows, 400)
    assert max(partition.similarity(row).max() for row in rows) < 0.9999


def test_everything_can_be_removed(tmp_path: Path) -> None:
    rows = clustered(2500)
    written(tmp_path / "old", rows)
    write_vectors(tmp_path / "new", tmp_path / "old", NOTHING, [], DIMENSION)
    assert VectorIndex.open(tmp_path / "new").size == 0
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["index.json"]


@pytest.mark.usefixtures("small_is_large")
def test_an_index_grows_into_inverted_lists_and_shrinks_out_of_them(tmp_path: Path) -> None:
    rows = clustered(5000)
    queries = clustered(50, seed=1)
    written(tmp_path / "a", rows[:1000])
    sizes = [1000, 3000, 3300, 5000]
    for step, (before, after) in enumerate(pairwise(sizes)):
        write_vectors(
            tmp_path / "abcd"[step + 1], tmp_path / "abcd"[step], np.arange(before),
            batches(np.arange(before, after), rows[before:after]), DIMENSION,
        )  # fmt: skip
        index = VectorIndex.open(tmp_path / "abcd"[step + 1])
        assert "inverted lists" in index.describe()["kind"]
        assert recall(index, rows[:after], queries) >= 0.95
    same = (tmp_path / "b" / "partition.faiss").samefile(tmp_path / "c" / "partition.faiss")
    assert same, "a tenth more rows needs no training"
    write_vectors(tmp_path / "e", tmp_path / "d", np.arange(900), [], DIMENSION)
    index = VectorIndex.open(tmp_path / "e")
    assert index.describe()["kind"] == "exact"
    assert recall(index, rows[:900], queries) == 1.0
    assert not list((tmp_path / "e").glob("*.codes"))


@pytest.mark.usefixtures("small_is_large")
def test_an_index_that_doubles_is_partitioned_anew(tmp_path: Path) -> None:
    rows = clustered(5000)
    written(tmp_path / "old", rows[:2000])
    before = bytes_in(tmp_path / "old")
    write_vectors(tmp_path / "new", tmp_path / "old", np.arange(2000), batches(np.arange(2000, 5000), rows[2000:]), 32)
    assert bytes_in(tmp_path / "old") == before, "linked files are written anew, not in place"
    lists = [VectorIndex.open(tmp_path / name).describe()["kind"] for name in ("old", "new")]
    assert lists[0] != lists[1]
    assert recall(VectorIndex.open(tmp_path / "new"), rows, clustered(20, seed=1)) >= 0.95


def test_the_work_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "EXACT_ROWS", 1000)
    seen: list[tuple[str, int, int]] = []
    rows = clustered(1500)
    write_vectors(
        tmp_path / "vectors", None, NOTHING, batches(np.arange(1500), rows), DIMENSION,
        lambda step, done, total: seen.append((step, done, total)),
    )  # fmt: skip
    assert seen == [
        ("vectors", 1000, 0), ("vectors", 1500, 0), ("partition", 0, 1500), ("partition", 1500, 1500),
        ("codes", 1000, 1500), ("codes", 1500, 1500),
    ]  # fmt: skip


def test_a_folder_that_an_interrupted_writer_left_is_started_anew(tmp_path: Path) -> None:
    rows = clustered(100)
    (tmp_path / "vectors").mkdir()
    (tmp_path / "vectors" / "00007.flat").write_bytes(rows.tobytes())
    assert written(tmp_path / "vectors", rows).size == 100
    assert not (tmp_path / "vectors" / "00007.flat").exists()


def test_ids_that_do_not_ascend_are_refused(tmp_path: Path) -> None:
    rows = clustered(4)
    with pytest.raises(ValueError, match="ascend"):
        write_vectors(tmp_path / "a", None, NOTHING, [(np.array([3, 2, 5, 6]), rows)], DIMENSION)
    with pytest.raises(ValueError, match="shape"):
        write_vectors(tmp_path / "b", None, NOTHING, [(np.array([1, 2]), rows)], DIMENSION)


def test_keeping_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    written(tmp_path / "old", clustered(10))
    with pytest.raises(VectorIndexError, match="missing"):
        write_vectors(tmp_path / "new", tmp_path / "old", np.array([3, 11]), [], DIMENSION)
    with pytest.raises(VectorIndexError, match="dimensions"):
        write_vectors(tmp_path / "new", tmp_path / "old", np.array([3]), [], DIMENSION + 1)


FILES = ["index.json", "00000.flat", "00001.ids.npy", "00001.lists.npy", "00001.codes", "partition.faiss"]


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("name", FILES)
def test_a_missing_cut_or_overwritten_file_is_an_error_of_the_index(tmp_path: Path, name: str) -> None:
    written(tmp_path / "vectors", clustered(1500))
    file = tmp_path / "vectors" / name
    whole = file.read_bytes()
    for damaged in (None, b"", whole[: len(whole) // 2], b"\xff" * len(whole)):
        file.unlink(missing_ok=True)
        if damaged is not None:
            file.write_bytes(damaged)
        with pytest.raises(VectorIndexError, match="Rebuild"):
            VectorIndex.open(tmp_path / "vectors")


def test_files_of_other_vectors_are_noticed(tmp_path: Path) -> None:
    written(tmp_path / "vectors", clustered(100))
    written(tmp_path / "other", clustered(90))
    other = (tmp_path / "other" / "00000.flat").read_bytes()
    (tmp_path / "vectors" / "00000.flat").write_bytes(other)
    layout = json.loads((tmp_path / "vectors" / "index.json").read_text())
    layout["files"]["00000.flat"] = len(other)
    (tmp_path / "vectors" / "index.json").write_text(json.dumps(layout))
    with pytest.raises(VectorIndexError, match="90 x 32, expected 100 x 32"):
        VectorIndex.open(tmp_path / "vectors")


def test_a_folder_that_is_no_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(VectorIndexError):
        VectorIndex.open(tmp_path)
