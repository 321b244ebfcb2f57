"""Tickets: what a page gives its browser so that the WebSocket, which carries no session of the page, knows who speaks.

A ticket is signed, short-lived and good for one connection. The secret lives as long as the process, so a ticket of an
earlier process is void.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from ragvoice.errors import AccessError
from ragvoice.people.person import Person

LIFETIME_S = 60.0


@dataclass(frozen=True)
class Admitted:
    """Who speaks on a connection, and in which conversation; None begins a new one."""

    person: Person
    conversation_id: str | None = None
    sign_in: str | None = None
    """Id of the `SignIn` that the connection ends with; None where nobody signs in."""
    by_page: bool = False
    """A page of this server has opened it, and shows what is answered."""


class Tickets:
    """Issues and redeems. Safe to share between threads."""

    def __init__(
        self, *, lifetime_s: float = LIFETIME_S, clock: Callable[[], float] = time.monotonic, secret: str | None = None
    ):
        self._serializer = URLSafeSerializer(secret or secrets.token_hex(32), salt="ragvoice.realtime")
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._used: dict[str, float] = {}
        """Number of a redeemed ticket -> when it would have expired."""
        self._lock = threading.Lock()

    def issue(self, person: Person, conversation_id: str | None = None, sign_in: str | None = None) -> str:
        """See `Admitted`. A text of letters, digits, `-`, `_` and `.`, so that it may stand in a header."""
        content = {
            "number": secrets.token_urlsafe(16),
            "expires": self._clock() + self._lifetime_s,
            "name": person.name,
            "role": person.role,
            "groups": list(person.groups),
            "conversation": conversation_id,
            "sign_in": sign_in,
        }
        return str(self._serializer.dumps(content))

    def redeem(self, ticket: str) -> Admitted:
        """:raises AccessError: forged, expired or used already."""
        try:
            content: dict[str, Any] = self._serializer.loads(ticket)
        except BadSignature as error:
            raise AccessError("This ticket was not issued by this server. Reload the page.") from error
        now = self._clock()
        if content["expires"] <= now:
            raise AccessError(f"This ticket is older than {self._lifetime_s:.0f} s. Reload the page.")
        with self._lock:
            self._used = {number: expires for number, expires in self._used.items() if expires > now}
            if content["number"] in self._used:
                raise AccessError("This ticket was used already; each is good for one connection. Reload the page.")
            self._used[content["number"]] = content["expires"]
        person = Person(content["name"], content["role"], tuple(content["groups"]))
        return Admitted(person, content["conversation"], content["sign_in"], by_page=True)
