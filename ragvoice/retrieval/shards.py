"""The files that hold the vectors of one index generation, and how the next generation's are made from them.

    vectors/
      index.json        dimension; rows and ids of each shard; size of every file; what the partition was trained on
      00000.flat        FAISS IndexFlatIP, unit vectors, rows in the order of their ids
      00000.ids.npy     int64, ascending, also from shard to shard
      partition.faiss   only in a large index (`ann`), with, for each shard,
      00000.lists.npy   uint16: the list of each row
      00000.codes       8-bit codes by list

Nothing is changed in place, so a shard that stays as it was is a hard link to that of the previous generation.

Legend: `n` rows, `d` embedding dimension.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import VectorIndexError
from ragvoice.retrieval.ann import TRAINING_ROWS, Partition, lists_for
from ragvoice.retrieval.generations import link_or_copy

SHARD_ROWS = 65_536
"""100 MB of vectors at d = 384: what is held in memory, and what is written again when one of its rows goes."""

EXACT_ROWS = 65_536
"""Up to so many chunks every vector is compared."""

LAYOUT_VERSION = 1

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Chunk ids (n,), ascending, and their unit vectors (n, d)."""

Report = Callable[[str, int, int], None]
"""Called with what is being done ("vectors", "partition", "codes"), how many of the rows are done, and of how many;
0 where the total is not known."""

_UNASSIGNED = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Shard:
    name: str
    rows: int
    first_id: int
    last_id: int


@dataclass(frozen=True)
class Layout:
    dimension: int
    shards: tuple[Shard, ...]
    trained_rows: int
    """Rows of the index when its partition was trained; 0 without one."""
    files: dict[str, int]
    """Name -> bytes."""
    version: int = LAYOUT_VERSION

    @property
    def rows(self) -> int:
        return sum(shard.rows for shard in self.shards)


