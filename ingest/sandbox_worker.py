"""The process in which files are parsed: `python -m ingest.sandbox_worker CHANNEL`, started by `ingest.sandbox`.

CHANNEL is the descriptor of a socket. The first line on it is the set-up, every further one a file; the answer is one
line of JSON for each document and one at the end. On Linux there are two processes: a keeper, which is small, holds no
parser and ends the worker when the job is gone, and the worker itself. `ingest.sandbox` says what each line protects
against.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import faulthandler
import importlib
import json
import os
import pickle
import resource
import select
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
_NETWORK_EVENTS = {
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.gethostbyaddr",
}


def main() -> None:
    channel = int(sys.argv[1])
    os.set_inheritable(channel, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        _enter_namespaces()
        _fork_below_a_keeper(channel)
    else:
        threading.Thread(target=_end_with_the_job, args=(os.dup(0),), daemon=True).start()
    _close_stdin()
    lines = iter(os.fdopen(channel, "rb", closefd=False))
    setup = json.loads(next(lines))
    for name, value in setup["limits"].items():
        _limit(name, value)
    sys.addaudithook(_refuse_network)
    faulthandler.enable()
    module, _, function = setup["load"].partition(":")
    load = getattr(importlib.import_module(module), function)
    options = pickle.loads(base64.b64decode(setup["options"]))  # nosec B301 - from the job, never from a file
    _send(channel, {"ready": True})
    for line in lines:
        _answer(channel, json.loads(line)["path"], lambda path: load(path, options))


def _answer(channel: int, path: str, load: Callable[[Path], Iterator[Any]]) -> None:
    from ingest.sandbox_answers import message_of

    ending: dict[str, object] = {}
    _forget_peak()
    try:
        for document in load(Path(path)):
            _send(channel, message_of(document))
    except BaseException as error:  # also SystemExit of a parser: the file's fault, not a wish to end the job
        ending = {"error": _reason(error), "memory": _is_memory(error)}
    _empty(Path(os.environ["TMPDIR"]))
    resident, peak = _memory_bytes()
    _send(channel, {"end": True, "resident_bytes": resident, "peak_bytes": peak, **ending})


def _send(channel: int, message: dict[str, object]) -> None:
    data = memoryview(json.dumps(message, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n")
    while data:
        data = data[os.write(channel, data) :]


def _reason(error: BaseException) -> str:
    from ragvoice.errors import DocumentError

    if isinstance(error, DocumentError):
        return str(error)
    return f"cannot be parsed: {str(error) or type(error).__name__}"


def _is_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, also where a loader has put its own words around that."""
    return any(isinstance(one, MemoryError) for one in (error, error.__cause__, error.__context__))


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _NETWORK_EVENTS:
        raise PermissionError("a document must not reach for the network")


def _enter_namespaces() -> None:
    """No network but an unconfigured loopback, and processes that all end with the first one: where the kernel allows.

    As root without a user namespace, in which files of other users could no longer be read.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    user, group = os.getuid(), os.getgid()
    for flags in (_CLONE_NEWNET | _CLONE_NEWPID, _CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWPID):
        if libc.unshare(flags) == 0:
            break
    else:
        return
    if flags & _CLONE_NEWUSER:
        with contextlib.suppress(OSError):  # without a map the process is `nobody`, which parsers do not mind
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _fork_below_a_keeper(channel: int) -> None:
    """Returns in the worker. The keeper stays behind until the job or the worker is gone.

    It is a process and not a thread because native code that holds the interpreter's lock stops every thread.
    """
    alive, held = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(alive)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        return
    os.close(held)
    ready, _, _ = select.select([0, alive], [], [])  # either ends: the job holds the other end of stdin
    if alive not in ready:
        os.kill(worker, signal.SIGKILL)
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
        os.killpg(0, signal.SIGKILL)
    _, status, usage = os.wait4(worker, 0)
    with contextlib.suppress(OSError):
        os.write(channel, b"\n")  # ends the line that the worker may have been writing
        _send(channel, {"died": os.waitstatus_to_exitcode(status), "peak_bytes": usage.ru_maxrss * 1024})
    os._exit(0)


def _end_with_the_job(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _close_stdin() -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _limit(name: str, value: int) -> None:
    """Soft and hard limit, not above the hard limit there is; a limit that this system does not know is left out."""
    kind = getattr(resource, name, None)
    if kind is None:
        return
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (value, value))


def _forget_peak() -> None:
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _memory_bytes() -> tuple[int, int]:
    """Resident now, and at most since `_forget_peak`; without /proc the peak of the process's life is both."""
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmRSS"].split()[0]) * 1024, int(status["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak, peak


def _empty(folder: Path) -> None:
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(entry.path)


if __name__ == "__main__":
    main()
