"""PDFs that are read from the right. `files/right_to_left.pdf.gz` was saved by LibreOffice."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ingest.loaders import load
from ingest.loaders.right_to_left import _logical, _Sign, _whole, is_right_to_left
from ragvoice.datatypes import Place

FILE = Path(__file__).parent / "files" / "right_to_left.pdf.gz"


def test_arabic_and_hebrew_with_latin_words_numbers_and_brackets(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(gzip.decompress(FILE.read_bytes()))
    [page] = load(tmp_path / "a.pdf")
    assert page.page_content == (
        "## إجازات العمال\n\n"
        "لا يفتح المستودع Dock North قبل الساعة 06:30 (أو بعد 18:00) في الأيام العادية.\n"
        "يحصل العامل على 25 يوما في السنة 2026 عبر Harbour Portal.\n\n"
        "## חופשה\n\n"
        "העובד מקבל 18 ימים בשנת 2026, דרך Harbour Portal או 50%."
    )
    assert page.metadata["place"] == Place("page", 1)


def drawn(visual: str) -> list[_Sign]:
    """One sign of width 1 after the other from the left, as on paper; `_` is a gap without a sign."""
    return [
        _Sign(character, float(place), float(place), place + 1.0, 1.0)
        for place, character in enumerate(visual)
        if character != "_"
    ]


@pytest.mark.parametrize(
    ("visual", "read"),
    [
        ("גבא", "אבג"),
        ("דג_בא", "אב גד"),
        ("2024_2023_בא", "אב 2023 2024"),
        ("1403/09/19_בא", "אב 1403/09/19"),
        ("50%_בא", "אב 50%"),
        ("ב_Power BI 3_א", "א Power BI 3 ב"),
        ("Pythonבא", "אב Python"),
        ("(ב)_א", "א (ב)"),
        ("Page_7", "Page 7"),
    ],
)
def test_what_stands_on_paper_is_read_from_the_right(visual: str, read: str) -> None:
    assert _logical(_whole(drawn(visual))) == read


def test_marks_follow_their_letters_and_alef_follows_lam_in_a_ligature() -> None:
    ligature = [_Sign("ا", 5, 5, 7, 10), _Sign("ل", 5, 5, 7, 10)]
    letter, carrier, mark = _Sign("ض", 0, 0, 5, 10), _Sign(" ", 3, 3, 3, 10), _Sign("ً", 2, 2, 3, 10)
    assert _logical(_whole([*ligature, carrier, mark, letter])) == "لاضً"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("שלום לכולם", True), ("Hello", False), ("123", False), ("مرحبا Python now", True), ("", False)],
)
def test_pages_are_told_by_their_letters(text: str, expected: bool) -> None:
    assert is_right_to_left(text) is expected
