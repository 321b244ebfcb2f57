"""A connection to Ray for one job: to the cluster that RAY_ADDRESS names, or to a Ray started here for the job alone."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragvoice.errors import RagVoiceError, UsageError

LOCAL = "local"
_OBJECT_STORE_BYTES = 200 * 2**20
"""Texts and vectors on their way; some tens of batches are there at a time."""
_LONGEST_TEMPORARY_FOLDER = 30
"""Characters. Ray's sockets are below it, and the name of a socket has at most 107."""


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
    folder = Path(tempfile.mkdtemp(prefix="ragvoice-ray-", dir=_temporary_folder())) if address == LOCAL else None
    try:
        try:
            if folder:
                ray.init(address=LOCAL, _temp_dir=str(folder), **_size(), **quietly)
            else:
                ray.init(address=address, **quietly)
        except Exception as error:  # Ray raises a dozen kinds, ConnectionError and bare RuntimeError among them
            what = "Ray does not start here" if folder else f"There is no Ray at {address} (RAY_ADDRESS)"
            raise RagVoiceError(f"{what}: {str(error).strip().splitlines()[0]}") from error
        yield
    finally:
        ray.shutdown()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _quiet() -> dict[str, Any]:
    """Ray reports no usage, and speaks only when this program's own log does."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if logging.getLogger().isEnabledFor(logging.INFO):
        return {"log_to_driver": True, "logging_level": logging.INFO}
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    import ray.data  # sets its logger up when it is imported

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return {"log_to_driver": False, "logging_level": logging.ERROR}


def _size() -> dict[str, Any]:
    return {
        "num_cpus": len(os.sched_getaffinity(0)),
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
    }


def _temporary_folder() -> str | None:
    """The system's, unless the names of sockets below it would be too long."""
    return None if len(tempfile.gettempdir()) <= _LONGEST_TEMPORARY_FOLDER else "/tmp"
