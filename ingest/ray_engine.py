"""The engine that embeds on Ray Data: on the cores of this machine, or on a cluster.

    windows -> feeder (thread) -> queue (actor) -> source (task) -> one embedder an actor -> (hashes, vectors)

One dataset is the whole job, so an actor loads the embedder once, and vectors come back while files are still read.
A row of the dataset is a batch of chunks. Rows travel through Ray's object store: no folder need be shared.

Legend: `n` chunks, `d` embedding dimension.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.embeddings import Embeddings

from ingest.embedding import Embedded, Engine, Window, batches, embed
from ingest.ray_session import LOCAL, ray_session, require_ray
from ragvoice.errors import ModelError, RagVoiceError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    from ray.data import DataContext
    from ray.util.queue import Queue

_FULL_S = 0.5
"""How long the feeder waits at a full queue before it looks whether the job goes on."""
_GO_ON = "What came back is kept: the same command goes on from there."


@dataclass(frozen=True)
class Actors:
    """Processes that embed, each with a model of its own."""

    cpus: int = 1
    """Of each; its model runs in as many threads."""
    gpus: float = 0.0
    """Of each; 0.25 lets four share one."""
    most: int | None = None
    """None is as many as there is room for."""


_DEFAULT_ACTORS = Actors()


def ray_engine(embeddings: Callable[[], Embeddings], actors: Actors = _DEFAULT_ACTORS, address: str = LOCAL) -> Engine:
    """:param embeddings: Called once in each actor, so it must be picklable and find the model on the actor's machine.
    :param address: Of a cluster; `local` starts a Ray when the first chunk comes and ends it with the job.
    :raises UsageError: when Ray is not installed.
    """
    require_ray()

    def run(windows: Iterator[Window]) -> Iterator[Embedded]:
        first = next(windows, None)
        if first is None:
            return
        with ray_session(address):
            yield from _on_ray(first, windows, embeddings, actors)

    return run


def _on_ray(
    first: Window, windows: Iterator[Window], embeddings: Callable[[], Embeddings], actors: Actors
) -> Iterator[Embedded]:
    from ray.data import ActorPoolStrategy, DataContext, from_items
    from ray.exceptions import RayError
    from ray.util.queue import Queue

    most = _room(actors)
    queue = Queue(2 * most, actor_options={"num_cpus": 0})
    feeder = _Feeder(chain([first], windows), queue)
    with DataContext.current(_at_once(DataContext.get_current())):
        dataset = (
            from_items([0])
            .map_batches(_source, fn_args=(queue,), num_cpus=0)
            .map_batches(
                _Embedder,
                fn_constructor_args=(embeddings,),
                batch_size=1,
                batch_format="pyarrow",
                num_cpus=actors.cpus,
                num_gpus=actors.gpus,
                # Few chunks start few actors; a full window starts eight, and Ray adds more while they are busy.
                compute=ActorPoolStrategy(min_size=min(most, len(list(batches(first)))), max_size=most),
            )
        )
    feeder.start()
    try:
        for row in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
            hashes, vectors_nd = _embedded(row)
            feeder.underway.difference_update(hashes)
            yield hashes, vectors_nd
    except RayError as error:
        raise RagVoiceError(_failed(str(error).strip().partition("\n")[0] or type(error).__name__)) from error
    finally:
        feeder.stop()
        queue.shutdown(force=True)
    if feeder.underway:  # a machine was lost with the batches that were on it
        raise RagVoiceError(f"Ray lost {len(feeder.underway)} chunks. {_GO_ON}")


class _Feeder(threading.Thread):
    """Puts the batches of each window into the queue as it comes; a full queue holds the reading of files back."""

    def __init__(self, windows: Iterator[Window], queue: Queue):
        super().__init__(name="feed", daemon=True)
        self._windows = windows
        self._queue = queue
        self._stopped = threading.Event()
        self.underway: set[bytes] = set()
        """Hashes of what was given to Ray and has not come back."""

    def run(self) -> None:
        from ray.exceptions import RayError

        try:
            for window in self._windows:
                for batch in batches(window):
                    self.underway.update(chunk.embedded_hash for chunk in batch)
                    if not self._put(batch):
                        return
            self._put(None)
        except RayError:  # the queue is gone; the dataset says why
            return

    def stop(self) -> None:
        """It waits for the job's next window then, or is done: it calls Ray no more, which would start another."""
        self._stopped.set()
        self.join(2 * _FULL_S)

    def _put(self, batch: Window | None) -> bool:
        from ray.util.queue import Full

        while not self._stopped.is_set():
            try:
                self._queue.put(batch, timeout=_FULL_S)
                return True
            except Full:
                continue
        return False


def _source(_: Any, queue: Queue) -> Iterator[pa.Table]:
    """In a task of Ray: a row for each batch, as they come."""
    import pyarrow as pa

    while (batch := queue.get()) is not None:
        hashes = [chunk.embedded_hash for chunk in batch]
        yield pa.table({"hashes": [hashes], "texts": [[chunk.embedded_text for chunk in batch]]})


class _Embedder:
    """In an actor of Ray: the embedder, loaded with the first batch."""

    def __init__(self, embeddings: Callable[[], Embeddings]):
        self._embeddings = embeddings
        self._model: Embeddings | None = None

    def __call__(self, row: pa.Table) -> pa.Table:
        import pyarrow as pa

        try:
            self._model = self._model or self._embeddings()
            vectors_nd = embed(self._model, row["texts"][0].as_py())
        except Exception as error:  # as data: what Ray hands on is a traceback, not the error
            problem = str(error) if isinstance(error, RagVoiceError) else _failed(f"{type(error).__name__}: {error}")
            return pa.table({"hashes": row["hashes"], "vectors": [np.zeros(0, np.float32)], "error": [problem]})
        return pa.table({"hashes": row["hashes"], "vectors": [vectors_nd.ravel()], "error": [""]})


def _embedded(row: pa.Table) -> Embedded:
    """:raises ModelError: that the actor has met."""
    [hashes], [problem] = row["hashes"].to_pylist(), row["error"].to_pylist()
    if problem:
        raise ModelError(problem)
    return hashes, row["vectors"][0].values.to_numpy().reshape(len(hashes), -1)


def _room(actors: Actors) -> int:
    """How many actors the cluster has room for.

    :raises UsageError: when not even for one.
    """
    import ray

    found = ray.cluster_resources()
    cpus, gpus = found.get("CPU", 0), found.get("GPU", 0)
    room = int(min(cpus // actors.cpus, gpus // actors.gpus if actors.gpus else cpus))
    if room == 0:
        raise UsageError(
            f"This Ray has {cpus:g} CPUs and {gpus:g} GPUs; an actor asks for {actors.cpus} and {actors.gpus:g}. "
            "Lower ray_actor_cpus or ray_actor_gpus."
        )
    return min(room, actors.most or room)


def _at_once(context: DataContext) -> DataContext:
    """A block for each row, handed on when it is there: by default rows wait until they are 128 MiB."""
    ours = context.copy()
    ours.target_max_block_size = 1
    ours.enable_progress_bars = False
    return ours


def _failed(reason: str) -> str:
    return f"The embedding on Ray failed ({reason}). {_GO_ON}"
