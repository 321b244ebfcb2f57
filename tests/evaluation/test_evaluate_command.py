"""The command from end to end: a real index and embedder, and a bot whose answers the test wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripted import REFUSAL, ScriptedSystem, answered

from ragvoice.cli import main
from ragvoice.errors import GenerationError
from ragvoice.evaluation.judge import JudgeScore

QUESTIONS: list[dict[str, Any]] = [
    {"id": "leave", "question": "How many days of leave are there?", "answers": ["25 days"], "gold_ids": ["leave.md"],
     "answerable": True},
    {"id": "bikes", "question": "Where do bicycles stand?", "answers": ["in the yard"], "gold_ids": ["bikes.md"],
     "answerable": True},
    {"id": "bowl", "question": "Where is the bowl held?", "answers": ["Camping World"], "gold_ids": [],
     "answerable": False},
]  # fmt: skip


@pytest.fixture
def bot(monkeypatch: pytest.MonkeyPatch) -> ScriptedSystem:
    scripted = ScriptedSystem(
        {
            "How many days of leave are there?": answered("25 days", "leave.md"),
            "Where do bicycles stand?": answered("In the yard.", "bikes.md"),
            "Where is the bowl held?": REFUSAL,
        }
    )
    monkeypatch.setattr("ragvoice.build.build_voicebot", lambda *_, **__: scripted)
    return scripted


@pytest.fixture
def dataset(model_home: Path, clean_environment: Path) -> Path:
    """A set of three questions on two documents, in a home of its own with the real models."""
    (clean_environment.parent / "home" / "models").symlink_to(model_home / "models")
    folder = clean_environment / "company"
    (folder / "documents").mkdir(parents=True)
    (folder / "documents" / "leave.md").write_text("# Leave\n\nThere are 25 days of leave a year.")
    (folder / "documents" / "bikes.md").write_text("# Bicycles\n\nBicycles stand in the yard.")
    (folder / "questions.jsonl").write_text("\n".join(json.dumps(question) for question in QUESTIONS))
    return folder


def evaluated(dataset: Path, *flags: str) -> int:
    return main(["evaluate", str(dataset), *flags])


def report(file: str = "out.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(file).read_text())
    return found


def test_a_run_writes_its_reports(dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluated(dataset, "--style", "both", "--json", "out.json", "--html", "out.html") == 0
    made = report()
    assert [(row["set"], row["style"], row["asked"]) for row in made["sets"]] == [
        ("company", "short", 3),
        ("company", "spoken", 3),
    ]
    scores = made["sets"][0]["scores"]
    assert (scores["hit@1"]["value"], scores["right"]["value"], scores["refused_unanswerable"]["value"]) == (1, 1, 1)
    assert made["models"]["llm"]["sha256"]
    assert made["sets"][0]["index"]["documents"] == 2
    text = Path("out.json").read_text() + Path("out.html").read_text()
    assert str(dataset.parent) not in text
    assert "<h1>Evaluation of company</h1>" in text
    shown = capsys.readouterr().out
    assert "company, spoken: 3 of 3 questions" in shown
    assert "right when answered" in shown


def test_a_second_run_asks_nothing_until_something_changes(
    dataset: Path, bot: ScriptedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluated(dataset, "--limit", "2") == 0
    assert len(bot.asked) == 2
    assert evaluated(dataset) == 0
    assert len(bot.asked) == 3
    assert evaluated(dataset, "--fresh") == 0
    assert len(bot.asked) == 6
    monkeypatch.setenv("RAGVOICE_PROMPT_PASSAGES", "1")
    assert evaluated(dataset) == 0
    assert len(bot.asked) == 9


def test_what_was_spoken_is_kept_for_the_same_application_only(
    dataset: Path, bot: ScriptedSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[object] = []

    def voice_sections(*given: object) -> list[object]:
        states.append(given[5])
        return []

    monkeypatch.setattr("ragvoice.evaluation.voice_section.voice_sections", voice_sections)
    for passages in ("3", "3", "1"):
        monkeypatch.setenv("RAGVOICE_PROMPT_PASSAGES", passages)
        assert evaluated(dataset, "--voice", "1") == 0
    assert states[0] == states[1] != states[2]


def test_a_broken_gate_ends_with_1_and_is_named(
    dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(dataset, "--json", "before.json") == 0
    assert evaluated(dataset, "--baseline", "before.json") == 0
    bot.answers["Where do bicycles stand?"] = REFUSAL
    capsys.readouterr()
    assert evaluated(dataset, "--fresh", "--baseline", "before.json", "--json", "out.json") == 1
    said = capsys.readouterr()
    assert "Broken gate: company, short: refused_answerable went from 0.000 to 0.500 over 2 questions" in said.err
    assert "company, short against the baseline: 3 questions in common" in said.out
    assert any("right went from 1.000 to 0.500" in sentence for sentence in report()["broken_gates"])
    Path("loose.toml").write_text('[[gate]]\nfigure = "right"\nmax_fall = 0.6')
    assert evaluated(dataset, "--baseline", "before.json", "--gates", "loose.toml") == 0
    Path("evaluation.toml").write_text('[[gate]]\nfigure = "right"\nminimum = 0.6')
    assert evaluated(dataset) == 1


def test_a_baseline_of_other_questions_is_refused_before_anything_is_asked(
    dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(dataset, "--json", "before.json") == 0
    asked = len(bot.asked)
    assert evaluated(dataset, "--baseline", "before.json", "--style", "spoken") == 2
    assert "It holds: company (short)" in capsys.readouterr().err
    assert len(bot.asked) == asked


def test_one_failure_is_reported_and_only_if_all_fail_the_run_has_failed(
    dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.answers["Where do bicycles stand?"] = GenerationError("no server")
    assert evaluated(dataset) == 0
    assert "1 of 3 questions failed" in capsys.readouterr().err
    bot.answers = dict.fromkeys(bot.answers, GenerationError("no server"))
    assert evaluated(dataset, "--fresh") == 1
    assert "3 of 3 questions failed" in capsys.readouterr().err


@pytest.fixture
def off_topic(tmp_path: Path) -> Path:
    """Questions without documents."""
    folder = tmp_path / "offtopic"
    folder.mkdir()
    (folder / "questions.jsonl").write_text(json.dumps(QUESTIONS[2]))
    return folder


def test_a_set_of_which_nothing_was_measured_has_failed(
    dataset: Path, off_topic: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    bot.answers["Where is the bowl held?"] = GenerationError("no server")
    assert evaluated(dataset, str(off_topic)) == 1
    assert "2 of 4 questions failed" in capsys.readouterr().err


def test_questions_without_documents_are_asked_to_an_index(
    dataset: Path, off_topic: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluated(off_topic) == 2
    assert "no documents" in capsys.readouterr().err
    assert main(["ingest", str(dataset / "documents")]) == 0
    assert evaluated(off_topic, "--json", "out.json") == 0
    assert report()["sets"][0]["scores"]["leak_rate"]["value"] == 0
    bot.answers["Where is the bowl held?"] = answered("At Camping World.", "leave.md")
    assert evaluated(off_topic, "--json", "out.json", "--fresh") == 0
    assert report()["sets"][0]["scores"]["leak_rate"]["value"] == 1
    assert report()["sets"][0]["failures"] == {"leak": 1}


def test_an_index_of_other_documents_is_warned_of(
    dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("evaluation.toml").write_text("")
    assert evaluated(dataset) == 0
    assert evaluated(dataset) == 0
    assert "other folders" not in capsys.readouterr().err
    twin = dataset.parent / "elsewhere" / "company"
    (twin / "documents").mkdir(parents=True)
    (twin / "questions.jsonl").write_text(json.dumps(QUESTIONS[0]))
    assert evaluated(twin) == 0
    assert "made of other folders" in capsys.readouterr().err


def test_follow_ups_are_asked_once_more_without_their_history(dataset: Path, bot: ScriptedSystem) -> None:
    history = [{"speaker": "user", "text": "Is there leave?"}]
    (dataset / "follow.jsonl").write_text(json.dumps({**QUESTIONS[0], "history": history}))
    assert (
        evaluated(dataset, "--questions", str(dataset / "follow.jsonl"), "--without-history", "--json", "o.json") == 0
    )
    assert len(bot.asked) == 2
    [section] = report("o.json")["sets"][0]["sections"]
    assert section["data"]["right without the history"]["difference"] == 0


def test_a_judge_grades_what_was_answered(dataset: Path, bot: ScriptedSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, str]] = []
    graded: list[str] = []

    class Strict:
        def score(self, question: str, *_: object) -> JudgeScore:
            graded.append(question)
            return JudgeScore(float("bicycles" in question), 1.0, "As it is.")

    def open_judge(url: str, model: str) -> Strict:
        opened.append((url, model))
        return Strict()

    monkeypatch.setattr("ragvoice.evaluation.judge.open_judge", open_judge)
    flags = ("--judge-url", "http://h:1/v1", "--judge-model", "big", "--json", "out.json")
    assert evaluated(dataset, *flags) == 0
    assert opened == [("http://h:1/v1", "big")]
    made = report()
    assert made["judge"] == "big"
    assert made["sets"][0]["scores"]["judge_correct"] == {"value": 0.5, "low": 0.0, "high": 1.0, "n": 2}
    assert evaluated(dataset, *flags) == 0
    assert len(graded) == 2
    assert evaluated(dataset, *flags, "--fresh") == 0
    assert len(graded) == 4


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--judge-url", "http://localhost:1/v1"], "--judge-model"),
        (["--style", "long"], "spoken or short"),
        (["--baseline", "none.json"], "cannot be read"),
        (["--gates", "none.toml"], "cannot be read"),
        (["--html", "none/report.html"], "none is no folder"),
        (["--questions", "none.jsonl"], "none.jsonl"),
    ],
)
def test_wrong_use(
    dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert evaluated(dataset, *flags) == 2
    assert said in capsys.readouterr().err


def test_flags_that_go_with_one_dataset(dataset: Path, bot: ScriptedSystem, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(dataset), str(dataset), "--index", "x"]) == 2
    assert "one dataset" in capsys.readouterr().err
    assert main(["evaluate", str(dataset), str(dataset)]) == 2
    assert "same name" in capsys.readouterr().err
