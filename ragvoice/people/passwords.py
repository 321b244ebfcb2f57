"""Passwords as scrypt hashes (RFC 7914), and a brake on guessing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import threading
import time
import unicodedata
from collections.abc import Callable

from ragvoice.errors import AccessError, UsageError

SHORTEST, LONGEST = 10, 256
"""Characters of a password."""
COST = (2**15, 8, 3)
"""N, r, p as the OWASP password storage guide asks for; 32 MiB and some tenths of a second."""
_ONE_AT_A_TIME = threading.Lock()
"""Many guesses at once cost the memory of one."""


def hashed(password: str) -> str:
    """`scrypt$N$r$p$salt$hash`, the last two in base64.

    :raises UsageError: for one that is too short or too long.
    """
    if not SHORTEST <= len(_normal(password)) <= LONGEST:
        raise UsageError(f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}.")
    salt = os.urandom(16)
    return "$".join(["scrypt", *map(str, COST), _text(salt), _text(_scrypt(password, salt, *COST))])


def nobodys() -> str:
    """A stored text that no password matches, at the same cost."""
    return "$".join(["scrypt", *map(str, COST), _text(bytes(16)), _text(bytes(32))])


def matches(password: str, stored: str) -> bool:
    """:raises UsageError: when the stored text is no such hash."""
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        if kind != "scrypt":
            raise ValueError(kind)
        found = _scrypt(password[: 4 * LONGEST], base64.b64decode(salt), int(n), int(r), int(p))
        return hmac.compare_digest(found, base64.b64decode(digest))
    except ValueError as error:
        raise UsageError("A stored password is not readable; set it anew: ragvoice people password NAME") from error


class Brake:
    """After some wrong passwords for a name the next try has to wait, longer each time. For any thread."""

    def __init__(
        self, free: int = 5, longest_s: float = 60.0, names: int = 10_000, clock: Callable[[], float] = time.monotonic
    ):
        """:param free: Wrong passwords in a row that cost no wait; then 1, 2, 4 ... seconds up to `longest_s`.
        :param names: That are remembered, known or not; beyond it the oldest are forgotten.
        """
        self._free = free
        self._longest_s = longest_s
        self._names = names
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: dict[str, tuple[int, float]] = {}
        """By name: how many in a row, and when the next try is heard."""

    def begin(self, name: str) -> None:
        """A try, which counts as wrong until `forget`. :raises AccessError: when it comes too soon."""
        with self._lock:
            count, until = self._wrong.pop(name, (0, 0.0))
            now = self._clock()
            if now < until:
                self._wrong[name] = (count, until)
                raise AccessError(f"Too many wrong passwords. Try again in {until - now:.0f} seconds.")
            wait_s = min(2.0 ** (count + 1 - self._free), self._longest_s) if count + 1 >= self._free else 0.0
            self._wrong[name] = (count + 1, now + wait_s)
            while len(self._wrong) > self._names:
                del self._wrong[next(iter(self._wrong))]

    def forget(self, name: str) -> None:
        """It was the right password."""
        with self._lock:
            self._wrong.pop(name, None)


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    with _ONE_AT_A_TIME:
        return hashlib.scrypt(_normal(password).encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)


def _normal(password: str) -> str:
    """The same bytes from every keyboard (RFC 8265, OpaqueString)."""
    return unicodedata.normalize("NFC", password)


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
