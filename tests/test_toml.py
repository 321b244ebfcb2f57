"""What is written as TOML is read back as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragvoice.toml import toml_value


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        (0.5, 0.5),
        (7, 7),
        (Path("/srv/a b"), "/srv/a b"),
        (("hr", 'a "b"\n'), ["hr", 'a "b"\n']),
        ([Path("a"), [1]], ["a", [1]]),
        ((), []),
    ],
)
def test_values_of_every_kind(value: Any, read: Any) -> None:
    assert tomllib.loads(f"a = {toml_value(value)}") == {"a": read}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text(text: str) -> None:
    assert tomllib.loads(f"a = {toml_value(text)}") == {"a": text}
