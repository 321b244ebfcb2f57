"""Who has signed in with a password, so that a reloaded page need not ask again.

The page cannot set a cookie that scripts cannot read. So it gives its browser an offer, good once and for a minute, for
which the browser fetches the cookie from the route here. The cookie holds a random text and nothing else; what that
stands for is kept in this process, and ends with it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ragvoice.errors import AccessError
from ragvoice.server.admission import check_origin

PATH = "/v1/sign-in"
HEADER = "X-Ragvoice-Offer"
"""A page of another site cannot send it."""
COOKIE = "ragvoice_sign_in"
OFFER_S = 60.0


@dataclass(frozen=True, eq=False)
class SignIn:
    name: str
    password: str
    """As the file stores it: with another one the sign-in is over."""
    until: float
    """Seconds since the epoch."""


class SignIns:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._open = set[SignIn]()
        self._offers: dict[str, tuple[SignIn, float]] = {}
        """With the time until which each is good."""
        self._cookies: dict[str, SignIn] = {}
        """By the SHA-256 of the cookie."""
        self._lock = threading.Lock()

    def begin(self, name: str, password: str, lifetime_s: float) -> SignIn:
        made = SignIn(name, password, time.time() + lifetime_s)
        with self._lock:
            self._keep({one for one in self._open if one.until > time.time()} | {made})
        return made

    def end(self, sign_in: SignIn) -> None:
        """In all pages of its browser."""
        with self._lock:
            self._keep(self._open - {sign_in})

    def is_open(self, sign_in: SignIn) -> bool:
        return sign_in in self._open and time.time() < sign_in.until

    def offer(self, sign_in: SignIn) -> str:
        made = secrets.token_urlsafe(32)
        with self._lock:
            self._offers[made] = (sign_in, time.time() + OFFER_S)
        return made

    def is_offered(self, offer: str) -> bool:
        return time.time() < self._offers.get(offer, (None, 0.0))[1]

    def take(self, offer: str) -> tuple[str, SignIn]:
        """:returns: The text of the cookie. :raises AccessError: for an offer that is taken, too old or nobody's."""
        with self._lock:
            sign_in, until = self._offers.pop(offer, (None, 0.0))
            if sign_in is None or sign_in not in self._open or time.time() >= until:
                raise AccessError("This sign-in is not kept: its offer was taken already, or is too old.")
            cookie = secrets.token_urlsafe(32)
            self._cookies[_digest(cookie)] = sign_in
        return cookie, sign_in

    def of(self, cookies: Mapping[str, str]) -> SignIn | None:
        """Of a browser, by its cookies."""
        found = self._cookies.get(_digest(cookies.get(COOKIE, "")))
        return found if found is not None and self.is_open(found) else None

    def _keep(self, sign_ins: set[SignIn]) -> None:
        self._open = sign_ins
        self._offers = {offer: made for offer, made in self._offers.items() if made[0] in sign_ins}
        self._cookies = {cookie: one for cookie, one in self._cookies.items() if one in sign_ins}


def sign_in_route(sign_ins: SignIns) -> Route:
    """POST with an offer: 204 and the cookie, or 403."""

    async def endpoint(request: Request) -> Response:
        try:
            check_origin(request.headers.get("origin"), request.headers.get("host"))
            cookie, sign_in = sign_ins.take(request.headers.get(HEADER, ""))
        except AccessError as error:
            return PlainTextResponse(str(error), 403)
        response = Response(status_code=204)
        https = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
        seconds = max(0, int(sign_in.until - time.time()))
        response.set_cookie(COOKIE, cookie, max_age=seconds, secure=https, httponly=True, samesite="strict")
        return response

    return Route(PATH, endpoint, methods=["POST"], name="sign-in")


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