def read_layout(folder: Path) -> Layout:
    """:raises VectorIndexError: when a file is missing or not complete, or the layout is of another version."""
    try:
        data = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if data["version"] != LAYOUT_VERSION:
            raise damaged(folder, f"layout {data['version']}, this version reads {LAYOUT_VERSION}")
        data["shards"] = tuple(Shard(**shard) for shard in data["shards"])
        layout = Layout(**data)
        for name, size in layout.files.items():
            found = (folder / name).stat().st_size
            if found != size:
                raise damaged(folder, f"{name} has {found} bytes, not {size}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(folder, str(error)) from error
    return layout


def damaged(folder: Path, reason: str) -> VectorIndexError:
    return VectorIndexError(
        f"The vectors in {folder} cannot be read ({reason}). Rebuild the index: ragvoice ingest FOLDER --rebuild"
    )


def read_ids(folder: Path, shard: Shard) -> NDArray[np.int64]:
    """:raises VectorIndexError: when they are not the ids that the layout speaks of."""
    try:
        ids_n: NDArray[np.int64] = np.load(folder / f"{shard.name}.ids.npy", mmap_mode="r", allow_pickle=False)
        if ids_n.shape != (shard.rows,) or (ids_n[0], ids_n[-1]) != (shard.first_id, shard.last_id):
            raise damaged(folder, f"{shard.name} has other rows than expected")
    except (OSError, ValueError, IndexError) as error:
        raise damaged(folder, str(error)) from error
    return ids_n


def read_flat(folder: Path, shard: Shard, dimension: int) -> tuple[faiss.IndexFlat, NDArray[np.float32]]:
    """The index and its vectors (n, d), memory-mapped; the vectors are valid as long as the index is.

    :raises VectorIndexError: when it cannot be read or has another shape.
    """
    try:
        flat: Any = faiss.read_index(str(folder / f"{shard.name}.flat"), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise damaged(folder, f"{shard.name}.flat is not a FAISS index") from error
    if (flat.ntotal, flat.d) != (shard.rows, dimension):
        raise damaged(folder, f"{shard.name}.flat is {flat.ntotal} x {flat.d}, expected {shard.rows} x {dimension}")
    vectors_nd = faiss.rev_swig_ptr(flat.get_xb(), shard.rows * dimension).reshape(shard.rows, dimension)
    return flat, vectors_nd


def read_partition(folder: Path) -> Partition:
    try:
        return Partition.load(folder / "partition.faiss")
    except RuntimeError as error:
        raise damaged(folder, "partition.faiss is not a FAISS index") from error


def read_lists(folder: Path, shard: Shard) -> NDArray[np.uint16]:
    try:
        lists_n: NDArray[np.uint16] = np.load(folder / f"{shard.name}.lists.npy", mmap_mode="r", allow_pickle=False)
        if lists_n.shape != (shard.rows,):
            raise damaged(folder, f"{shard.name}.lists.npy has {lists_n.shape} rows, expected {shard.rows}")
    except (OSError, ValueError) as error:
        raise damaged(folder, str(error)) from error
    return lists_n


def write_vectors(
    target: Path,
    previous: Path | None,
    keep_ids_n: NDArray[np.int64],
    batches: Iterable[Batch],
    dimension: int,
    report: Report | None = None,
) -> None:
    """Write the folder `target`: the vectors of `previous` that are kept, then the new ones.

    Shards that lose nothing are linked, or copied where links are impossible. Of a vector that is not kept no copy
    remains. The memory needed is that of one shard (and of the training sample), whatever the size of the index.

    :param keep_ids_n: Sorted ids that are all in `previous`.
    :param batches: Ids ascending, greater than every kept one; vectors of shape (n, dimension), unit length.
    :raises VectorIndexError: when `previous` cannot be read or does not hold all that is to be kept.
    """
    shutil.rmtree(target, ignore_errors=True)  # of a writer that was stopped
    target.mkdir(parents=True)
    before = read_layout(previous) if previous else None
    if before is not None and before.dimension != dimension and len(keep_ids_n):
        raise damaged(target, f"they have {before.dimension} dimensions, the new ones {dimension}")
    writer = _ShardWriter(target, dimension, report or (lambda step, done, total: None))
    added = _not_empty(batches)
    if previous and before:
        writer.keep(previous, before, keep_ids_n, any_added=added is not None)
    if sum(shard.rows for shard in writer.shards) + writer.buffered != len(keep_ids_n):
        raise VectorIndexError(
            f"Of {len(keep_ids_n)} vectors to be kept some are missing in the previous index. "
            "Rebuild it: ragvoice ingest FOLDER --rebuild"
        )
    for ids_n, vectors_nd in added or ():
        writer.add(ids_n, vectors_nd)
    writer.finish()
    trained_rows = writer.partition(previous, before)
    files = {file.name: file.stat().st_size for file in sorted(target.iterdir())}
    layout = Layout(dimension, tuple(writer.shards), trained_rows, files)
    (target / "index.json").write_text(json.dumps(asdict(layout), indent=1), encoding="utf-8")


def _not_empty(batches: Iterable[Batch]) -> Iterator[Batch] | None:
    """The batches that have rows; None when there is none."""
    filled = (batch for batch in batches if len(batch[0]))
    first = next(filled, None)
    return None if first is None else chain([first], filled)


class _ShardWriter:
    """Gathers rows until they fill a shard. Rows of the previous generation keep the list they were assigned to."""

    def __init__(self, target: Path, dimension: int, report: Report):
        self.shards: list[Shard] = []
        self.buffered = 0
        self._target = target
        self._dimension = dimension
        self._report = report
        self._ids_n = np.empty(SHARD_ROWS, dtype=np.int64)
        self._lists_n = np.empty(SHARD_ROWS, dtype=np.uint16)
        self._vectors_nd = np.empty((SHARD_ROWS, dimension), dtype=np.float32)

    def keep(self, previous: Path, before: Layout, keep_ids_n: NDArray[np.int64], *, any_added: bool) -> None:
        for position, shard in enumerate(before.shards):
            ids_n = read_ids(previous, shard)
            kept_n = _contains(keep_ids_n, ids_n)
            rows = int(kept_n.sum())
            last = position == len(before.shards) - 1 and not any_added
            if rows == shard.rows and (rows >= SHARD_ROWS // 2 or (last and not self.buffered)):
                self.flush()
                self._link(previous, shard)
            elif rows:
                _, vectors_nd = read_flat(previous, shard, before.dimension)
                lists_n = read_lists(previous, shard)[kept_n] if before.trained_rows else None
                self.add(ids_n[kept_n], vectors_nd[kept_n], lists_n)

    def add(
        self, ids_n: NDArray[np.int64], vectors_nd: NDArray[np.float32], lists_n: NDArray[np.uint16] | None = None
    ) -> None:
        if vectors_nd.shape != (len(ids_n), self._dimension):
            raise ValueError(f"vectors of shape {vectors_nd.shape}, expected ({len(ids_n)}, {self._dimension})")
        done = 0
        while done < len(ids_n):
            count = min(len(ids_n) - done, SHARD_ROWS - self.buffered)
            into, of = slice(self.buffered, self.buffered + count), slice(done, done + count)
            self._ids_n[into] = ids_n[of]
            self._vectors_nd[into] = vectors_nd[of]
            self._lists_n[into] = _UNASSIGNED if lists_n is None else lists_n[of]
            self.buffered += count
            done += count
            if self.buffered == SHARD_ROWS:
                self.flush()

    def flush(self) -> None:
        if not self.buffered:
            return
        ids_n = self._ids_n[: self.buffered]
        if not (np.diff(ids_n) > 0).all() or (self.shards and ids_n[0] <= self.shards[-1].last_id):
            raise ValueError("ids of vectors must ascend")
        name = f"{len(self.shards):05d}"
        flat = faiss.IndexFlatIP(self._dimension)
        flat.add(self._vectors_nd[: self.buffered])
        faiss.write_index(flat, str(self._target / f"{name}.flat"))
        np.save(self._target / f"{name}.ids.npy", ids_n)
        np.save(self._target / f"{name}.lists.npy", self._lists_n[: self.buffered])
        self._append(Shard(name, len(ids_n), int(ids_n[0]), int(ids_n[-1])))
        self.buffered = 0

    def finish(self) -> None:
        self.flush()
        self._vectors_nd = self._vectors_nd[:0].copy()  # its memory is needed for the training sample

    def _link(self, previous: Path, shard: Shard) -> None:
        name = f"{len(self.shards):05d}"
        for ending in ("flat", "ids.npy", "lists.npy", "codes"):
            if (previous / f"{shard.name}.{ending}").exists():
                link_or_copy(previous / f"{shard.name}.{ending}", self._target / f"{name}.{ending}")
        self._append(Shard(name, shard.rows, shard.first_id, shard.last_id))

    def _append(self, shard: Shard) -> None:
        self.shards.append(shard)
        self._report("vectors", sum(shard.rows for shard in self.shards), 0)

    def partition(self, previous: Path | None, before: Layout | None) -> int:
        """Write or remove what only a large index has; the rows that its partition was trained on."""
        rows = sum(shard.rows for shard in self.shards)
        if rows <= EXACT_ROWS:
            for file in [*self._target.glob("*.lists.npy"), *self._target.glob("*.codes")]:
                file.unlink()
            return 0
        trained_rows = before.trained_rows if before else 0
        trained = None
        if previous and trained_rows // 2 <= rows <= trained_rows * 2:
            trained = read_partition(previous)
        else:
            trained_rows = rows
            for file in self._target.glob("*.codes"):
                file.unlink()
        partition = trained or self._train(rows)
        counts_l = np.zeros(partition.lists, dtype=np.int64)
        done = 0
        for shard in self.shards:
            counts_l += self._encode(shard, partition, anew=trained is None)
            done += shard.rows
            self._report("codes", done, rows)
        gone_l = (counts_l == 0) & partition.has_centroid()
        if trained and previous and not gone_l.any():
            link_or_copy(previous / "partition.faiss", self._target / "partition.faiss")
        else:
            partition.without(gone_l).save(self._target / "partition.faiss")
        return trained_rows

    def _train(self, rows: int) -> Partition:
        self._report("partition", 0, rows)
        chosen = np.random.default_rng(0).choice(rows, min(rows, TRAINING_ROWS), replace=False)
        chosen.sort()
        sample_nd = np.empty((len(chosen), self._dimension), dtype=np.float32)
        first = 0
        for shard in self.shards:
            here = (chosen >= first) & (chosen < first + shard.rows)
            flat, vectors_nd = read_flat(self._target, shard, self._dimension)
            sample_nd[here] = vectors_nd[chosen[here] - first]
            del flat
            first += shard.rows
        partition = Partition.train(sample_nd, lists_for(rows))
        self._report("partition", rows, rows)
        return partition

    def _encode(self, shard: Shard, partition: Partition, *, anew: bool) -> NDArray[np.int64]:
        """Assign the rows that have no list yet and write the codes; how many rows each list has."""
        codes = self._target / f"{shard.name}.codes"
        if codes.exists():
            return np.bincount(read_lists(self._target, shard), minlength=partition.lists)
        flat, vectors_nd = read_flat(self._target, shard, self._dimension)
        if anew:
            lists_n = partition.assign(vectors_nd)
        else:
            lists_n = np.array(read_lists(self._target, shard))
            open_n = lists_n == _UNASSIGNED
            lists_n[open_n] = partition.assign(vectors_nd[open_n])
        file = self._target / f"{shard.name}.lists.npy"
        file.unlink(missing_ok=True)  # it may be a link to that of the previous generation, which must stay as it is
        np.save(file, lists_n)
        partition.write_lists(codes, vectors_nd, lists_n)
        del flat
        return np.bincount(lists_n, minlength=partition.lists)


def _contains(sorted_ids: NDArray[np.int64], ids_n: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Shape (n,). `np.isin` would sort all of the index once a shard."""
    if not len(sorted_ids):
        return np.zeros(len(ids_n), dtype=bool)
    place_n = np.minimum(np.searchsorted(sorted_ids, ids_n), len(sorted_ids) - 1)
    return sorted_ids[place_n] == ids_n  # type: ignore[no-any-return]
