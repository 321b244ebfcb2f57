"""The job's end of one worker process: start it, hand it a file, watch it, end it with everything below it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.sandbox_answers import ParsedFile, ParseLimits, document_of, one_line, size_words
from ragvoice.errors import RagVoiceError

_log = logging.getLogger(__name__)

START_TIMEOUT_S = 120.0
PRINTED_BYTES = 8192
"""Kept of what a worker and its libraries print; the last of it."""
_SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL", re.IGNORECASE)
_OUT_OF_MEMORY = re.compile(rb"bad_alloc|MemoryError|out of memory|memory allocation|cannot allocate", re.IGNORECASE)
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "LANGSMITH_TRACING": "false",
    "DO_NOT_TRACK": "1",
}


class WorkerDied(Exception):
    """By itself, in the middle of a file. `str()` is the reason for the owner."""

    def __init__(self, reason: str, peak_bytes: int = 0):
        super().__init__(reason)
        self.peak_bytes = peak_bytes


class _TooMuch(Exception):
    """`str()` is the reason for the owner."""


class WorkerProcess:
    """Used by one thread at a time, but for `close`. Starts when it gets a file, and anew after it was ended."""

    def __init__(self, load: str, pickled_options: str, limits: ParseLimits, threads: int):
        self._load = load
        self._options = pickled_options
        self._limits = limits
        self._threads = threads
        self._lock = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self.files = 0
        """Parsed since the process was started."""

    def parse(self, path: Path) -> ParsedFile:
        """:raises WorkerDied: in the middle of this file.
        :raises RagVoiceError: when the process cannot be started.
        """
        if self._process is None:
            self._start()
        self.files += 1
        started = time.monotonic()
        documents: list[Document] = []
        error, peak = None, 0
        try:
            self._send({"path": os.path.abspath(path)})
            for message in self._messages(self._limits.unit_timeout_s, self._limits.file_timeout_s):
                if "end" in message:
                    peak = int(message["peak_bytes"])
                    error = self._needs_more_memory() if message.get("memory") else message.get("error")
                    if self._worn_out(message):
                        self.end()
                    break
                documents.append(document_of(message))
        except WorkerDied:
            self.end()
            raise
        except _TooMuch as reason:
            self.end()
            error = str(reason)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.end()
            error = "the parser gave an answer that cannot be read"
        if error is not None:
            error, documents = one_line(str(error)), []
        return ParsedFile(path, tuple(documents), error, time.monotonic() - started, peak)

    def close(self) -> None:
        """From any thread: a file that is being parsed ends as an error at once, and no further one begins."""
        with self._lock:
            self._closed = True
            self._kill()

    def _worn_out(self, ending: dict[str, Any]) -> bool:
        return (
            self.files >= self._limits.files_per_worker
            or bool(ending.get("memory"))
            or int(ending["resident_bytes"]) > self._limits.memory_bytes // 2
        )

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise WorkerDied("the job was ended")
            self._folder = Path(tempfile.mkdtemp(prefix="ragvoice-parse-"))
            ours, theirs = socket.socketpair()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "ingest.sandbox_worker", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                cwd=self._folder,
                env=self._environment(),
            )
        theirs.close()
        self._channel, self._rest, self._printed, self.files = ours, bytearray(), b"", 0
        assert self._process.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._channel, selectors.EVENT_READ)
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        limits = self._limits
        kernel = {
            "RLIMIT_CORE": 0,
            "RLIMIT_DATA": limits.memory_bytes,
            "RLIMIT_FSIZE": limits.temporary_bytes,
            "RLIMIT_NOFILE": limits.open_files,
        }
        try:
            self._send({"load": self._load, "options": self._options, "limits": kernel})
            next(self._messages(START_TIMEOUT_S, START_TIMEOUT_S))
        except (WorkerDied, _TooMuch, ValueError) as error:
            self.end()
            if self._closed:
                raise WorkerDied("the job was ended") from error
            last = self._printed.decode(errors="replace").strip().rpartition("\n")[2]
            raise RagVoiceError(f"The process that parses files does not start: {last or error}.") from error

    def _environment(self) -> dict[str, str]:
        """The job's, with its module path instead of the working folder's, and without what no parser needs."""
        kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
        modules = [os.path.abspath(entry) for entry in sys.path]
        temporary = str(self._folder)
        return {
            **kept,
            **_OFFLINE,
            "PYTHONPATH": os.pathsep.join(modules),
            "PYTHONIOENCODING": "utf-8:backslashreplace",
            "OMP_NUM_THREADS": str(self._threads),
            "TMPDIR": temporary,
            "TMP": temporary,
            "TEMP": temporary,
        }

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # a worker that is gone is noticed, with its status, by whoever reads
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _messages(self, unit_s: float, all_s: float) -> Iterator[dict[str, Any]]:
        """:raises WorkerDied:
        :raises _TooMuch: for too long a wait for one message, for all of them, or for too much text.
        """
        started = last = time.monotonic()
        received = 0
        while True:
            now = time.monotonic()
            if now - started >= all_s:
                raise _TooMuch(f"was not finished after {all_s:g} s; split it")
            if now - last >= unit_s:
                longest = f"took longer than {unit_s:g} s without finishing a page"
                raise _TooMuch(f"{longest}; split it or raise RAGVOICE_PARSE_TIMEOUT_S")
            for key, _ in self._selector.select(min(started + all_s, last + unit_s) - now):
                data = os.read(key.fd, 2**20)
                if key.fileobj is not self._channel:
                    self._keep_printed(data, key.fileobj)
                    continue
                received += len(data)
                if received > self._limits.text_bytes:
                    raise _TooMuch(f"holds more than {size_words(self._limits.text_bytes)} of text; split it")
                for line in self._whole_lines(data):
                    last = time.monotonic()
                    message = json.loads(line)
                    if not data or "died" in message:
                        raise self._death(message)
                    yield message

    def _whole_lines(self, data: bytes) -> list[bytes]:
        if not data:  # keeper and worker are both gone, so that neither says why
            return [b"{}"]
        if b"\n" not in data:
            self._rest += data
            return []
        *whole, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest = bytearray(rest)
        return [line for line in whole if line]

    def _keep_printed(self, data: bytes, source: Any) -> None:
        if not data:
            self._selector.unregister(source)
        self._printed = (self._printed + data)[-PRINTED_BYTES:]

    def _death(self, message: dict[str, Any]) -> WorkerDied:
        status = message.get("died", -signal.SIGKILL)
        peak = int(message.get("peak_bytes", 0))
        _log.info("a parser ended with status %s: %s", status, self._printed.decode(errors="replace"))
        if self._closed:
            return WorkerDied("the job was ended", peak)
        # SIGKILL that we did not send comes from a system that has run out of memory.
        starved = status == -signal.SIGKILL or peak > 0.8 * self._limits.memory_bytes
        if starved or _OUT_OF_MEMORY.search(self._printed):
            return WorkerDied(self._needs_more_memory(), peak)
        return WorkerDied("the parser crashed on it; the file may be damaged", peak)

    def _needs_more_memory(self) -> str:
        return f"needs more than {size_words(self._limits.memory_bytes)} of memory to be read"

    def end(self) -> None:
        """Process and temporary folder are gone afterwards; the next file starts anew."""
        with self._lock:
            self._kill()
            process, self._process, self.files = self._process, None, 0
        if process is None:
            return
        process.wait()
        self._selector.close()
        self._channel.close()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _kill(self) -> None:
        """The whole group. Its number is not another's yet, for nobody has waited for the process."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
