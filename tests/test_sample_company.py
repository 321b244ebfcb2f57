"""The sample company: documents, access rules, questions and recordings fit together."""

from __future__ import annotations

import email
import email.policy
import json
import re
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import soundfile
from liteparse import LiteParse
from markitdown import MarkItDown

DATA = Path(__file__).resolve().parents[1] / "data"
DOCUMENTS = DATA / "documents"
RECORDINGS = DATA / "recordings"
SCAN = "safety/spill-and-first-aid-notice.pdf"
MINIMUM_BY_FORMAT = {
    ".md": 11,
    ".pdf": 5,
    ".docx": 4,
    ".pptx": 2,
    ".xlsx": 2,
    ".html": 2,
    ".eml": 3,
    ".csv": 2,
    ".txt": 1,
}
MINIMUM_BY_KIND = {
    "fact": 30,
    "table": 18,
    "followup": 22,
    "unanswerable": 35,
    "restricted": 12,
    "versions": 8,
    "multi": 4,
    "yesno": 6,
    "procedure": 5,
}
RESTRICTED = {
    "hr/restricted/salary-bands-2026.xlsx": {"hr"},
    "finance/board/board-minutes-2025-09.pdf": {"board", "finance"},
    "finance/board/project-heron-acquisition-plan.docx": {"board"},
    "safety/restricted/incident-2025-014-investigation.md": {"safety", "hr"},
}

Record = dict[str, Any]


def read_lines(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


QUESTIONS = read_lines(DATA / "questions.jsonl")
MANIFEST = read_lines(RECORDINGS / "manifest.jsonl")
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
NAMES = sorted(
    path.relative_to(DOCUMENTS).as_posix()
    for path in DOCUMENTS.rglob("*")
    if path.is_file() and path.name != "access.toml"
)


def normalise(text: str) -> str:
    """Lower case, single spaces, without the marks for bold text and quoted mail."""
    text = re.sub(r"^(> ?)+", "", text.replace("**", ""), flags=re.MULTILINE)
    return re.sub(r"\s+", " ", text).casefold()


@cache
def pages(name: str) -> tuple[str, ...]:
    """The text of a document, page by page for PDF."""
    path = DOCUMENTS / name
    if path.suffix == ".pdf":
        parsed = LiteParse(ocr_enabled=False, quiet=True).parse(str(path))
        return tuple(normalise(page.text) for page in parsed.pages)
    if path.suffix in {".docx", ".pptx", ".xlsx", ".html", ".csv"}:
        return (normalise(MarkItDown().convert(str(path)).text_content),)
    if path.suffix == ".eml":
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = message.get_body(preferencelist=("plain",))
        assert body is not None
        return (normalise(f"{message['Subject']}\n{body.get_content()}"),)
    return (normalise(path.read_text(encoding="utf-8")),)


def contains(answer: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(normalise(answer))}(?!\w)", text) is not None


def groups_of(name: str) -> set[str]:
    """The groups that may read a document, or nothing if it is for everyone."""
    groups: set[str] = set()
    for rule in tomllib.loads((DOCUMENTS / "access.toml").read_text(encoding="utf-8"))["rule"]:
        pattern = re.escape(rule["path"]).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        if re.fullmatch(pattern, name):
            groups = set(rule["groups"])
    return groups


def test_documents_cover_the_formats() -> None:
    counts = Counter(Path(name).suffix for name in NAMES)
    assert len(NAMES) >= 30
    for suffix, minimum in MINIMUM_BY_FORMAT.items():
        assert counts[suffix] >= minimum, suffix
    assert set(counts) == set(MINIMUM_BY_FORMAT)


def test_the_long_pdf_and_the_scan() -> None:
    assert len(pages("hr/employee-handbook.pdf")) >= 6
    assert "".join(pages(SCAN)).strip() == ""


def test_questions_cover_the_kinds() -> None:
    counts = Counter(question["kind"] for question in QUESTIONS)
    for kind, minimum in MINIMUM_BY_KIND.items():
        assert counts[kind] >= minimum, kind
    assert set(counts) == set(MINIMUM_BY_KIND)
    assert len(QUESTIONS) >= 140
    assert len(QUESTIONS) - len(ANSWERABLE) >= 35


def test_ids_are_unique() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question["id"])
def test_question_is_complete(question: Record) -> None:
    assert question["question"].endswith("?")
    assert question["answer_sentence"].endswith(".")
    assert question["groups"][0] == "everyone"
    assert bool(question["answers"]) == bool(question["gold_ids"]) == question["answerable"]
    assert set(question["gold_ids"]) <= set(NAMES)
    history = question.get("history", [])
    assert [turn["speaker"] for turn in history] == ["user", "agent"] * (len(history) // 2)
    assert all(turn["text"] for turn in history)
    if question["kind"] == "followup":
        assert history
    if question["kind"] == "unanswerable":
        assert not question["answerable"]


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_answers_are_in_the_gold_document(question: Record) -> None:
    gold = [name for name in question["gold_ids"] if name != SCAN]
    if not gold:
        return
    for answer in question["answers"]:
        assert any(contains(answer, " ".join(pages(name))) for name in gold), answer


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda question: question["id"])
def test_page_and_section_are_right(question: Record) -> None:
    name, page, section = question["gold_ids"][0], question["gold_page"], question["gold_section"]
    assert (page is not None) == name.endswith(".pdf")
    if name == SCAN:
        return
    if section:
        for part in section.split(" > "):
            assert normalise(part) in " ".join(pages(name)), part
    if page is not None and question["kind"] != "multi":
        assert contains(question["answers"][0], pages(name)[page - 1])


