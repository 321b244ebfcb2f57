from __future__ import annotations

import pytest

from ragvoice.datatypes import Citation, Place
from ragvoice.speech.spoken_source import spoken_source


def citation(
    title: str = "", section: str = "", page: int | None = None, place: Place | None = None, source: str = "a/b.md"
) -> Citation:
    return Citation("id", source, title, section, page, place, "quote", 0)


@pytest.mark.parametrize(
    ("cited", "said"),
    [
        (citation("Travel Policy 2023", "4 Hotels > 4.2 Limits", 7), "According to the Travel Policy, section 4.2."),
        (citation("Our rules", "§ 3 Leave"), "According to Our rules, section 3."),
        (
            citation("Warranty Terms, Loggers", "Loggers > Batteries"),
            "According to the Warranty Terms, Loggers, under Batteries.",
        ),
        (citation("Phone directory - Tarnfeld intranet", "", 3), "According to the Phone directory, page 3."),
        (citation("IT service desk: frequently asked questions"), "According to the IT service desk."),
        (citation("Kick-off", place=Place("slide", 5)), "According to the Kick off, slide 5."),
        (
            citation("Q&A | Home", "How long do I have to wait for it?", 2, source="faq/b_handbook.md"),
            "According to the b handbook, page 2.",
        ),
        (
            citation("162428 0 349", "2.1 X", source="hr/employee-handbook_2025.pdf"),
            "According to the employee handbook, section 2.1.",
        ),
        (citation("162428 0 349", "2.1 X", source="162428"), ""),
        (
            citation("7 " * 20, source="one two three four five six seven eight nine ten.pdf"),
            "According to the one two three four five six seven eight.",
        ),
        (citation("Travel policy" + 300 * " -" + " A1", "4 Hotels"), "According to the Travel policy, section 4."),
        (citation(300 * "-" + "Policy", source="leave.md"), "According to the leave."),  # no further is looked
        (citation("Rules", place=Place("time_s", 61.5)), "According to the Rules."),
    ],
)
def test_document_and_place_are_named_as_a_colleague_does(cited: Citation, said: str) -> None:
    assert spoken_source(cited) == said
