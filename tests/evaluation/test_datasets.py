"""Reading a set of questions, and which page or document is the gold one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragvoice.datatypes import Message, Passage
from ragvoice.errors import UsageError
from ragvoice.evaluation.datasets import is_gold, read_dataset

ROW: dict[str, Any] = {"id": "q1", "question": "Who?", "answers": ["Ann"], "gold_ids": ["a.md"], "answerable": True}


def write(folder: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_questions_with_history_and_groups(tmp_path: Path) -> None:
    history = [{"speaker": "user", "text": "Hi"}]
    dataset = read_dataset(write(tmp_path, ROW, "", {**ROW, "id": 2, "history": history, "groups": ["everyone", "hr"]}))
    first, second = dataset.questions
    assert (first.id, first.text, first.answers, first.gold_ids) == ("q1", "Who?", ("Ann",), ("a.md",))
    assert (second.id, second.history, second.groups) == ("2", (Message("user", "Hi"),), ("everyone", "hr"))
    assert dataset.name == tmp_path.name


def test_documents_are_the_subfolder_where_there_is_one(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    (tmp_path / "corpus.jsonl").write_text("{}")
    assert read_dataset(tmp_path).documents == tmp_path
    (tmp_path / "documents").mkdir()
    assert read_dataset(tmp_path).documents == tmp_path / "documents"


def test_a_folder_of_questions_alone_has_no_documents(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    for name in ("SOURCE.txt", "questions_full.jsonl", ".hidden", "access.toml"):
        (tmp_path / name).write_text("")
    assert read_dataset(tmp_path).documents is None


def test_another_file_of_questions(tmp_path: Path) -> None:
    write(tmp_path, ROW)
    (tmp_path / "questions_full.jsonl").write_text(json.dumps({**ROW, "id": "full"}))
    dataset = read_dataset(tmp_path, questions_file=tmp_path / "questions_full.jsonl")
    assert [question.id for question in dataset.questions] == ["full"]
    assert dataset.digest != read_dataset(tmp_path).digest
    with pytest.raises(UsageError, match=r"missing\.jsonl"):
        read_dataset(tmp_path, questions_file=tmp_path / "missing.jsonl")


def test_kinds_of_questions(tmp_path: Path) -> None:
    write(
        tmp_path,
        {**ROW, "id": 1},
        {**ROW, "id": 2, "answerability": "PARTIAL", "standalone": "Who is it?"},
        {**ROW, "id": 3, "answerable": False},
        {**ROW, "id": 4, "answerable": False, "answerability": "UNDERSPECIFIED"},
    )
    asked = read_dataset(tmp_path).questions
    assert [question.kind for question in asked] == ["answerable", "partial", "unanswerable", "underspecified"]
    assert [question.standalone for question in asked] == [None, "Who is it?", None, None]
    # The answers of an off-topic question are world knowledge; beside an `answerability` they are polite refusals.
    assert [question.world_answers for question in asked] == [(), (), ("Ann",), ()]


def test_kinds_that_contradict_or_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="answerability is unanswerable"):
        read_dataset(write(tmp_path, {**ROW, "answerability": "UNANSWERABLE"}))
    with pytest.raises(UsageError, match="not 'perhaps'"):
        read_dataset(write(tmp_path, {**ROW, "answerability": "perhaps"}))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"answers": "Ann"}, "answers is a list, not 'Ann'"),
        ({"gold_ids": "a.md"}, "gold_ids is a list"),
        ({"groups": "hr"}, "groups is a list"),
        ({"answerable": "false"}, "answerable is true or false, not 'false'"),
    ],
)
def test_a_text_is_taken_neither_for_a_list_nor_for_yes(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=f"line 1 is not a question.*{said}"):
        read_dataset(write(tmp_path, {**ROW, **wrong}))


def test_an_id_is_used_once_and_a_file_is_not_empty(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two questions with the id 'q1'"):
        read_dataset(write(tmp_path, ROW, {**ROW, "question": "Where?"}))
    with pytest.raises(UsageError, match="no question"):
        read_dataset(write(tmp_path))


def test_a_limit_is_spread_over_the_file(tmp_path: Path) -> None:
    write(tmp_path, *({**ROW, "id": number} for number in range(10)))
    assert [question.id for question in read_dataset(tmp_path, 4).questions] == ["0", "2", "5", "7"]
    assert len(read_dataset(tmp_path, 99).questions) == 10
    assert read_dataset(tmp_path, 4).available == 10


def test_a_line_separator_within_a_string_does_not_end_the_line(tmp_path: Path) -> None:
    assert read_dataset(write(tmp_path, {**ROW, "question": "One\u2028two?"})).questions[0].text == "One\u2028two?"


@pytest.mark.parametrize("bad", ["not json", '{"id": 1}', "[1]", json.dumps({**ROW, "history": [{"text": "x"}]})])
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    with pytest.raises(UsageError, match="line 2"):
        read_dataset(write(tmp_path, ROW, bad))


def test_a_folder_without_questions_and_a_file_of_bytes_are_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a dataset"):
        read_dataset(tmp_path)
    (tmp_path / "questions.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_dataset(tmp_path)


def passage(doc_id: str, page: int | None = None) -> Passage:
    return Passage(doc_id, doc_id, "", "", page, None, "", 0, 0.5)


def test_gold_is_a_document_or_a_page_counted_from_0() -> None:
    assert is_gold(passage("hr/a.md"), "hr/a.md")
    assert not is_gold(passage("a.md"), "hr/a.md")
    assert is_gold(passage("pdfs/3M_2018_10K.pdf", 60), "3M_2018_10K#p59")
    assert not is_gold(passage("pdfs/3M_2018_10K.pdf", 59), "3M_2018_10K#p59")
    assert not is_gold(passage("pdfs/3M_2018_10K.pdf", None), "3M_2018_10K#p59")
    assert not is_gold(passage("pdfs/other.pdf", 60), "3M_2018_10K#p59")
