"""One file over HTTP: resumed where it broke off, and of the right content or not there at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ragvoice.errors import ModelError, SourceUnreachable
from ragvoice.models.checksums import file_sha256

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
TRIES = 2
"""In a row without a single new byte; a connection that is cut after some bytes is picked up again."""
TRIES_IN_ALL = 50
"""A server that cuts every connection after a few bytes is given up on."""
PAUSE_S = 0.5


@contextmanager
def http_client() -> Iterator[httpx.Client]:
    """A client with short connect timeout; proxies and certificates come from the environment.

    Raises:
        SourceUnreachable: the environment names a proxy of a kind that is not supported.
    """
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    try:
        client = httpx.Client(timeout=timeout, follow_redirects=True, headers={"User-Agent": "ragvoice"})
    except (ImportError, ValueError) as error:
        raise SourceUnreachable(f"The proxy that the environment names cannot be used: {error}") from error
    with client:
        yield client


def get(client: httpx.Client, url: str, headers: dict[str, str]) -> httpx.Response:
    """A small page, tried twice.

    Raises:
        SourceUnreachable: no connection, or an answer that is not 200.
    """
    for last in (False, True):
        try:
            response = client.get(url, headers=headers)
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            if last:
                raise SourceUnreachable(f"{shown(url)} does not answer: {_reason(error)}.") from error
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise SourceUnreachable(f"{shown(url)} is not an HTTP address: {error}.") from error
        else:
            if response.status_code < 500 or last:
                _require_success(response)
                return response
        time.sleep(PAUSE_S)
    raise AssertionError("the loop returns or raises")


def fetch(
    client: httpx.Client,
    url: str,
    target: Path,
    size: int,
    sha256: str,
    on_bytes: Callable[[int], None],
    headers: dict[str, str] | None = None,
) -> None:
    """Download `url` to `target`, going on from `target.part` if an earlier try left one.

    `on_bytes` gets the number of bytes of this file that are there. A partial file that is too long, or that makes a
    file of the wrong hash, is thrown away and the download begins again, once.

    Raises:
        SourceUnreachable: the server does not answer, or refuses.
        ModelError: the content has another hash.
        OSError: the disk is full.
    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    resumed = part.exists() and part.stat().st_size > 0
    if resumed and part.stat().st_size > size:
        part.unlink()
        resumed = False
    _download(client, url, part, size, on_bytes, headers or {})
    found = file_sha256(part)
    if found != sha256 and resumed:
        part.unlink()
        _download(client, url, part, size, on_bytes, headers or {})
        found = file_sha256(part)
    if found != sha256:
        part.unlink()
        raise ModelError(f"{target.name} from {shown(url)}: expected SHA-256 {sha256}, got {found}. Thrown away.")
    part.replace(target)


def shown(url: str) -> str:
    """The address without user name, password and query, which may be secrets."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "the address given"
    return str(parsed.copy_with(username=None, password=None, query=None, fragment=None))


def _download(
    client: httpx.Client, url: str, part: Path, size: int, on_bytes: Callable[[int], None], headers: dict[str, str]
) -> None:
    """Bring `part` to `size` bytes."""
    tries_left = TRIES
    for _ in range(TRIES_IN_ALL):
        before = part.stat().st_size if part.exists() else 0
        on_bytes(before)
        if before == size and part.exists():
            return
        try:
            _stream(client, url, part, before, size, on_bytes, headers)
            tries_left -= 1
            reason = "the connection was closed early"
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            tries_left -= 1
            reason = _reason(error)
        except httpx.InvalidURL as error:
            raise SourceUnreachable(f"{shown(url)} is not an HTTP address: {error}.") from error
        now = part.stat().st_size if part.exists() else 0
        if now == size:
            return
        if now > before:
            tries_left = TRIES
        if tries_left <= 0:
            break
        time.sleep(PAUSE_S)
    raise SourceUnreachable(f"{shown(url)}: {reason}; {now:,} of {size:,} bytes are here, the next pull goes on there.")


def _stream(
    client: httpx.Client,
    url: str,
    part: Path,
    start: int,
    size: int,
    on_bytes: Callable[[int], None],
    headers: dict[str, str],
) -> None:
    """One request; appends to `part`, or writes it anew when the server ignores the range."""
    asked = {**headers, "Accept-Encoding": "identity"}
    if start:
        asked["Range"] = f"bytes={start}-"
    with client.stream("GET", url, headers=asked) as response:
        if response.status_code == 416:
            part.unlink()
            return
        if response.status_code >= 500:
            raise httpx.ReadError(f"HTTP {response.status_code}")
        _require_success(response)
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        done = start if response.status_code == 206 and resumes else 0
        with part.open("ab" if done else "wb") as file:
            for chunk in response.iter_raw():
                done += len(chunk)
                if done > size:
                    raise ModelError(f"{shown(url)} sends more than the {size:,} bytes expected.")
                file.write(chunk)
                on_bytes(done)


def _require_success(response: httpx.Response) -> None:
    if response.status_code not in (200, 206):
        raise SourceUnreachable(f"{shown(str(response.url))} answers HTTP {response.status_code}.")


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
