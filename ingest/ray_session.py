"""A connection to Ray for one job: to a cluster that is there, or to a Ray that is started here for the job alone."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ingest.progress import is_alive
from ragvoice.errors import RagVoiceError, UsageError

LOCAL = "local"
_FOLDER = "ragvoice-ray-"
"""Followed by the process id of the job and something random."""
_ANSWERS_S = 10.0
_OBJECT_STORE_BYTES = 200 * 2**20
"""Texts and vectors on their way; some tens of batches are there at a time."""
_LONGEST_TEMPORARY_FOLDER = 20
"""Characters. The names of Ray's sockets are up to 85 longer, and a socket's name has at most 107."""


def require_ray() -> None:
    """:raises UsageError: when Ray Data is not installed."""
    if not all(importlib.util.find_spec(package) for package in ("ray", "pyarrow")):
        raise UsageError("The engine ray needs Ray Data, which is not installed. Run: pip install 'ragvoice[ray]'")


@contextmanager
def ray_session(address: str) -> Iterator[None]:
    """A Ray that this process is connected to already is used as it is, and left as it was.

    :param address: `local`, `auto` or host:port.
    :raises RagVoiceError: when it cannot be started or reached.
    """
    if address == LOCAL and "ray" not in sys.modules:  # else it has chosen its token
        # Its ports are open to the network, and whoever reaches them without a token runs code here.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    quietly = _quiet()
    import ray

    if ray.is_initialized():
        yield
        return
    folder = _own_folder() if address == LOCAL else None
    try:
        try:
            if folder:
                ray.init(address=LOCAL, _temp_dir=str(folder), **_size(), **quietly)
            else:
                _knock(address)
                ray.init(address=address, **quietly)
        except Exception as error:  # Ray raises a dozen kinds, ConnectionError and bare RuntimeError among them
            what = "Ray does not start here" if folder else f"There is no Ray at {address} (RAY_ADDRESS)"
            raise RagVoiceError(f"{what}: {str(error).strip().splitlines()[0]}") from error
        yield
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _knock(address: str) -> None:
    """Ray itself tries for a quarter of an hour, with a warning every five seconds. :raises OSError: nobody answers."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():  # `auto` is looked up in a file
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_S).close()


def _quiet() -> dict[str, Any]:
    """Ray reports no usage, and speaks only when this program's own log does."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if logging.getLogger().isEnabledFor(logging.INFO):
        return {"log_to_driver": True, "logging_level": logging.INFO}
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray.data  # noqa: F401  it sets its logger up when it is imported

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return {"log_to_driver": False, "logging_level": logging.ERROR}


def _size() -> dict[str, Any]:
    return {
        "num_cpus": len(os.sched_getaffinity(0)),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }


def _own_folder() -> Path:
    """A fresh one for Ray's sockets and whatever it spills; those of jobs that were killed go.

    It is below the system's temporary folder, unless the names of sockets there would be too long.
    """
    temporary = Path(tempfile.gettempdir())
    parent = temporary if len(str(temporary)) <= _LONGEST_TEMPORARY_FOLDER else Path("/tmp")
    for folder in parent.glob(f"{_FOLDER}*-*"):
        process_id = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if process_id.isdecimal() and not is_alive(int(process_id)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=parent))
