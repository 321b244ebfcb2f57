"""Stand-ins for `ingest.loaders.load` that do what hostile files make parsers do; the file's content says what."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError


def load(path: Path, options: Any) -> Iterator[Document]:
    what, _, argument = path.read_text().partition(" ")
    yield from globals()[f"_{what}"](argument)


def echo(path: Path, options: Any) -> Iterator[Document]:
    yield Document(f"{path.read_text()} {options}")


def _say(argument: str) -> Iterator[Document]:
    yield Document(argument)


def _places(argument: str) -> Iterator[Document]:
    yield Document("one", metadata={"title": "A", "place": Place("page", 1), "part": "inner/ä.txt"})
    yield Document("two", metadata={"place": Place("sheet", "Q3"), "odd": object(), "none": None})


def _slowly(argument: str) -> Iterator[Document]:
    pages, pause_s = argument.split()
    for number in range(int(pages)):
        time.sleep(float(pause_s))
        yield Document(f"page {number}")


def _hang(argument: str) -> Iterator[Document]:
    yield Document("a page before it")
    while True:
        time.sleep(60)


def _hang_natively(argument: str) -> Iterator[Document]:
    """Holds the interpreter's lock, so that no other thread of Python runs."""
    ctypes.PyDLL(None).sleep(600)
    yield Document("")


def _eat(argument: str) -> Iterator[Document]:
    eaten = []
    while True:
        eaten.append(bytearray(2**24))
    yield Document(str(len(eaten)))


def _eat_natively(argument: str) -> Iterator[Document]:
    """As C++ does: what is not given ends in abort()."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while (block := libc.malloc(ctypes.c_size_t(2**24))) is not None:
        ctypes.memset(block, 1, 2**24)
    libc.abort()
    yield Document("")


def _crash(argument: str) -> Iterator[Document]:
    yield Document("a page before it")
    ctypes.string_at(0)


def _abort(argument: str) -> Iterator[Document]:
    os.abort()
    yield Document("")


def _exit(argument: str) -> Iterator[Document]:
    sys.exit(int(argument))
    yield Document("")


def _leave(argument: str) -> Iterator[Document]:
    os._exit(int(argument))
    yield Document("")


def _refuse(argument: str) -> Iterator[Document]:
    yield Document("a page before it")
    raise DocumentError(argument)


def _fail(argument: str) -> Iterator[Document]:
    raise KeyError(argument)
    yield Document("")


def _much(argument: str) -> Iterator[Document]:
    yield Document("ä" * int(argument))


def _endless(argument: str) -> Iterator[Document]:
    while True:
        yield Document("x" * 2**20)


def _write(argument: str) -> Iterator[Document]:
    with open(Path(os.environ["TMPDIR"]) / "large", "wb") as file:
        for _ in range(int(argument)):
            file.write(bytes(2**20))
    yield Document("written")


def _connect(argument: str) -> Iterator[Document]:
    host, port = argument.split()
    socket.create_connection((host, int(port)), timeout=5).close()
    yield Document("connected")


def _look_up(argument: str) -> Iterator[Document]:
    yield Document(str(socket.getaddrinfo(argument, 80)))


def _connect_below(argument: str) -> Iterator[Document]:
    """From a child process, in which the audit hook of the worker is not."""
    code = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
    done = subprocess.run([sys.executable, "-c", code, *argument.split()], capture_output=True)
    yield Document(f"status {done.returncode}")


def _child(argument: str) -> Iterator[Document]:
    """Says the number of a child process of its own session, as a daemon has it, and hangs."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=argument == "detached")
    Path(os.environ["SANDBOX_TEST_NOTES"]).write_text(f"{child.pid} {os.getpid()} {os.environ['TMPDIR']}")
    time.sleep(600)
    yield Document("")


def _print(argument: str) -> Iterator[Document]:
    for _ in range(int(argument)):
        os.write(1, b"noise" * 1000)
        os.write(2, b"noise" * 1000)
    yield Document("printed")


def _process(argument: str) -> Iterator[Document]:
    """What this process is like."""
    keep = Path(os.environ["TMPDIR"]) / "left-over"
    facts = {
        "left_over": str(keep.exists()),
        "stdin": repr(sys.stdin.read(1)),
        "temporary": os.environ["TMPDIR"],
        "offline": os.environ.get("HF_HUB_OFFLINE", ""),
        "secret": os.environ.get("SANDBOX_TEST_API_KEY", ""),
        "worker": Path("/proc/self").readlink().name,
    }
    keep.write_text("x")
    yield Document("", metadata=facts)


def _break_protocol(argument: str) -> Iterator[Document]:
    os.write(int(sys.argv[1]), argument.encode() + b"\n")
    yield Document("")
