"""Where somebody wants to look."""

from __future__ import annotations

from datetime import date

import pytest

from ragvoice.retrieval.facts import DocumentFacts
from ragvoice.retrieval.scope import EVERYTHING, Scope


def facts(doc_id: str, **metadata: object) -> DocumentFacts:
    return DocumentFacts.of(doc_id, "", 100, metadata)


@pytest.mark.parametrize(
    ("pattern", "doc_id", "admitted"),
    [
        ("hr", "hr/leave/poland.md", True),
        ("./hr/", "hr/leave.md", True),
        ("hr", "hr-old/leave.md", False),
        ("hr/*.md", "hr/leave/poland.md", True),
        ("hr/*.md", "hr/leave.pdf", False),
        ("*.pdf", "finance/a.pdf", True),
        ("mail.zip", "mail.zip!/a.eml", True),
        ("[hf]*/a.md", "finance/a.md", True),
    ],
)
def test_patterns(pattern: str, doc_id: str, admitted: bool) -> None:
    assert Scope(sources=(pattern,)).admits(facts(doc_id)) is admitted
    assert Scope(sources=("nothing", pattern)).admits(facts(doc_id)) is admitted


def test_both_ends_of_a_period_belong_to_it() -> None:
    year = Scope(since=date(2025, 1, 1), until=date(2025, 12, 31))
    assert year.admits(facts("a", created="2025-01-01"))
    assert year.admits(facts("a", created="2025-12-31T23:00:00Z"))
    assert not year.admits(facts("a", created="2024-12-31"))
    assert not year.admits(facts("a", created="2025-03-01", valid_from="2026-01-01"))
    assert not year.admits(facts("a"))
    assert Scope(until=date(2025, 1, 1)).admits(facts("a", created="1999-01-01"))


def test_one_tag_is_enough_and_everything_given_must_hold() -> None:
    assert Scope(tags=("pay", "tax")).admits(facts("hr/a.md", tags=["tax"]))
    assert not Scope(tags=("pay",)).admits(facts("hr/a.md"))
    assert not Scope(sources=("it",), tags=("tax",)).admits(facts("hr/a.md", tags=["tax"]))
    assert EVERYTHING.admits(facts("hr/a.md"))
