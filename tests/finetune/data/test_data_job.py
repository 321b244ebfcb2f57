"""The data of a run, made of a small folder with the real embedder."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from finetune.data import gathering, job
from finetune.data.examples import PARTS, Example, read_part
from finetune.data.job import Made, fewer_refusals, make_data
from finetune.run import Data, QuestionSet, RunConfig
from ragvoice.cli import main
from ragvoice.datatypes import Answer, Citation, Message, Passage
from ragvoice.errors import UsageError
from ragvoice.evaluation.report import SCHEMA
from ragvoice.evaluation.results import QuestionResult, ReadPassage
from ragvoice.settings import Settings, read_settings
from ragvoice.turns.log import TurnLog
from ragvoice.turns.records import Circumstances, turn_of

TOPICS = {
    "Leave": ("annual leave", "Ask your team lead early, because summer is full by March in most years."),
    "Parking": ("parking permits", "Motorcycles stand behind the boiler house, where no permit is checked at all."),
    "Canteen": ("lunch vouchers", "Soup is free after two o'clock when something remains in the large pot."),
    "Laptops": ("spare laptops", "Encrypt whatever you store, since thieves love trains between Leeds and York."),
    "Bicycles": ("company bicycles", "Helmets hang beside gate four; their straps are replaced each winter."),
    "Training": ("training vouchers", "Courses abroad need two signatures plus an approved travel budget first."),
    "Gym": ("gym passes", "Swimming lanes open at six, while saunas stay closed through August."),
    "Phones": ("mobile phones", "Roaming outside Europe costs much, so switch data off over oceans."),
}


def text_of(number: int, title: str, thing: str, more: str) -> str:
    given = f"Every employee gets {20 + number} {thing} from the {title} office. {more}"
    returned = f"The {title} desk in room {300 + number} takes {thing} back before Friday. {more}"
    return f"# {title}\n\n## Who gets {thing}?\n\n{given}\n\n## Returning {thing}\n\n{returned}\n"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Path:
    """A set with documents, one of them restricted, and an index of them beside it."""
    folder = tmp_path_factory.mktemp("company") / "company"
    (folder / "documents" / "hr").mkdir(parents=True)
    rows = []
    for number, (title, (thing, more)) in enumerate(TOPICS.items()):
        name = f"{title.lower()}.md"
        (folder / "documents" / name).write_text(text_of(number, title, thing, more))
        rows += [
            question(f"{number}a", f"How many {thing} does every employee get?", f"{20 + number}", name),
            question(f"{number}b", f"Which desk in room {300 + number} takes {thing} back?", f"{title} desk", name),
            question(f"{number}c", f"What do {thing} cost in a shop?", "", name),
        ]
    (folder / "documents/hr/pay.md").write_text("# Pay\n\nA senior engineer of the works earns 61,000 pounds a year.\n")
    (folder / "documents/access.toml").write_text('[[rule]]\npath = "hr/**"\ngroups = ["hr"]\n')
    rows.append(question("pay", "What does a senior engineer of the works earn?", "61,000 pounds", "hr/pay.md", ["hr"]))
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["ingest", str(folder / "documents"), "--index", str(folder.parent / "index")]) == 0
    return folder


@pytest.fixture(autouse=True)
def _defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, open_once: Callable[[Settings], Any]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(gathering, "_open", open_once)
    monkeypatch.setenv("RAGVOICE_TURNS", str(tmp_path / "turns.sqlite"))


OPEN = gathering._open


@pytest.fixture(scope="module")
def open_once(company: Path) -> Callable[[Settings], Any]:
    """The index of the company, which is searched once for each question of this module."""
    opened = OPEN(read_settings(index=company.parent / "index"))
    search = lru_cache(maxsize=None)(opened.retriever.search)

    def cached(query: str, k: int | None = None, groups: Iterable[str] | None = None) -> list[Passage]:
        return search(query, k, tuple(groups or ()))

    retriever: Any = SimpleNamespace(search=cached, embeddings=opened.retriever.embeddings)
    return lambda settings: replace(opened, settings=settings, retriever=retriever)


def question(id_: str, text: str, answer: str, gold: str, groups: list[str] | None = None) -> dict[str, Any]:
    answers = [answer] if answer else []
    return {
        "id": id_, "question": text, "answers": answers, "gold_ids": [gold], "answerable": bool(answer),
        "sentence": f"The answer is {answer}.", "groups": groups or [],
    }  # fmt: skip


def of_set(company: Path, **changes: Any) -> RunConfig:
    chosen = QuestionSet(folder=company, index=company.parent / "index")
    return RunConfig(data=Data(sets=(chosen,), **{"validation": 0.2, "test": 0.2, **changes}))


def of_documents(company: Path, **changes: Any) -> RunConfig:
    return RunConfig(data=Data(index=company.parent / "index", **{"validation": 0.2, "test": 0.2, **changes}))


def no_model() -> BaseChatModel:
    raise AssertionError("no model is needed")


def made(
    run: RunConfig,
    folder: Path,
    before_swap: Callable[[], None] = lambda: None,
    chat: Callable[[], BaseChatModel] = no_model,
) -> Made:
    def count(text: str) -> int:
        return len(text.split())

    return make_data("tiny", run, folder / "data", count, folder / "teacher", lambda *_: None, chat, before_swap)


def everything(made_: Made) -> list[Example]:
    return [example for part in PARTS for example in made_.parts[part]]


def test_a_set_becomes_three_parts_and_a_card(company: Path, tmp_path: Path) -> None:
    result = made(of_set(company), tmp_path)
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == [
        "card.md", "passages.jsonl", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == ["data"]
    for part in PARTS:
        assert [e.id for e in read_part(tmp_path / "data", part)] == [e.id for e in result.parts[part]] != []
    documents = [{example.document for example in result.parts[part]} for part in PARTS]
    assert sum(map(len, documents)) == len(set.union(*documents)) == 8
    for part, own in zip(PARTS, documents, strict=True):
        shown = {passage.doc_id for example in result.parts[part] for passage in example.passages}
        assert own <= shown
        assert not shown & (set.union(*documents) - own), part  # no distractor out of another part
    assert result.dropped["restricted or missing document"] == 1
    card = result.card.read_text()
    assert result.digest in card
    assert "| company | not stated |" in card
    assert str(company.parent) not in card


def test_made_twice_it_is_the_same_to_the_byte(company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_open", OPEN)
    run = of_set(company, twins=0.5, written=True, index=company.parent / "index", no_gold=0.3)
    first, second = made(run, tmp_path / "one"), made(run, tmp_path / "two")
    assert first.digest == second.digest
    for file in ("train.jsonl", "validation.jsonl", "test.jsonl", "passages.jsonl"):
        assert (tmp_path / "one/data" / file).read_bytes() == (tmp_path / "two/data" / file).read_bytes()
    assert made(run.model_copy(update={"seed": 2}), tmp_path / "three").digest != first.digest


def test_restricted_documents_come_in_by_name_only(company: Path, tmp_path: Path) -> None:
    def of_pay(result: Made) -> list[Example]:
        return [e for e in everything(result) if any("61,000" in p.text for p in e.passages)]

    assert of_pay(made(of_set(company), tmp_path)) == []
    assert of_pay(made(of_documents(company, written=True), tmp_path)) == []
    asked = of_pay(made(of_set(company, groups=("hr",)), tmp_path))
    assert "company/pay/short" in {example.id.rsplit("/", 1)[0] for example in asked}


def test_sources_about_one_index_are_split_together(company: Path, tmp_path: Path) -> None:
    result = made(of_set(company, written=True, index=company.parent / "index", twins=1.0), tmp_path)
    sources = {example.source for example in everything(result)}
    assert {"company", "document", "company, twin"} <= sources
    part_of: dict[str, set[str]] = {}
    for part in PARTS:
        for example in result.parts[part]:
            part_of.setdefault(example.document, set()).add(part)
    assert all(len(parts) == 1 for parts in part_of.values())


def test_a_share_of_the_questions_gets_one_twin_each(company: Path, tmp_path: Path) -> None:
    def twins(share: float, seed: int = 1) -> list[str]:
        run = of_set(company, twins=share, sizes=(1,), no_gold=0.0, most_refusals=0.9)
        examples = everything(made(run.model_copy(update={"seed": seed}), tmp_path))
        return sorted(e.id.split("~")[0] for e in examples if e.source == "company, twin")

    every = twins(1.0)
    assert len(every) == len(set(every)) > 3
    some = twins(0.5)
    assert 0 < len(some) < len(every)
    assert set(some) < set(every)
    assert some != every[: len(some)]  # not just the first ones
    assert twins(0.5, seed=3) != some


def write_log(company: Path, file: Path) -> None:
    log = TurnLog(file, 30)
    quote = Citation("leave.md", "leave.md", "Leave", "", None, None, "", 0)
    for number in range(3):
        title, (thing, _) = list(TOPICS.items())[number]
        said = f"Every employee gets {20 + number} {thing} from the {title} office."
        cited = replace(quote, doc_id=f"{title.lower()}.md", quote=said)
        answer = Answer(f"turn-{number}", f"How many {thing} do I get?", "", "answered", said, 0.7, (cited,))
        turn = turn_of(answer, Circumstances({}, {}, "1", "c"), "i", datetime.now(UTC), person="ada", groups=[])
        log.add(turn)
        log.rate(turn.turn_id, 1)
    refused = Answer("turn-9", "Who won the football cup?", "", "abstained", "That is not in the documents.", 0.1)
    log.add(turn_of(refused, Circumstances({}, {}, "1", "c"), "i", datetime.now(UTC), person="ada", groups=[]))
    log.rate("turn-9", 1)


def test_rated_turns_become_examples_the_good_refusals_too(company: Path, tmp_path: Path) -> None:
    write_log(company, tmp_path / "turns.sqlite")
    result = made(of_documents(company, log=True, written=True), tmp_path)
    logged = {e.question: e for e in everything(result) if e.source == "log" and not e.id.endswith("/none")}
    assert set(logged) == {
        *(f"How many {thing} do I get?" for thing, _ in list(TOPICS.values())[:3]),
        "Who won the football cup?",
    }
    assert logged["Who won the football cup?"].refuses
    assert (
        logged["How many annual leave do I get?"].answer == "Every employee gets 20 annual leave from the Leave office."
    )
    assert "ada" not in (tmp_path / "data/train.jsonl").read_text()
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def write_report(file: Path) -> None:
    common: dict[str, Any] = {
        "style": "short", "history": (), "groups": (), "standalone_question": "", "outcome": "abstained", "answer": "",
        "draft": "", "confidence": 0.1, "evidence": {},
    }  # fmt: skip
    gold = ReadPassage("gym.md", "", None, 0.8, "Every employee gets 26 gym passes from the Gym office.", True)
    wrong = QuestionResult(
        id="1", question="What number of gym passes is it?", answerable=True, kind="answerable", golds=("26",),
        gold_ids=("gym.md",), passages=(gold,), failure="wrong refusal", **common,
    )  # fmt: skip
    leak = QuestionResult(
        id="2", question="Who won the football cup?", answerable=False, kind="unanswerable", golds=(), gold_ids=(),
        passages=(), failure="leak", **common,
    )  # fmt: skip
    sets = [{"set": "s", "style": "short", "questions": [wrong.as_json(), leak.as_json()]}]
    file.write_text(json.dumps({"schema": SCHEMA, "sets": sets}))


def test_failures_become_examples_as_often_as_they_weigh(company: Path, tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        write_report(tmp_path / name)
    reports = (tmp_path / "one.json", tmp_path / "two.json")
    run = of_documents(company, failures=reports, failure_weight=2, written=True, sizes=(1,), no_gold=0.0)
    failed = [example for example in everything(made(run, tmp_path)) if example.source == "failure"]
    asked = {(example.question, example.refuses) for example in failed}
    assert asked == {("What number of gym passes is it?", False), ("Who won the football cup?", True)}
    assert len(failed) == 2 * 2 * 2  # reports, copies, questions
    parts = {part for part in PARTS for e in read_part(tmp_path / "data", part) if e.question.startswith("What number")}
    assert len(parts) == 1


class Teacher(GenericFakeChatModel):
    def get_num_tokens(self, text: str) -> int:
        return len(text.split())


def replies() -> Iterator[AIMessage]:
    """The first answer is not in its passage; the other one is in one of them."""
    yield AIMessage("Question: When can annual leave be taken?\nAnswer: Monday")
    while True:
        yield AIMessage(
            "Question: Where are phones returned?\nAnswer: The Phones desk in room 307 takes mobile phones back."
        )


def test_a_teacher_is_asked_once_and_checked(company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Settings] = []

    def build(settings: Settings) -> Teacher:
        used.append(settings)
        return Teacher(messages=replies())

    monkeypatch.setattr("ragvoice.build.build_chat_model", build)
    run = of_documents(company, teacher=True, teacher_chunks=99, written=True)
    first = made(run, tmp_path)
    taught = [example for example in everything(first) if example.source == "teacher"]
    assert {example.question for example in taught} == {"Where are phones returned?"}
    assert used[0].adapter == "none"
    [short, spoken] = sorted(file.name for file in (tmp_path / "teacher").iterdir())
    assert re.fullmatch(rf"{used[0].llm}-short\.jsonl", short)
    assert re.fullmatch(rf"{used[0].llm}-spoken\.jsonl", spoken)
    monkeypatch.setattr("ragvoice.build.build_chat_model", lambda _: Teacher(messages=iter(())))
    assert made(run, tmp_path).digest == first.digest  # out of the journals


@pytest.mark.parametrize("where", ["write_parts", "data_card", "before_swap"])
def test_what_is_interrupted_leaves_the_old_data(
    company: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    run = of_set(company)
    made(run, tmp_path)
    old = {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()}

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    if where != "before_swap":
        monkeypatch.setattr(job, where, interrupted)
    with pytest.raises(KeyboardInterrupt):
        made(run.model_copy(update={"seed": 2}), tmp_path, interrupted)
    assert {file.name: file.read_bytes() for file in (tmp_path / "data").iterdir()} == old
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_what_a_killed_job_left_is_no_obstacle(company: Path, tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new/train.jsonl").write_text("{")
    made(of_set(company), tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["data"]


def test_a_part_without_an_example_is_an_error(company: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    first = (company / "questions.jsonl").read_text().split("\n")[0]
    (tmp_path / "one/questions.jsonl").write_text(first)
    chosen = QuestionSet(folder=tmp_path / "one", index=company.parent / "index")
    with pytest.raises(
        UsageError, match=r"No example is left for the part 'validation'.*three documents.*written = true"
    ):
        made(RunConfig(data=Data(sets=(chosen,))), tmp_path)
    assert not (tmp_path / "data").exists()


def test_two_sets_of_one_name_must_not_share_ids(company: Path, tmp_path: Path) -> None:
    run = of_set(company)
    with pytest.raises(UsageError, match=r"Two examples are called 'company/.*same folder name"):
        made(RunConfig(data=run.data.model_copy(update={"sets": run.data.sets * 2})), tmp_path)


def example(number: int, refuses: bool) -> Example:
    return Example(f"{number}", "q", (), "a", "short", (Message("user", "x"),), refuses)


def shares(refusals: int, answers: int, most: float) -> tuple[int, int]:
    examples = [example(n, n < refusals) for n in range(refusals + answers)]
    kept = fewer_refusals(examples, most, 1)
    assert [e for e in examples if e in kept] == kept  # in their order
    return sum(e.refuses for e in kept), sum(not e.refuses for e in kept)


def test_refusals_are_at_most_their_share() -> None:
    assert shares(60, 40, 0.2) == (10, 40)  # 10 of 50
    assert shares(10, 40, 0.2) == (10, 40)
    assert shares(9, 40, 0.2) == (9, 40)
    assert shares(99, 7, 0.3) == (3, 7)
    assert shares(5, 5, 0.0) == (0, 5)
    assert shares(5, 0, 0.5) == (0, 0)


def test_they_are_drawn() -> None:
    examples = [example(n, True) for n in range(50)] + [example(99, False)] * 10
    first, again, other = (fewer_refusals(examples, 0.5, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first[:10] != examples[:10]


def test_general_questions_are_trained_on_and_never_proven_on(company: Path, tmp_path: Path) -> None:
    def chat() -> BaseChatModel:
        return GenericFakeChatModel(messages=iter(AIMessage(f"Answer {n}.") for n in range(1000)))

    result = made(of_set(company, general=1), tmp_path, chat=chat)
    general = [example for example in result.parts["train"] if not example.passages]
    assert len(general) > 100
    assert {example.source for example in general} == {"general"}
    assert all(example.passages for part in ("validation", "test") for example in result.parts[part])
    assert [one for one in read_part(tmp_path / "data", "train") if not one.passages] == general
    assert "| general | spoken |" in result.card.read_text()
    other = of_set(company, general=1).model_copy(update={"base": "a/b"})
    again = made(other, tmp_path, chat=lambda: GenericFakeChatModel(messages=iter([AIMessage("B says.")] * 1000)))
    assert {one.answer for one in again.parts["train"] if not one.passages} == {"B says."}
