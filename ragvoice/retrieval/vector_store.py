"""Where the vectors of a generation are: the seam between the index and FAISS or a database server.

LangChain's `VectorStore` is not that seam: it has no generations that readers keep while a new one is published, no
filter by rows before ranking, and no exact similarity of given rows, which the fusion with BM25 needs.

Legend: `n` chunks in the index, `c` found rows, `d` embedding dimension.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ragvoice.retrieval.shards import Batch, Report, read_layout, write_vectors
from ragvoice.retrieval.vectors import VectorIndex

VECTORS_FOLDER = "vectors"


class VectorSearch(Protocol):
    """The vectors of one published generation. Safe for several threads."""

    ids_n: NDArray[np.int64]
    """Chunk ids, ascending; a row is a position in it."""
    size: int
    dimension: int

    def search(
        self, query_d: NDArray[np.float32], limit: int, allowed_n: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the nearest allowed chunks and their exact cosine similarity, best first; both of shape (c,)."""

    def vectors(self, rows_c: NDArray[np.int64]) -> NDArray[np.float32]:
        """Shape (c, d), in the order of the rows."""

    def describe(self) -> dict[str, Any]:
        """Kind of search, number of vectors, bytes."""


class VectorStore(Protocol):
    """Writes the vectors of a staged generation; readers see them when `CURRENT` names that generation."""

    name: str
    """Recorded in the manifest; an index whose vectors are elsewhere is refused."""

    def write(
        self,
        staged: Path,
        previous: Path | None,
        keep_ids_n: NDArray[np.int64],
        batches: Iterable[Batch],
        dimension: int,
        report: Report | None = None,
    ) -> None:
        """:param staged: Folder of the generation that is being written.
        :param previous: Folder of the generation before, whose vectors of `keep_ids_n` stay.
        :param batches: Ids ascending and greater than every kept one, unit vectors of shape (n, dimension).
        """

    def open(self, generation: Path) -> VectorSearch:
        """:raises VectorIndexError: when they are missing or damaged."""

    def dimension(self, generation: Path) -> int:
        """Of a published generation's vectors."""

    def retain(self, generations: Path) -> None:
        """After a switch: what belongs to generations whose folders are gone goes too."""


class FaissStore:
    """Memory-mapped shards in the generation's own folder."""

    name = "faiss"

    def write(
        self,
        staged: Path,
        previous: Path | None,
        keep_ids_n: NDArray[np.int64],
        batches: Iterable[Batch],
        dimension: int,
        report: Report | None = None,
    ) -> None:
        before = previous / VECTORS_FOLDER if previous else None
        write_vectors(staged / VECTORS_FOLDER, before, keep_ids_n, batches, dimension, report)

    def open(self, generation: Path) -> VectorSearch:
        return VectorIndex.open(generation / VECTORS_FOLDER)

    def dimension(self, generation: Path) -> int:
        return read_layout(generation / VECTORS_FOLDER).dimension

    def retain(self, generations: Path) -> None:
        """Nothing to do: they are in those folders."""
