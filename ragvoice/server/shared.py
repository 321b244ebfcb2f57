"""What the page and the voice door of one process share: the desk with its models, tickets, and who has signed in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from ragvoice.server.sign_ins import SignIns
from ragvoice.server.tickets import Tickets

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.settings import Settings

tickets = Tickets()
sign_ins = SignIns()
_lock = threading.Lock()
_desk: Desk | None = None


def desk() -> Desk:
    """The one of this process, made from the configured settings at the first call.

    :raises UsageError: when the settings cannot be read.
    """
    from ragvoice.settings import read_settings

    with _lock:
        return _desk or _made(read_settings())


def open_desk(settings: Settings) -> None:
    """Make it from these settings, before anybody asks for it."""
    with _lock:
        _made(settings)


def _made(settings: Settings) -> Desk:
    from ragvoice.desk import build_desk

    global _desk
    _desk = build_desk(settings)
    return _desk
