"""Nearest vectors of one index generation: every one compared while they are few, inverted lists beyond.

Everything but the ids is memory-mapped, so opening takes the same time whatever the size, and the memory in use is what
the system keeps of the files. The files: `ragvoice/retrieval/shards.py`; the figures: benchmarks/search.py.

Legend: `n` chunks in the index, `c` found rows, `d` embedding dimension, `l` lists, `m` allowed rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.ann import Partition, ShardLists
from ragvoice.retrieval.shards import (
    Layout,
    damaged,
    read_flat,
    read_ids,
    read_layout,
    read_lists,
    read_partition,
    write_vectors,
)

__all__ = ["VectorIndex", "VectorIndexError", "write_vectors"]

SCANNED_SHARE = 0.03
"""Of all chunks, how many a query is compared with by their codes: those of the nearest lists."""
FILTERED_SCANNED_SHARE = 0.045
"""The same, of allowed ones, when there is a filter: it may leave only what is far away, where more lists are alike."""
SCANNED_AT_LEAST = 16_384
SPARSE_SHARE = 0.2
"""When a filter leaves at most this share, its rows are looked up and compared by their vectors, without the codes:
stepping over the other rows of each list would cost more."""
LOOKED_UP_SHARE = 0.015
"""Of all chunks, how many rows are looked up, those of the nearest lists first."""
LOOKED_UP_AT_LEAST = 8192
_COUNTED_ROWS = 131_072
"""Sample of the rows by which the allowed ones of each list are estimated."""


@dataclass(frozen=True)
class _OpenShard:
    start: int
    """Row of the index that is the shard's first."""
    flat: faiss.IndexFlat
    vectors_nd: NDArray[np.float32]
    lists: ShardLists | None

    @property
    def rows(self) -> slice:
        return slice(self.start, self.start + len(self.vectors_nd))


