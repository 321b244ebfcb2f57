"""The commands, from question to replay. The language model is scripted but where the real one has to answer twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from ragvoice.build_turns import build_turn_log
from ragvoice.cli import main
from ragvoice.evaluation.datasets import read_dataset
from ragvoice.generation.clarify import did_you_mean
from ragvoice.settings import read_settings
from ragvoice.turns.log import Selection
from ragvoice.turns.records import Heard

QUESTION = "How many days of annual leave do employees get?"
LEAVE = "# Leave policy\n\n## Annual leave\n\nEmployees get 25 days of annual leave per year.\n"
PARKING = "# Parking\n\nVisitors park in lot four behind the warehouse.\n"


class Scripted(GenericFakeChatModel):
    def get_num_tokens(self, text: str) -> int:
        return len(text.split())


@pytest.fixture
def index(tmp_path: Path, model_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/leave.md").write_text(LEAVE)
    (tmp_path / "docs/parking.md").write_text(PARKING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAGVOICE_TURNS", str(tmp_path / "turns.sqlite"))
    monkeypatch.setenv("RAGVOICE_INDEX", str(tmp_path / "index"))
    assert main(["ingest", "docs"]) == 0
    return tmp_path / "index"


@pytest.fixture
def says(index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the model says, question by question; add to it."""
    capsys.readouterr()
    words: list[str] = []

    def script() -> Iterator[AIMessage]:
        yield AIMessage(words.pop(0) if words else "Employees get 25 days of annual leave per year.")

    monkeypatch.setenv("RAGVOICE_MIN_CONFIDENCE", "0")
    monkeypatch.setattr("ragvoice.build.build_chat_model", lambda _: Scripted(messages=script()))
    return words


def ran(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ran(capsys, *arguments, "--json").splitlines()]


