from __future__ import annotations

import pytest

from ragvoice.speech.speakable import speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**25 days** per [year](https://x.org/a_(b)) [1].", "25 days per year."),
        ("## Leave\n- `ask` HR\n- _then_ book", "Leave. ask HR. then book."),
        ("| Type | Days |\n|---|---|\n| Annual | 25 |", "Type, Days. Annual, 25."),
        ("use snake_case_name or 2*3*4", "use snake_case_name or 2*3*4"),
        ("```\nmake test\n```", "make test"),
        ("EUR 1,250.50", "1250 euros and 50 cents"),
        ("1,250.50 EUR", "1250 euros and 50 cents"),
        ("$1, £3, €1.01 and $0.05", "1 dollar, 3 pounds, 1 euro and 1 cent and 5 cents"),
        ("$2.5bn or USD 3 million", "2.5 billion dollars or 3 million dollars"),
        ("5% of 1,000", "5 percent of 1000"),
        ("In Q3 2025 and the Q4 report", "In the third quarter of 20 25 and the fourth quarter report"),
        ("at 10:30, 9:05 am, 14:00 and 3:30 p.m.", "at 10 30, 9 oh 5 AM, 14 o'clock and 3 30 PM"),
        ("on 2025-03-01", "on March 1st, 20 25"),
        ("on May 3, 2019 or 22 July 2012", "on May 3rd, 20 19 or the 22nd of July, 20 12"),
        ("it may 3 times", "it may 3 times"),
        ("e.g. this, i.e. that", "for example this, that is that"),
        ("See § 4.2, ext. 42, No. 5 and v2.3.", "See section 4.2, extension 42, number 5 and version 2.3."),
        ("I said no. 5 came.", "I said number 5 came."),
        ("mail hr@acme-corp.com.", "mail hr at acme dash corp dot com."),
        ("https://www.acme.com/hr/faq.", "acme dot com slash hr slash faq."),
        ("call (123) 456-7890", "call 1 2 3, 4 5 6, 7 8 9 0"),
        ("10-15 days of 5 kg at -3 °C", "10 to 15 days of 5 kilograms at minus 3 degrees Celsius"),
        ("1 km", "1 kilometer"),
        ("Nothing to change here.", "Nothing to change here."),
        ("", ""),
    ],
)
def test_said_as_a_person_would(written: str, spoken: str) -> None:
    assert speakable(written) == spoken
