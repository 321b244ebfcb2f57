"""Who has signed in, with a password or at their company, and has not signed out since, in any page of their browser.

After a password a reloaded page need not ask again. The page cannot set a cookie that scripts cannot read. So it gives
its browser an offer, good once and for a minute, for which the browser fetches the cookie from the route here. The
cookie holds a random text and nothing else; what that stands for is kept in this process, and ends with it.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ragvoice.errors import AccessError
from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person
from ragvoice.server.admission import check_origin

PATH = "/v1/sign-in"
HEADER = "X-Ragvoice-Offer"
"""A page of another site cannot send it."""
OFFER_S = 60.0
OVER = "Your sign-in is over: you have signed out, or your account has changed. Sign in again on the page."


@dataclass(frozen=True, eq=False)
class SignIn:
    name: str
    """Empty for one at a company, which names people itself."""
    password: str
    """As the file stores it: with another one the sign-in is over. Empty for one at a company."""
    until: float
    """Seconds since the epoch."""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    """What a ticket has of it."""


class SignIns:
    """Safe to share between threads."""

    def __init__(self) -> None:
        self._open: dict[str, SignIn] = {}
        """By their ids."""
        self._at_company: dict[str, SignIn] = {}
        """By the SHA-256 of the claims; also those that have ended, for other pages have the claims still."""
        self._offers: dict[str, tuple[SignIn, float]] = {}
        """With the time until which each is good."""
        self._cookies: dict[str, SignIn] = {}
        """By the SHA-256 of the cookie."""
        self._lock = threading.Lock()

    def begin(self, name: str, password: str, lifetime_s: float) -> SignIn:
        made = SignIn(name, password, time.time() + lifetime_s)
        with self._lock:
            self._begin(made)
        return made

    def at_company(self, claims: str, until: float) -> SignIn:
        """The one that these claims stand for, the same in all pages of a browser; perhaps it is over.

        :param until: In seconds since the epoch; counts the first time.
        """
        key = _digest(claims)
        with self._lock:
            if key not in self._at_company:
                now = time.time()
                self._at_company = {one: made for one, made in self._at_company.items() if made.until > now}
                self._at_company[key] = SignIn("", "", until)
                self._begin(self._at_company[key])
            return self._at_company[key]

    def end(self, sign_in: SignIn) -> None:
        """In all pages of its browser."""
        with self._lock:
            self._keep({id_: one for id_, one in self._open.items() if one is not sign_in})

    def is_open(self, sign_in: SignIn) -> bool:
        return sign_in.id in self._open and time.time() < sign_in.until

    def get(self, id_: str) -> SignIn:
        """:raises AccessError: when it is over."""
        found = self._open.get(id_)
        if found is None or not self.is_open(found):
            raise AccessError(OVER)
        return found

    def person(self, sign_in: SignIn, accounts: Accounts) -> Person:
        """Whose it is, as the file has them now.

        :raises AccessError: when it is over, or the account has gone or has another password.
        :raises UsageError: when the file cannot be read.
        """
        account = {one.person.name: one for one in accounts.accounts()}.get(sign_in.name)
        if account is None or account.password != sign_in.password or not self.is_open(sign_in):
            raise AccessError(OVER)
        return account.person

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
            if sign_in is None or sign_in.id not in self._open or time.time() >= until:
                raise AccessError("This sign-in is not kept: its offer was taken already, or is too old.")
            cookie = secrets.token_urlsafe(32)
            self._cookies[_digest(cookie)] = sign_in
        return cookie, sign_in

    def of(self, cookies: Mapping[str, str], host: str | None) -> SignIn | None:
        """Of a browser, by its cookies. :param host: As in `cookie_name`."""
        found = self._cookies.get(_digest(cookies.get(cookie_name(host), "")))
        return found if found is not None and self.is_open(found) else None

    def _begin(self, sign_in: SignIn) -> None:
        now = time.time()
        self._keep({id_: one for id_, one in self._open.items() if one.until > now} | {sign_in.id: sign_in})

    def _keep(self, sign_ins: dict[str, SignIn]) -> None:
        self._open = sign_ins
        self._offers = {offer: made for offer, made in self._offers.items() if made[0].id in sign_ins}
        self._cookies = {cookie: one for cookie, one in self._cookies.items() if one.id in sign_ins}


def cookie_name(host: str | None) -> str:
    """Another one for each port: a browser sends the cookies of a host to all of its ports, and keeps one of a name.

    :param host: The Host header.
    """
    return f"ragvoice_sign_in_{_digest((host or '').lower())[:8]}"


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
        name = cookie_name(request.headers.get("host"))
        response.set_cookie(name, cookie, max_age=seconds, secure=https, httponly=True, samesite="strict")
        return response

    return Route(PATH, endpoint, methods=["POST"], name="sign-in")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