@pytest.mark.parametrize("name", NAMES)
def test_no_question_stands_in_a_document(name: str) -> None:
    text = " ".join(pages(name))
    for question in QUESTIONS:
        if not question.get("history"):
            assert normalise(question["question"]) not in text


def test_every_document_has_a_question() -> None:
    assert {name for question in QUESTIONS for name in question["gold_ids"]} == set(NAMES)


def test_access_rules_restrict_the_right_documents() -> None:
    assert {name: groups for name in NAMES if (groups := groups_of(name))} == RESTRICTED


def test_readers_of_an_answerable_question_may_read_its_document() -> None:
    for question in ANSWERABLE:
        for name in question["gold_ids"]:
            allowed = groups_of(name)
            assert not allowed or allowed & set(question["groups"]), question["id"]


def test_restricted_questions_come_in_pairs() -> None:
    pairs: dict[str, list[bool]] = {}
    for question in QUESTIONS:
        if question["kind"] == "restricted":
            pairs.setdefault(question["question"], []).append(question["answerable"])
            assert (len(question["groups"]) > 1) == question["answerable"]
    assert len(pairs) >= 6
    assert all(sorted(values) == [False, True] for values in pairs.values())


def test_recordings_are_complete() -> None:
    assert len(MANIFEST) >= 28
    assert len({(entry["engine"], entry["voice"]) for entry in MANIFEST}) >= 4
    assert {entry["file"] for entry in MANIFEST} == {path.name for path in RECORDINGS.glob("*.flac")}
    questions = {question["id"]: question for question in QUESTIONS}
    assert sum(not questions[entry["question_id"]]["answerable"] for entry in MANIFEST) >= 3


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_recording(entry: Record) -> None:
    info = soundfile.info(RECORDINGS / entry["file"])
    assert (info.samplerate, info.channels, info.format, info.subtype) == (16_000, 1, "FLAC", "PCM_16")
    assert info.duration == pytest.approx(entry["duration_s"], abs=0.01)
    assert 1.5 <= info.duration <= 6
    assert entry["synthetic"] is True
    questions = {question["id"]: question["question"] for question in QUESTIONS}
    assert questions[entry["question_id"]] == entry["transcript"]
