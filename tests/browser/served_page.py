"""A real `ragvoice ui` in a process of its own, in a RAGVOICE_HOME of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough secret"
_START_S = 90
_SECRETS = """[auth]
redirect_uri = "http://localhost:{port}/oauth2callback"
cookie_secret = "known to the tests alone, and long enough"

[auth.company]
client_id = "ragvoice"
client_secret = "known to the provider"
server_metadata_url = "{company}/.well-known/openid-configuration"
"""


@dataclass(frozen=True)
class ServedPage:
    url: str
    home: Path
    log: Path

    def at(self, page: str) -> str:
        """:param page: Its path, as `documents`."""
        return f"{self.url}/{page}"


@contextmanager
def served_page(
    home: Path, models: Path, index: Path, people: Iterable[Person] = (), company: str | None = None
) -> Iterator[ServedPage]:
    """
    :param home: A folder that is empty or not there; what it holds afterwards is kept.
    :param models: Folder of the installed models; linked, not copied.
    :param people: Whoever may sign in with `PASSWORD`; nobody: the page is open.
    :param company: Address of an OpenID Connect provider through which people sign in instead.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "models").symlink_to(models)
    for person in people:
        Accounts(home / "people.toml").add(person, PASSWORD)
    port = free_port()
    if company is not None:
        (home / ".streamlit").mkdir()
        secrets = _SECRETS.format(port=port, company=company)
        (home / ".streamlit" / "secrets.toml").write_text(secrets, encoding="utf-8")
    served = ServedPage(f"http://localhost:{port}", home, home / "server.log")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RAGVOICE_", "STREAMLIT_"))}
    environment = {
        **inherited,
        "RAGVOICE_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "ragvoice", "ui", "--port", str(port), "--index", str(index)]
    with served.log.open("wb") as log:
        # Not in the checkout: a ragvoice.toml of whoever runs the tests would count.
        server = subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_until_healthy(served, server)
        yield served
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_healthy(served: ServedPage, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{served.url}/_stcore/health", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError(f"`ragvoice ui` did not start. Its log:\n{served.log.read_text()}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
