from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any, cast

from ragvoice.retrieval.index import DocumentIndex, IndexedDocument
from ragvoice.retrieval.vocabulary import LiveVocabulary, mine

COMMON = frozenset(
    "the ask our logger is a of for in and send it to march policy travel leeds we use every box".split()
)


def pieces(word: str) -> int:
    return 1 if word in COMMON else 3 if "-" in word else 2


def index(generation: str, *documents: tuple[str, str]) -> DocumentIndex:
    """:param documents: (text, group)"""
    found = {
        f"d{number}": IndexedDocument(f"d{number}", "", "", text, (group,), "", {})
        for number, (text, group) in enumerate(documents)
    }
    return cast(
        DocumentIndex,
        SimpleNamespace(
            manifest=SimpleNamespace(generation=generation),
            documents=lambda: list(found.values()),
            document=found.__getitem__,
        ),
    )


def test_names_codes_and_terms_are_mined_and_general_english_is_not() -> None:
    texts = [
        "Ask Tarnfeld for the DL-8 logger. Ask Tarnfeld in March for turbidity in Leeds.",
        "We use the DL-8 and the RMA in Leeds. Send the RMA to Tarnfeld in March for turbidity.",
    ]

    assert set(mine(texts, pieces, 9)) == {"DL-8", "Tarnfeld", "RMA", "turbidity", "Leeds"}
    # (documents + sqrt(uses)) * (pieces beyond one + code + name/2):
    # DL-8 (2 + 1.41) * 3.5 = 11.9, RMA (1 + 1.41) * 2.5 = 6.0, Tarnfeld (2 + 1.73) * 1.5 = 5.6
    assert mine(texts, pieces, 3) == ("DL-8", "RMA", "Tarnfeld")


def test_what_is_used_once_or_only_as_a_heading_or_is_an_address_is_left_out() -> None:
    texts = [
        "# Zyx\nWe ask. Zyx\nThe box is in Qwop. See a/wxyz/b and wxyz.html or x@wxyz.",
        "# Zyx\n- Zyx\nWe use a very-long-identifier-of-a-machine and a very-long-identifier-of-a-machine wxyz/c.",
    ]

    assert mine(texts, pieces, 9) == ()


def test_a_document_that_not_everyone_may_read_is_not_mined() -> None:
    secret, open_ = "Ask for Heronia and for Heronia.", "Ask for Skelder and for Skelder."

    words = LiveVocabulary(lambda: index("1", (secret, "board"), (open_, "everyone")), pieces, 9).words()

    assert words == ("Skelder",)


def test_a_new_generation_is_mined_meanwhile_and_then_used() -> None:
    may_go_on = threading.Event()

    def slow(word: str) -> int:
        return pieces(word) if word == "skelder" or may_go_on.wait(10) else 0

    current: list[Any] = [index("1", ("Ask for Skelder and for Skelder.", "everyone"))]
    may_go_on.set()
    live = LiveVocabulary(lambda: current[0], slow, 9)
    may_go_on.clear()
    current[0] = index("2", ("Ask for Corrie and for Corrie.", "everyone"))

    assert live.words() == ("Skelder",)
    assert live.words() == ("Skelder",)
    may_go_on.set()
    for _ in range(500):
        if live.words() == ("Corrie",):
            break
        time.sleep(0.01)
    assert live.words() == ("Corrie",)
