"""Who may open a live connection: the browser's origin, and a ticket, or the open door of a machine's own user."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from ragvoice.errors import AccessError, UsageError
from ragvoice.people.loopback import is_loopback
from ragvoice.people.person import Person
from ragvoice.server.tickets import Admitted, Tickets

Authenticate = Callable[[str | None, bool], Admitted]
"""Ticket or None, and whether the client is on this machine -> who it is. Raises AccessError."""

_KEY_PROTOCOL = "openai-insecure-api-key."
"""How browsers, which cannot set headers on a WebSocket, carry a key in OpenAI's Realtime API."""


def check_bind(host: str, accounts: bool) -> None:
    """:raises UsageError: when a server without accounts would listen to other machines."""
    if not accounts and not is_loopback(host):
        raise UsageError(
            f"Without accounts, everyone who can reach {host or 'this machine'} could ask as an administrator. Add a "
            "person first (ragvoice people add NAME --role admin), configure sign-in, or serve on 127.0.0.1."
        )


def check_origin(origin: str | None, host: str | None) -> None:
    """A page of another site may not use the visitor's way to this server.

    :param origin: The Origin header; None for clients that are no browser.
    :raises AccessError: when it names another host than the Host header.
    """
    if origin is not None and urlsplit(origin).netloc.lower() != (host or "").lower():
        raise AccessError(f"The page at {origin} may not connect to {host}. Open the page of this server itself.")


def ticket_of(authorization: str | None, protocols: list[str]) -> str | None:
    """The ticket in `Authorization: Bearer ...` or in a subprotocol `openai-insecure-api-key....`; None without one."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return next((name.removeprefix(_KEY_PROTOCOL) for name in protocols if name.startswith(_KEY_PROTOCOL)), None)


def authenticator(tickets: Tickets, accounts_exist: Callable[[], bool], anyone: Person) -> Authenticate:
    """With accounts only a valid ticket; without them also none, or any key that an existing client has to send.

    :param anyone: Who speaks when there are no accounts, where only this machine is served.
    """

    def authenticate(ticket: str | None, local: bool) -> Admitted:
        if accounts_exist():
            if ticket is None:
                raise AccessError("This server asks who you are: sign in on its page, which opens the connection.")
            return tickets.redeem(ticket)
        if not local:
            raise AccessError("Without accounts this server is for this machine only: open it at http://localhost.")
        try:
            return tickets.redeem(ticket or "")
        except AccessError:
            return Admitted(anyone)

    return authenticate
