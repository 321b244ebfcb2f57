"""The year and the day that a document goes by."""

from __future__ import annotations

from datetime import date

import pytest

from ragvoice.retrieval.facts import DocumentFacts, years


def facts(doc_id: str, title: str = "", **metadata: object) -> DocumentFacts:
    return DocumentFacts.of(doc_id, title, 100, metadata)


@pytest.mark.parametrize(
    ("doc_id", "title", "metadata", "edition"),
    [
        ("finance/travel-policy-2023.pdf", "Travel Policy", {}, 2023),
        ("a.xlsx", "Public holidays 2026", {}, 2026),
        ("minutes-2024.pdf", "Minutes, revised 2025", {}, 2025),
        ("3M_2018_10K.pdf", "", {}, 2018),
        ("policy.md", "Policy", {"valid_from": "2025-05-01"}, 2025),
        ("policy.md", "Policy", {"modified": "2025-05-01T09:00:00Z"}, None),
        ("2ec3def5abce1bd5-2-2012", "", {}, None),
        ("part-120256.pdf", "", {}, None),
    ],
)
def test_the_edition_is_a_year_that_somebody_has_written(
    doc_id: str, title: str, metadata: dict[str, object], edition: int | None
) -> None:
    assert facts(doc_id, title, **metadata).edition == edition


def test_editions_share_their_title_but_for_numbers() -> None:
    assert facts("a", "Price list 2026").family == facts("b", "Price  list, 2025".replace(",", "")).family
    assert facts("a", "Leave policy v2.1").family == facts("b", "Leave policy").family
    assert facts("a", "Warranty, loggers").family != facts("b", "Warranty, sensors").family


def test_only_folders_are_archives() -> None:
    assert facts("hr/Archive/leave.md").archived
    assert not facts("hr/archive.md").archived
    assert not facts("hr/archive-rules/leave.md").archived


def test_a_document_goes_by_its_validity_then_by_when_it_was_written() -> None:
    written = {"created": "2023-02-01T09:00:00Z", "modified": "2024-03-05T11:05:00+01:00"}
    assert facts("a", valid_from="2025-01-01", **written).dated == date(2025, 1, 1)
    assert facts("a", **written).dated == date(2024, 3, 5)
    assert facts("a", created="2023-02-01").dated == date(2023, 2, 1)
    assert facts("a", created="last spring").dated is None


def test_years_are_words_of_their_own() -> None:
    assert years("In 2023 and FY_2018, form 20251, v1999x, 1850.") == {2023, 2018}
