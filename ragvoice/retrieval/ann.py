"""Approximate search within the shards of an index: inverted lists (IVF) of 8-bit codes, one file of lists a shard.

All shards share one partition of the space, so a query ranks the centroids once and a shard can be added, rewritten or
hard-linked without touching the others. The codes only choose candidates; whoever asks ranks them by the exact vectors.

Legend: `n` rows, `d` embedding dimension, `l` lists, `p` probed lists, `k` candidates.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

TRAINING_ROWS = 65_536
"""The partition is learnt from a sample of at most so many rows, whatever the corpus: 100 MB at d = 384."""

_ROUNDS = 8
_SAMPLED_PER_LIST = 16
_FEWEST_MEMBERS = 5
"""A centroid that stands for fewer sampled rows than this is left out: the mean of one row would be that row."""
_AT_ONCE = 8192


def lists_for(rows: int) -> int:
    """About 4 * sqrt(n), a power of two: 1,024 lists at 100,000 rows, 4,096 at a million and beyond.

    Half as many lists find less for the same number of compared codes (benchmarks/search.py).
    """
    return min(int(2 ** round(np.log2(4 * np.sqrt(max(rows, 1))))), TRAINING_ROWS // _SAMPLED_PER_LIST)


class Partition:
    """Centroids and the range of the codes; says which list a row belongs to."""

    def __init__(self, trained: faiss.IndexIVFScalarQuantizer):
        self._trained = trained
        self.lists: int = trained.nlist
        quantizer = faiss.downcast_index(trained.quantizer)
        self._centroids_ld: NDArray[np.float32] = quantizer.reconstruct_n(0, self.lists)

    @classmethod
    def train(cls, sample_nd: NDArray[np.float32], lists: int) -> Partition:
        """Spherical k-means with a fixed seed: the same sample makes the same partition."""
        dimension = sample_nd.shape[1]
        kmeans: Any = faiss.Kmeans(
            dimension, lists, niter=_ROUNDS, spherical=True, seed=1, min_points_per_centroid=1,
            max_points_per_centroid=len(sample_nd),
        )  # fmt: skip
        kmeans.train(sample_nd)
        members_l = np.bincount(kmeans.index.search(sample_nd, 1)[1][:, 0], minlength=lists)
        enough_l = members_l >= min(_FEWEST_MEMBERS, int(members_l.max()))
        return cls(_scalar_quantizer(kmeans.centroids[enough_l], sample_nd))

    @classmethod
    def load(cls, file: Path) -> Partition:
        """:raises RuntimeError: when it cannot be read."""
        trained: Any = faiss.read_index(str(file))
        return cls(trained)

    def save(self, file: Path) -> None:
        faiss.write_index(self._trained, str(file))

    def similarity(self, query_d: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the query and each centroid, shape (l,)."""
        similarity_l: NDArray[np.float32] = np.einsum("ld,d->l", self._centroids_ld, query_d)
        return similarity_l

    def assign(self, vectors_nd: NDArray[np.float32]) -> NDArray[np.uint16]:
        """The list of each row, shape (n,)."""
        lists_n = np.empty(len(vectors_nd), dtype=np.uint16)
        for start in range(0, len(vectors_nd), _AT_ONCE):
            block = vectors_nd[start : start + _AT_ONCE]
            lists_n[start : start + len(block)] = self._trained.quantizer.search(block, 1)[1][:, 0]
        return lists_n

    def without(self, empty_l: NDArray[np.bool_]) -> Partition:
        """The same lists, with nothing left of those centroids; none of their rows may be there any more."""
        centroids_ld = np.where(empty_l[:, None], np.float32(0), self._centroids_ld)
        return Partition(self._index(centroids_ld))

    def has_centroid(self) -> NDArray[np.bool_]:
        """Shape (l,): False for lists that `without` has cleared."""
        there_l: NDArray[np.bool_] = np.any(self._centroids_ld != 0, axis=1)
        return there_l

    def write_lists(self, file: Path, vectors_nd: NDArray[np.float32], lists_n: NDArray[np.uint16]) -> None:
        """Codes of one shard, grouped by list; each is known by its row within the shard."""
        index = self._index(self._centroids_ld)
        for start in range(0, len(vectors_nd), _AT_ONCE):
            block = np.ascontiguousarray(vectors_nd[start : start + _AT_ONCE])
            rows = np.arange(start, start + len(block), dtype=np.int64)
            lists = lists_n[start : start + len(block)].astype(np.int64)
            index.add_core(len(block), faiss.swig_ptr(block), faiss.swig_ptr(rows), faiss.swig_ptr(lists))
        writer = faiss.FileIOWriter(str(file))
        faiss.write_InvertedLists(index.invlists, writer)
        del writer  # closes the file

    def open_lists(self, file: Path) -> ShardLists:
        """:raises RuntimeError: when the file cannot be read."""
        mapped = faiss.read_InvertedLists(faiss.FileIOReader(str(file)), faiss.IO_FLAG_MMAP)
        lists: Any = faiss.downcast_InvertedLists(mapped)
        lists.prefetch_nthread = 0  # else every search of a shard starts up to 32 threads
        if lists.nlist != self.lists:
            raise RuntimeError(f"{file.name} has {lists.nlist} lists, the partition {self.lists}")
        index = self._index(self._centroids_ld[:0])
        index.replace_invlists(lists, False)
        return ShardLists(index, lists)

    def _index(self, centroids_ld: NDArray[np.float32]) -> Any:
        """An index without rows, with the codes of this partition."""
        index = _ivf(centroids_ld, self._trained.d, self.lists)
        index.sq = self._trained.sq
        index.is_trained = True
        return index


class ShardLists:
    """The lists of one shard, memory-mapped. Safe for several threads."""

    def __init__(self, index: Any, lists: faiss.InvertedLists):
        self._index = index
        self._lists = lists  # the index does not own it

    def search(
        self, query_d: NDArray[np.float32], lists_p: NDArray[np.int64], limit: int, selector: faiss.IDSelector | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows within the shard and their approximate similarity, both of shape (k,), k at most `limit`."""
        rows_k = np.empty(limit, dtype=np.int64)
        similarity_k = np.empty(limit, dtype=np.float32)
        unused_p = np.zeros(len(lists_p), dtype=np.float32)  # similarity to the centroid: of no use to plain codes
        parameters = faiss.SearchParametersIVF(nprobe=len(lists_p), sel=selector)  # type: ignore[call-arg]
        self._index.search_preassigned_c(
            1, faiss.swig_ptr(query_d), limit, faiss.swig_ptr(lists_p), faiss.swig_ptr(unused_p),
            faiss.swig_ptr(similarity_k), faiss.swig_ptr(rows_k), False, parameters,
        )  # fmt: skip
        found = rows_k >= 0
        return rows_k[found], similarity_k[found]


def _scalar_quantizer(
    centroids_ld: NDArray[np.float32], sample_nd: NDArray[np.float32]
) -> faiss.IndexIVFScalarQuantizer:
    index = _ivf(centroids_ld, sample_nd.shape[1], len(centroids_ld))
    index.sq.rangestat_arg = 0.1  # a tenth beyond the sample's range, for what is added later
    index.train(sample_nd)
    return index


def _ivf(centroids_ld: NDArray[np.float32], dimension: int, lists: int) -> faiss.IndexIVFScalarQuantizer:
    quantizer = faiss.IndexFlatIP(dimension)
    quantizer.add(np.ascontiguousarray(centroids_ld))
    by_residual = False
    return faiss.IndexIVFScalarQuantizer(
        quantizer, dimension, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, by_residual
    )
