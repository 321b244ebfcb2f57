"""Markdown -> words."""

from __future__ import annotations

import pytest

from finetune.data.plain import plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**Bold** and _italic_, `code`", "Bold and italic, code"),
        ("See [the page](https://a.example/b_(c)) now", "See the page now"),
        ("![a picture](x.png) Words <br> here", "Words here"),
        ("- item\n1. other", "item other"),
        ("## Heading", "Heading"),
        ("snake_case and 2 * 3 * 4", "snake_case and 2 * 3 * 4"),
        (r"costs \$5 \_now\_", "costs $5 _now_"),
        ("a\n\nb  c", "a b c"),
    ],
)
def test_marks_go_and_words_stay(text: str, expected: str) -> None:
    assert plain(text) == expected