class VectorIndex:
    """Safe for several threads."""

    def __init__(
        self,
        layout: Layout,
        ids_n: NDArray[np.int64],
        shards: list[_OpenShard],
        partition: Partition | None,
        lists_n: NDArray[np.uint16],
    ):
        self.ids_n = ids_n
        """Sorted; a row is a position in it."""
        self.size = len(ids_n)
        self.dimension = layout.dimension
        self._layout = layout
        self._shards = shards
        self._starts = np.array([shard.start for shard in shards], dtype=np.int64)
        self._partition = partition
        self._lists_n = lists_n
        """The list of each row; empty without a partition."""
        self._rows_l = np.bincount(lists_n, minlength=partition.lists if partition else 0)

    @classmethod
    def open(cls, folder: Path) -> VectorIndex:
        """:raises VectorIndexError: when files are missing, not complete, or not what they should be."""
        layout = read_layout(folder)
        shards, ids, lists, start = [], [], [], 0
        try:
            partition = read_partition(folder) if layout.trained_rows else None
            for shard in layout.shards:
                flat, vectors_nd = read_flat(folder, shard, layout.dimension)
                codes = partition.open_lists(folder / f"{shard.name}.codes") if partition else None
                shards.append(_OpenShard(start, flat, vectors_nd, codes))
                ids.append(np.array(read_ids(folder, shard)))
                if partition:
                    lists.append(read_lists(folder, shard))
                start += shard.rows
        except RuntimeError as error:
            raise damaged(folder, str(error).splitlines()[0]) from error
        ids_n = np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64)
        lists_n = np.concatenate(lists) if lists else np.zeros(0, dtype=np.uint16)
        return cls(layout, ids_n, shards, partition, lists_n)

    def search(
        self, query_d: NDArray[np.float32], limit: int, allowed_n: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the nearest allowed chunks and their exact cosine similarity, best first; both of shape (c,).

        :param allowed_n: Shape (n,); None allows every row. No other row is ever returned.
        """
        if query_d.shape != (self.dimension,) or (allowed_n is not None and allowed_n.shape != (self.size,)):
            allowed_shape = None if allowed_n is None else allowed_n.shape
            raise ValueError(f"query {query_d.shape} and filter {allowed_shape} for {self.size} x {self.dimension}")
        allowed = self.size if allowed_n is None else int(np.count_nonzero(allowed_n))
        limit = min(limit, allowed)
        if limit <= 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
        if allowed == self.size:
            allowed_n = None
        query_d = np.ascontiguousarray(query_d, dtype=np.float32)
        with _one_thread():
            return self._search(query_d, limit, allowed, allowed_n)

    def _search(
        self, query_d: NDArray[np.float32], limit: int, allowed: int, allowed_n: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        if self._partition is None:
            return self._every_row(query_d, limit, allowed_n)
        if allowed_n is not None and allowed <= self.size * SPARSE_SHARE:
            rows_m = self._nearby(self._partition, query_d, np.flatnonzero(allowed_n), limit)
        else:
            rows_m = self._candidates(self._partition, query_d, limit, allowed_n)
        if len(rows_m) < limit:
            return self._every_row(query_d, limit, allowed_n)
        return self._ranked(query_d, limit, rows_m)

    def vectors(self, rows_c: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shape (c, d), in the order of the rows."""
        rows_c = np.asarray(rows_c, dtype=np.int64)
        vectors_cd = np.empty((len(rows_c), self.dimension), dtype=np.float32)
        shard_c = np.searchsorted(self._starts, rows_c, side="right") - 1
        for number in np.unique(shard_c):
            here = shard_c == number
            shard = self._shards[number]
            vectors_cd[here] = shard.vectors_nd[rows_c[here] - shard.start]
        return vectors_cd

    def describe(self) -> dict[str, Any]:
        partition = self._partition
        return {
            "kind": "exact"
            if partition is None
            else f"inverted lists ({partition.lists}), 8-bit codes, ranked exactly",
            "vectors": self.size,
            "dimension": self.dimension,
            "shards": len(self._shards),
            "bytes": sum(self._layout.files.values()),
        }

    def _every_row(
        self, query_d: NDArray[np.float32], limit: int, allowed_n: NDArray[np.bool_] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows, similarities = [], []
        for shard in self._shards:
            selector = _selector(allowed_n, shard.rows)
            parameters = faiss.SearchParameters(sel=selector) if selector else None  # type: ignore[call-arg]
            count = min(limit, len(shard.vectors_nd))
            similarity, row = shard.flat.search(query_d[None, :], count, params=parameters)
            found = row[0] >= 0
            rows.append(row[0][found] + shard.start)
            similarities.append(similarity[0][found])
        return _best(np.concatenate(rows), np.concatenate(similarities), limit)

    def _ranked(
        self, query_d: NDArray[np.float32], limit: int, rows_m: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        rows_m = np.sort(rows_m)
        similarity_m = np.empty(len(rows_m), dtype=np.float32)
        cuts = np.searchsorted(rows_m, [*self._starts, self.size])
        for shard, first, last in zip(self._shards, cuts[:-1], cuts[1:], strict=True):
            rows = rows_m[first:last] - shard.start
            # where they are mapped: a copy would take longer than the products (the stubs do not have the function)
            faiss.fvec_inner_products_by_idx(  # type: ignore[attr-defined]
                faiss.swig_ptr(similarity_m[first:last]), faiss.swig_ptr(query_d), shard.flat.get_xb(),
                faiss.swig_ptr(rows), self.dimension, 1, len(rows),
            )  # fmt: skip
        return _best(rows_m, similarity_m, limit)

    def _nearby(
        self, partition: Partition, query_d: NDArray[np.float32], rows_m: NDArray[np.int64], limit: int
    ) -> NDArray[np.int64]:
        """Of the allowed rows, those of the nearest lists, as many as may be looked up."""
        wanted = max(LOOKED_UP_AT_LEAST, int(self.size * LOOKED_UP_SHARE), 2 * limit)
        if len(rows_m) <= wanted:
            return rows_m
        lists_m = self._lists_n[rows_m]
        near_l = np.zeros(partition.lists, dtype=bool)
        near_l[_nearest_lists(partition, query_d, np.bincount(lists_m, minlength=partition.lists), wanted)] = True
        return rows_m[near_l[lists_m]]

    def _candidates(
        self, partition: Partition, query_d: NDArray[np.float32], limit: int, allowed_n: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """Allowed rows of the nearest lists, the best by their codes, somewhat more than `limit`.

        Lists are taken until they have enough *allowed* rows, so that a filter that leaves only distant ones does not
        cost recall.
        """
        rows_l = self._rows_l if allowed_n is None else self._allowed_by_list(allowed_n)
        share = SCANNED_SHARE if allowed_n is None else FILTERED_SCANNED_SHARE
        wanted = max(SCANNED_AT_LEAST, int(self.size * share), 4 * limit)
        lists_p = _nearest_lists(partition, query_d, rows_l, wanted)
        count = limit + max(limit // 2, 25)
        rows, similarities = [], []
        for shard in self._shards:
            assert shard.lists is not None
            row, similarity = shard.lists.search(query_d, lists_p, count, _selector(allowed_n, shard.rows))
            sound = row < len(shard.vectors_nd)  # an address is made of it, so it is not taken on trust from a file
            rows.append(row[sound] + shard.start)
            similarities.append(similarity[sound])
        return _best(np.concatenate(rows), np.concatenate(similarities), count)[0]

    def _allowed_by_list(self, allowed_n: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Shape (l,), estimated from a sample of the rows."""
        every = slice(None, None, max(1, self.size // _COUNTED_ROWS))
        counted = self._lists_n[every][allowed_n[every]]
        return np.bincount(counted, minlength=len(self._rows_l)) * every.step


def _nearest_lists(
    partition: Partition, query_d: NDArray[np.float32], rows_l: NDArray[np.int64], wanted: int
) -> NDArray[np.int64]:
    """As many of the nearest lists as it takes to reach the wanted number of rows."""
    order_l = np.argsort(-partition.similarity(query_d), kind="stable")
    return order_l[: int(np.searchsorted(np.cumsum(rows_l[order_l]), wanted)) + 1]


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS on the calling thread alone, for this caller only (and no BLAS, which has threads of its own).

    A search is too short to be shared out: on busy cores the threads waited six times longer for one another than the
    search takes.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def _selector(allowed_n: NDArray[np.bool_] | None, rows: slice) -> faiss.IDSelector | None:
    """Of the rows of one shard; None when all of them are allowed."""
    if allowed_n is None or allowed_n[rows].all():
        return None
    bits: Any = np.packbits(allowed_n[rows], bitorder="little")
    return faiss.IDSelectorBitmap(bits)  # type: ignore[call-arg]  # the stubs describe C++'s constructor


def _best(
    rows_c: NDArray[np.int64], similarity_c: NDArray[np.float32], limit: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    order = np.argsort(-similarity_c, kind="stable")[:limit]
    return rows_c[order], similarity_c[order]
