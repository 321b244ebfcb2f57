"""Where nobody signs in, only this machine itself is served."""

from __future__ import annotations

import pytest

from ragvoice.people.loopback import is_local, is_loopback


@pytest.mark.parametrize("host", ["localhost", "localhost:8501", "127.0.0.1:80", "127.8.8.8", "[::1]:8501"])
def test_these_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "example.com", "localhost.example.com", "10.0.0.7:80", "127.0.0.1.nip.io"]
)
def test_these_are_not(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("headers", "address", "local"),
    [
        ({"Host": "localhost:8501"}, None, True),
        ({"Host": "localhost:8501", "Origin": "http://localhost:8501"}, "127.0.0.1", True),
        ({"Host": "localhost:8501"}, "::1", True),
        ({"Host": "localhost:8501"}, "10.0.0.7", False),
        ({"Host": "rebound.example:8501"}, "127.0.0.1", False),
        ({"Host": "localhost:8501", "Origin": "https://voice.example"}, "127.0.0.1", False),
        ({"Host": "localhost:8501", "Origin": "null"}, "127.0.0.1", False),
        ({"Host": "localhost:8501", "X-Forwarded-For": "10.0.0.7"}, "127.0.0.1", False),
        ({}, "127.0.0.1", False),
    ],
)
def test_a_request_is_judged_by_all_that_it_says(headers: dict[str, str], address: str | None, local: bool) -> None:
    assert is_local(headers, address) == local
