"""Right passages and hard negatives of a scripted ranking."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from finetune.embedder.mining import mine
from ragvoice.datatypes import Message, Passage
from ragvoice.evaluation.datasets import Question
from ragvoice.retrieval.scope import Scope


def passage(doc_id: str, text: str, similarity: float, hash_: str = "") -> Passage:
    return Passage(doc_id, doc_id, "", "", None, None, text, 0, 0.5, similarity, hash_ or text)


LEAVE = Question("1", "How long is leave?", ("25 days",), ("leave",), True)


class Search:
    """The same ranking for every question."""

    def __init__(self, found: Sequence[Passage], in_scope: Sequence[Passage] = ()) -> None:
        self.found, self.in_scope = list(found), list(in_scope)
        self.asked: list[tuple[str, Sequence[str] | None]] = []

    def __call__(
        self, query: str, k: int | None = None, groups: Sequence[str] | None = None, scope: Scope | None = None
    ) -> list[Passage]:
        self.asked.append((query, groups))
        return self.in_scope if scope else self.found


def test_the_chunk_with_the_answer_is_right_and_the_best_wrong_one_negative() -> None:
    search = Search(
        [
            passage("leave", "Leave is granted on request.", 0.9),
            passage("sick", "Sick leave needs a note.", 0.7),
            passage("leave", "Everyone gets 25 days.", 0.8),
            passage("pay", "Pay day.", 0.3),
        ]
    )
    pairs, left_out = mine([LEAVE], search, frozenset())
    assert [(p.positive, p.negatives, p.document) for p in pairs] == [
        ("Everyone gets 25 days.", ("Sick leave needs a note.",), "leave")
    ]
    assert left_out == Counter()


def test_what_is_nearly_as_similar_as_the_right_passage_may_be_right_too() -> None:
    near, below = passage("b", "Leave has 25 days.", 0.77), passage("c", "Leave of cats.", 0.75)
    search = Search([near, passage("leave", "25 days.", 0.8), below])
    pairs, _ = mine([LEAVE], search, frozenset(), margin=0.95)  # .95 x .80 = .76
    assert pairs[0].negatives == ("Leave of cats.",)


def test_nothing_of_a_held_out_document_and_no_copy_of_the_right_passage() -> None:
    right = passage("leave", "25 days.", 0.8, "same")
    search = Search([right, passage("copy", "25 days.", 0.7, "same"), passage("unseen", "Secret.", 0.6)])
    pairs, left_out = mine([LEAVE], search, frozenset({"unseen"}))
    assert pairs == []
    assert left_out == Counter({"no negative below the margin": 1})


def test_a_gold_document_that_is_not_found_is_searched_by_itself() -> None:
    search = Search([passage("pay", "Pay day.", 0.3)], [passage("leave", "You get 25 days.", 0.4)])
    pairs, _ = mine([LEAVE], search, frozenset())
    assert (pairs[0].positive, pairs[0].negatives) == ("You get 25 days.", ("Pay day.",))
    _, left_out = mine([LEAVE], Search([passage("pay", "Pay day.", 0.3)]), frozenset())
    assert left_out == Counter({"gold document not in the index": 1})


def test_few_negatives_repeat() -> None:
    search = Search([passage("leave", "25 days.", 0.8), passage("pay", "Pay day.", 0.3)])
    pairs, _ = mine([LEAVE], search, frozenset(), negatives=3)
    assert pairs[0].negatives == ("Pay day.",) * 3


def test_it_is_asked_as_in_service() -> None:
    history = (Message("user", "How long is parental leave in Poland?"), Message("agent", "20 weeks."))
    search = Search([passage("leave", "25 days.", 0.8), passage("pay", "Pay day.", 0.3)])
    pairs, _ = mine([Question("2", "And in Spain?", (), ("leave",), True, history, ("hr",))], search, frozenset())
    assert search.asked == [("How long is parental leave in Poland? And in Spain?", ("hr",))]
    assert pairs[0].question == "How long is parental leave in Poland? And in Spain?"
