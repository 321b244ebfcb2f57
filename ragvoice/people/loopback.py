"""Whether a request comes from this machine itself: the only one that is served where nobody signs in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def is_loopback(host: str) -> bool:
    """:param host: A name or an address, with or without a port, as in a Host header."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False


def is_local(headers: Mapping[str, str], address: str | None) -> bool:
    """By the names that the browser has used, so that another site's page is not served, nor somebody behind a proxy.

    :param headers: Of the request. :param address: Of the client; None where the server does not say.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    if any(name in lower for name in _FORWARDED) or (address is not None and not is_loopback(_bracketed(address))):
        return False
    origin = lower.get("origin")  # `null` of a sandboxed frame, which may be another site's
    return is_loopback(lower.get("host", "")) and (origin is None or is_loopback(urlsplit(origin).netloc))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
