"""Cheap hashes: these tests are about who is let in, not about how long guessing takes."""

from __future__ import annotations

import pytest

from ragvoice.people import passwords


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "COST", (16, 8, 1))
