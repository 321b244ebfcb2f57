from __future__ import annotations

import pytest

from ragvoice.speech.speakable import speakable


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("**25 days** per [year](https://x.org/a_(b)) [1].", "25 days per year."),
        ("## Leave\n- `ask` HR\n- _then_ book", "Leave. ask HR. then book."),
        ("| Type | Days |\n|---|---|\n| Annual | 25 |", "Annual: Days 25."),
        ("use snake_case_name or 2*3*4", "use snake_case_name or 2 times 3 times 4"),
        ("```\nmake test\n```", "make test"),
        ("EUR 1,250.50", "1250 euros and 50 cents"),
        ("1,250.50 EUR", "1250 euros and 50 cents"),
        ("$1, £3, €1.01 and $0.05", "1 dollar, 3 pounds, 1 euro and 1 cent and 5 cents"),
        ("$2.5bn or USD 3 million", "2.5 billion dollars or 3 million dollars"),
        ("5% of 1,000", "5 percent of 1000"),
        ("In Q3 2025 and the Q4 report", "In the third quarter of 20 25 and the fourth quarter report"),
        ("at 10:30, 9:05 am, 14:00 and 3:30 p.m.", "at 10 30, 9 oh 5 AM, 14 o'clock and 3 30 PM."),
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
        ("EUR 1,250 or €1.250,50 or 12,50 €", "1250 euros or 1250 euros and 50 cents or 12 euros and 50 cents"),
        ("€10-20, $1.25–$2 and -€50", "10 to 20 euros, 1 dollar and 25 cents to 2 dollars and minus 50 euros"),
        ("€5k/yr or £30/h", "5 thousand euros per year or 30 pounds per hour"),
        ("Open 9:00-17:00, 9am - 5pm CET.", "Open 9 o'clock to 17 o'clock, 9 AM to 5 PM CET."),
        ("It took 1:05:30.", "It took 1 hour, 5 minutes and 30 seconds."),
        ("Then at 5 p.m. Before.", "Then at 5 PM. Before."),
        ("2Q24, H1 2025, Q3'25", "the second quarter of 20 24, the first half of 20 25, the third quarter of 20 25"),
        ("FY2025 and FY24/25", "fiscal year 20 25 and fiscal year 24 to 25"),
        ("13/06/2025 and 1.6.2025", "June 13th, 20 25 and June 1st, 20 25"),
        ("10/06/2025", "10, 6, 20 25"),
        ("2019-2021, the 1980s, for 1750 people", "20 19 to 20 21, the 19 80s, for 1750 people"),
        ("jul 25 2012, 17 may 2010", "July 25th, 20 12, the 17th of May, 20 10"),
        ("1½ days, 3/4, 31/32", "1 and 1 half days, 3 quarters, 31 over 32"),
        ("covid-19, KB-204, 978-0, 12-15", "covid-19, KB-204, 978-0, 12 to 15"),
        (
            "a 5-km run, 2 km, 10 m2, 100 km/h",
            "a 5 kilometer run, 2 kilometers, 10 square meters, 100 kilometers per hour",
        ),
        ("123,123,000 and order 123456789", "123123000 and order 1 2 3 4 5 6 7 8 9"),
        ("Annex II, Part I, World War II. I agree.", "Annex 2, Part 1, World War 2. I agree."),
        ("pp. 3-4, section 3.4.1, §§ 2", "pages 3 to 4, section 3 point 4 point 1, sections 2"),
        ("192.168.0.1, 1-800-555-1234", "1 9 2 dot 1 6 8 dot 0 dot 1, 1, 800, 5 5 5, 1 2 3 4"),
        ("hr@acme.de, docs.acme.com/hr1", "hr at acme dot D E, docs dot acme dot com slash hr 1"),
        ("1428 Elm St. in CA 95051", "14 28 Elm Street in CA 9 5 0 5 1"),
        ("Ask Jones Ltd. They know, e.g. R&D.", "Ask Jones Limited. They know, for example R and D."),
        ("1. Ask HR\n2. Book", "1: Ask HR. 2: Book."),
        ("done ✓ 😀", "done yes"),
        ("PTO, FAQs, N/A", "P T O, F A Q's, not applicable"),
        ("Nothing to change here.", "Nothing to change here."),
        ("", ""),
    ],
)
def test_said_as_a_person_would(written: str, spoken: str) -> None:
    assert speakable(written) == spoken
