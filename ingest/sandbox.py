"""Files are parsed in worker processes, so that a hostile or broken file costs that file and never the job.

Each line of defence, and what it is for:

* a process of its own: a crash of native code, an endless loop, `exit()` in a parser;
* limits of the kernel: memory (RLIMIT_DATA, which counts what can be written to; RLIMIT_AS would also count mapped
  weights and the addresses that allocators only reserve), size of one file written, open files, no core dumps;
* the job watches the clock and the amount of text, for no limit of the kernel counts waiting or output;
* a session and, where the kernel allows, a PID namespace of its own: what a parser started (LibreOffice) ends with it,
  also when the job itself is killed, which a keeper process between the two notices;
* no network: a namespace without interfaces where the kernel allows (native code and child processes), and always an
  audit hook that refuses connections and look-ups (Python code), with the hub libraries set to offline;
* a temporary folder of its own, removed with it; an environment without keys and tokens; stdin empty; what native
  libraries print is kept, the last of it, for the log of a crash;
* answers as JSON, never pickles: a worker taken over through a bug of a parser cannot run code in the job.

Not covered: such a worker reads every file that its user may read. Its answers are text of the document all the same.

Workers are started as `python -m ingest.sandbox_worker` rather than through `multiprocessing`, whose spawned children
import the main module of the job again and whose forked ones copy its threads' locks and its models' memory.
"""

from __future__ import annotations

import base64
import os
import pickle
import queue
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ingest.sandbox_answers import ParsedFile, ParseLimits
from ingest.sandbox_process import WorkerDied, WorkerProcess

if TYPE_CHECKING:
    from ingest.loaders.options import LoadOptions

__all__ = ["ParseLimits", "ParsedFile", "ParserPool"]

AHEAD = 4
"""Files taken from the caller's list beyond those that the workers have."""
_DEFAULT_LIMITS = ParseLimits()


class ParserPool:
    """Parses files in `workers` processes, one thread to watch each; a context manager, as the processes end with it.

    :param load: `module:function` that takes a path and the options and yields `Document`s.
    """

    def __init__(
        self,
        options: LoadOptions,
        limits: ParseLimits = _DEFAULT_LIMITS,
        workers: int = 1,
        load: str = "ingest.loaders:load",
    ):
        pickled = base64.b64encode(pickle.dumps(options)).decode()
        threads = max(1, (os.cpu_count() or 1) // workers)
        self._workers = [WorkerProcess(load, pickled, limits, threads) for _ in range(workers)]
        self._idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="parse")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.close()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.end()

    def parse(self, paths: Iterable[Path]) -> Iterator[ParsedFile]:
        """In the order of `paths`, of which only a few are taken ahead: they are parsed while the caller is busy.

        :raises RagVoiceError: when no worker can be started at all.
        """
        ahead: deque[Future[ParsedFile]] = deque()
        try:
            for path in paths:
                ahead.append(self._threads.submit(self._parse, path))
                if len(ahead) >= len(self._workers) + AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()

    def _parse(self, path: Path) -> ParsedFile:
        worker = self._idle.get()  # there are as many as threads
        started = time.monotonic()
        try:
            while True:
                fresh = worker.files == 0
                try:
                    return worker.parse(path)
                except WorkerDied as death:
                    if fresh:
                        return ParsedFile(path, (), str(death), time.monotonic() - started, death.peak_bytes)
                    # Else something that an earlier file left behind may have been the cause: again, in a new one.
        finally:
            self._idle.put(worker)
