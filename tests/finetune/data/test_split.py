"""No document, title or conversation is in two parts."""

from __future__ import annotations

from asking import candidate, found, passage

from finetune.data.contexts import Found
from finetune.data.split import split
from ragvoice.datatypes import Message


def about(doc_id: str, number: int = 0, source: str = "set", **more: object) -> Found:
    title = str(more.pop("title", f"About {doc_id}"))
    one = candidate(f"{doc_id}-{number}", f"Question {number} about {doc_id}?", "x", doc_id, source=source, **more)
    return found(one, passage(doc_id, "It is x.", title=title))


def parts_of(questions: list[Found], seed: int = 1, name: str = "set") -> dict[str, str]:
    """Part by the candidate's source and id."""
    parts = split(questions, 0.1, 0.2, seed, name)
    assert list(parts) == ["train", "validation", "test"]
    return {f"{one.candidate.source}:{one.candidate.id}": part for part, group in parts.items() for one in group}


MANY = [about(f"d{document}", number) for document in range(50) for number in range(4)]


def test_everything_is_somewhere_and_the_shares_are_about_right() -> None:
    parts = split(MANY, 0.1, 0.2, 1, "set")
    assert sorted(one.candidate.id for group in parts.values() for one in group) == sorted(
        one.candidate.id for one in MANY
    )
    # Groups of 4: a goal of 20 is reached with the fifth one, 40 with the tenth.
    assert {part: len(group) for part, group in parts.items()} == {"train": 140, "validation": 20, "test": 40}


def test_a_document_is_in_one_part() -> None:
    placed = parts_of(MANY)
    for document in range(50):
        assert len({placed[f"set:d{document}-{number}"] for number in range(4)}) == 1


def test_it_is_drawn_by_the_seed_and_not_by_the_order() -> None:
    assert parts_of(MANY) == parts_of(MANY[::-1])
    assert parts_of(MANY) != parts_of(MANY, seed=2)
    assert parts_of(MANY) != parts_of(MANY, name="other")


def test_most_stays_where_it_was_when_the_set_grows() -> None:
    before, after = parts_of(MANY), parts_of([*MANY, about("new"), about("newer")])
    assert sum(before[key] != after[key] for key in before) <= 12


def test_twins_copies_and_other_sources_are_where_their_document_is() -> None:
    more = [
        one
        for document in range(50)
        for one in (
            about(f"d{document}", 0, "set, twin"),
            about(f"d{document}", 0, "failure"),
            about(f"d{document}", 9, "teacher"),
        )
    ]
    placed = parts_of(MANY + more)
    for document in range(50):
        keys = (f"set:d{document}-0", f"set, twin:d{document}-0", f"failure:d{document}-0", f"teacher:d{document}-9")
        assert len({placed[key] for key in keys}) == 1


def connected(*questions: Found) -> bool:
    """Whether these are in one part whatever the seed, among others."""
    keys = [f"{one.candidate.source}:{one.candidate.id}" for one in questions]
    return all(len({parts_of([*MANY, *questions], seed)[key] for key in keys}) == 1 for seed in range(12))


def test_what_connects() -> None:
    assert not connected(about("x"), about("y"))
    assert connected(about("x", title="Handbook"), about("y", title="Handbook"))
    both = candidate("xy", "Which?", "x", "x")
    both = type(both)(**{**vars(both), "gold_doc_ids": ("x", "y")})
    assert connected(about("x"), about("y"), found(both, passage("x", "It is x.", title="About x")))
    said = (Message("user", "Is there a bus?"), Message("agent", "Yes."))
    assert connected(about("x", history=said), about("y", history=said))
    first = found(candidate("first", "Is there a bus?", "x", "y"), passage("y", "It is x."))
    assert connected(about("x", history=said), first)


def test_a_refusal_about_no_document_goes_with_its_nearest_passage() -> None:
    nowhere = found(candidate("n", "Who won?"), passage("x", "It is x."))
    assert connected(about("x"), nowhere)


def test_a_few_large_documents_give_each_part_one() -> None:
    few = [about(name, number) for name, count in (("a", 9), ("b", 5), ("c", 6)) for number in range(count)]
    parts = split(few, 0.05, 0.05, 1, "set")
    assert {part: {one.gold.doc_id for one in group} for part, group in parts.items()} == {
        "train": {"a"}, "validation": {"c"}, "test": {"b"},
    }  # fmt: skip


def test_one_document_is_for_training() -> None:
    parts = split([about("a", number) for number in range(9)], 0.1, 0.1, 1, "set")
    assert {part: len(group) for part, group in parts.items()} == {"train": 9, "validation": 0, "test": 0}