@pytest.mark.usefixtures("says")
def test_from_a_question_to_a_rating_an_export_and_oblivion(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    shown = ran(capsys, "ask", QUESTION, "--person", "ada", "--groups", "hr")
    short = shown.splitlines()[-1].removeprefix("turn: ")
    [turn] = rows(capsys, "turns", "list", "--person", "ada")
    assert turn["turn_id"].startswith(short)
    assert (turn["question"], turn["groups"], turn["outcome"]) == (QUESTION, ["hr"], "answered")
    assert turn["prompt_hash"]
    assert "Employees get 25 days" in ran(capsys, "turns", "show", short)
    ran(capsys, "turns", "rate", short, "up", "--reason", "quick")
    assert "rated up. quick" in ran(capsys, "turns", "show", short)
    (tmp_path / "set").mkdir()
    ran(capsys, "turns", "export", "set/questions.jsonl", "--rating", "up")
    [question] = read_dataset(tmp_path / "set").questions
    assert (question.text, question.gold_ids, question.groups) == (QUESTION, ("leave.md",), ("hr",))
    assert rows(capsys, "turns", "forget", "--person", "ada", "--yes") == [{"forgotten": 1}]
    assert ran(capsys, "turns", "list") == ""
    assert QUESTION.encode() not in (tmp_path / "turns.sqlite").read_bytes()


def test_a_conversation_goes_on_where_it_was(says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    says += ["Visitors park in lot four behind the warehouse."]
    begun = ran(capsys, "ask", "Where may visitors park?", "--conversation", "new", "--person", "ada")
    name = begun.splitlines()[-1].removeprefix("conversation: ")
    assert main(["ask", "Why there?", "--conversation", "last", "--person", "ada", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["standalone_question"] == "Where may visitors park? Why there?"
    assert said.err == f"conversation: {name}\n"
    for other in ("bob", ""):
        assert main(["ask", "And?", "--conversation", name, "--person", other]) == 2
        assert "There is no conversation" in capsys.readouterr().err
    off_the_record = ["ask", "Why there?", "--conversation", name, "--person", "ada", "--no-log", "--json"]
    assert json.loads(ran(capsys, *off_the_record))["standalone_question"].startswith("Where may visitors park?")
    assert "Visitors park in lot four" in ran(capsys, "conversations", "show", name, "--person", "ada")
    [listed] = rows(capsys, "conversations", "list", "--person", "ada")
    assert listed["turns"] == 2
    ran(capsys, "conversations", "export", "last", "talk.jsonl", "--person", "ada")
    assert len(Path("talk.jsonl").read_text().splitlines()) == 2
    assert rows(capsys, "conversations", "delete", "last", "--person", "ada") == [{"deleted": 2}]
    assert ran(capsys, "turns", "list") == ""


@pytest.mark.usefixtures("says")
def test_nothing_is_kept_of_who_opts_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "turn:" not in ran(capsys, "ask", QUESTION, "--no-log")
    ran(capsys, "ask", QUESTION, "--conversation", "new", "--no-log", code=2)
    monkeypatch.setenv("RAGVOICE_TURN_LOG", "false")
    ran(capsys, "ask", QUESTION)
    assert not (tmp_path / "turns.sqlite").exists()


@pytest.mark.usefixtures("says")
def test_lines_are_logged_with_their_history(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    history = [{"speaker": "user", "text": "Annual leave?"}]
    (tmp_path / "in.jsonl").write_text(json.dumps({"question": "How many days?", "history": history}))
    assert main(["ask", "--input", "in.jsonl"]) == 0
    answer = json.loads(capsys.readouterr().out)
    [turn] = rows(capsys, "turns", "list")
    assert (turn["turn_id"], turn["history"]) == (answer["turn_id"], history)
    ran(capsys, "ask", "--input", "in.jsonl", "--conversation", "new", code=2)


@pytest.mark.usefixtures("says")
def test_a_log_that_cannot_be_written_costs_no_answer(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "turns.sqlite").mkdir()
    assert "25 days" in ran(capsys, "ask", QUESTION)
    assert len(caplog.messages) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["turns", "forget", "--yes"],
        ["turns", "forget", "--before", "yesterday", "--yes"],
        ["turns", "forget", "--before", "1d", "--until", "2026-01-01", "--yes"],
        ["turns", "forget", "--until", "9999-12-31", "--yes"],
        ["turns", "list", "--since", "99999999999d"],
        ["turns", "rate", "abcdef", "sideways"],
        ["turns", "export", "x.jsonl", "--rating", "sideways"],
        ["turns", "show", "abcdef"],
        ["conversations", "show", "last"],
        ["replay", "abcdef"],
    ],
    ids=" ".join,
)
def test_wrong_use(arguments: list[str], clean_environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("says")
def test_a_period_is_forgotten_with_its_last_day(capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, "ask", QUESTION)
    today = rows(capsys, "turns", "list")[0]["asked_at"][:10]
    assert rows(capsys, "turns", "forget", "--before", today, "--yes") == [{"forgotten": 0}]
    assert rows(capsys, "turns", "forget", "--since", today, "--until", today, "--yes") == [{"forgotten": 1}]
    ran(capsys, "ask", QUESTION)
    compact = rows(capsys, "turns", "list")[0]["asked_at"][:10].replace("-", "")
    assert rows(capsys, "turns", "forget", "--until", compact, "--yes") == [{"forgotten": 1}]


@pytest.mark.usefixtures("says")
def test_a_question_that_was_poorly_heard_is_asked_back_again(capsys: pytest.CaptureFixture[str]) -> None:
    ran(capsys, "ask", QUESTION)
    log = build_turn_log(read_settings())
    [typed] = log.find(Selection())
    back = replace(typed, outcome="clarify", answer=did_you_mean(QUESTION), citations=())
    log.add(replace(back, turn_id="f" * 32, heard=Heard("en", 1.5, 0.2)))
    assert "Same answer" in ran(capsys, "replay", "ffffff")


def test_a_replay_gives_the_same_answer_until_the_document_changes(
    index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    asked = json.loads(ran(capsys, "ask", QUESTION, "--style", "short", "--json"))
    turn_id = asked["turn_id"][:8]
    monkeypatch.setenv("RAGVOICE_MIN_CONFIDENCE", "0.99")
    [same] = rows(capsys, "replay", turn_id)
    assert (same["same"], same["changed"], same["note"]) == (True, [], None)
    assert same["now"]["answer"] == asked["answer"]
    assert same["settings_of_today"] == [{"what": "min_confidence", "before": "not set", "now": "0.99"}]
    Path("docs/leave.md").write_text(LEAVE.replace("25", "31"))
    Path("docs/parking.md").unlink()
    ran(capsys, "ingest", "docs")
    shown = ran(capsys, "replay", turn_id, code=1)
    assert "Not the same:" in shown
    assert "+ answered: 31" in shown
    for line in ("index generation: ", "content of the index: ", "passages found: ", "prompt: "):
        assert f"  {line}" in shown
    assert "leave.md, Annual leave: the passage has changed" in shown
    assert "parking.md, top: the document is no longer in the index" in shown
    assert "arithmetic" not in shown
