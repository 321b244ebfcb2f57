"""`evaluate`, `promote`, `--rollback` and `list` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from langchain_core.messages import AIMessageChunk, BaseMessage
from proof_runs import BETTER, WORSE, evaluation, healthy, promoted_folder, trained, write
from typer.testing import CliRunner, Result

from finetune.commands.evaluate import evaluate
from finetune.commands.list import list_runs
from finetune.commands.promote import promote
from finetune.data.examples import Example, write_parts
from finetune.proof.promotion import PromotionRefused
from finetune.run_folder import RunFolder, append_line
from ragvoice.errors import GenerationError, UsageError
from ragvoice.generation.answering import ABSTENTION
from ragvoice.settings import Settings


@pytest.fixture(autouse=True)
def home(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RAGVOICE_LLM", "smollm2-135m-instruct")
    monkeypatch.setenv("COLUMNS", "200")
    return clean_environment.parent / "home"


def run_command(command: Callable[..., Any], *arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_promoted_rolled_back_and_listed(home: Path) -> None:
    first, second = trained("first", "a"), trained("second", "b")
    for run in (first, second):
        write(run, evaluation(run, *healthy(BETTER)))
        append_line(run.metrics, {"step": 10, "eval_loss": 1.5})
        append_line(run.metrics, {"step": 20, "loss": 0.4})
    (first.data / "train.jsonl").write_text("{}\n{}\n")
    write(trained("poor"), evaluation(RunFolder.named("poor"), *healthy(WORSE)))
    RunFolder.named("new").path.mkdir()
    undo = run_command(promote, "first").output
    assert "To undo: ragvoice finetune promote --rollback" in undo
    assert "prune" not in undo
    old = home / "models" / "converted" / "smollm2-135m-instruct+first-01234567" / "ctranslate2-int8"
    old.mkdir(parents=True)
    (old / "model.bin").write_bytes(b"0" * 3_000_000)
    said = run_command(promote, "second")
    assert "Merged models that nothing needs any more take 3 MB: ragvoice models prune" in said.output
    assert "In service for smollm2-135m-instruct: second-" in said.output
    assert "ragvoice finetune calibrate" in said.output  # it has no confidence of its own
    shown = run_command(list_runs).output
    assert "balanced 0.375 -> 0.825" in shown
    rows = [json.loads(line) for line in run_command(list_runs, "--json").output.splitlines()]
    assert {row["run"]: row["state"] for row in rows} == {
        "first": "promoted", "second": "in service", "poor": "evaluated", "new": "prepared",
    }  # fmt: skip
    [row] = [row for row in rows if row["run"] == "first"]
    assert (row["examples"], row["steps"], row["held_out_loss"]) == (2, 20, 1.5)
    assert "In service for smollm2-135m-instruct again: first-" in run_command(promote, "--rollback").output
    assert (promoted_folder(home) or "").startswith("first-")
    assert "no promoted adapter" in run_command(promote, "--rollback").output
    assert promoted_folder(home) is None


def test_states_before_an_adapter_is_there() -> None:
    trained("done")
    half = RunFolder.named("half")
    half.checkpoints.mkdir(parents=True)
    trained("damaged").evaluation.write_text("{")
    rows = [json.loads(line) for line in run_command(list_runs, "--json").output.splitlines()]
    assert {row["run"]: row["state"] for row in rows} == {"done": "trained", "half": "training", "damaged": "damaged"}
    assert "evaluation.json" in rows[0]["note"]


def test_wrong_use() -> None:
    for arguments in ((), ("run", "--rollback")):
        with pytest.raises(UsageError, match="or give --rollback alone"):
            run_command(promote, *arguments)
    with pytest.raises(UsageError, match="There is no run 'run'"):
        run_command(promote, "run")
    with pytest.raises(UsageError, match="no name of a run"):
        run_command(promote, "../run")
    trained("plain")
    with pytest.raises(PromotionRefused, match="ragvoice finetune evaluate plain"):
        run_command(promote, "plain")
    assert "No run in" not in run_command(list_runs).output


class OneReply:
    """Writes the same to whatever it is asked."""

    def __init__(self, reply: str):
        self.reply = reply

    def stream(self, messages: Sequence[BaseMessage]) -> Iterator[AIMessageChunk]:
        if not self.reply:
            raise GenerationError("no memory")
        yield AIMessageChunk(content=self.reply)


def replies(monkeypatch: pytest.MonkeyPatch, base: str, adapter: str) -> None:
    def chat(settings: Settings) -> OneReply:
        return OneReply(base if settings.adapter == "none" else adapter)

    monkeypatch.setattr("ragvoice.build.build_chat_model", chat)


def with_examples(name: str) -> RunFolder:
    """30 test examples; 20 of them have the answer 25 days, 10 have none."""
    run = trained(name)
    examples = [
        Example(str(n), f"Question {n}?", (), ABSTENTION, "short", refuses=True)
        if n >= 20
        else Example(str(n), f"Question {n}?", (), "25 days", "short", accepted=("25 days",))
        for n in range(30)
    ]
    write_parts(run.data, {"train": [], "validation": [], "test": examples})
    return run


def test_evaluate_compares_base_and_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    replies(monkeypatch, base="30 years", adapter="25 days")
    run = with_examples("run")
    said = run_command(evaluate, "run", "--reading-only")
    assert said.exit_code == 0
    [reading] = [row["measures"] for row in json.loads(run.evaluation.read_text())["comparisons"][:1]]
    assert (reading["right"]["before"], reading["right"]["after"]) == (0, 1)
    assert (reading["balanced"]["before"], reading["balanced"]["after"]) == (0, 0.5)  # it never declines
    assert "the gate refused_unanswerable of off-topic: max_fall 0 could not be checked" in said.output
    with pytest.raises(PromotionRefused, match="could not be checked"):
        run_command(promote, "run")


def test_a_confidence_that_is_fitted_meanwhile_is_not_the_one_that_was_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = with_examples("run")

    def chat(settings: Settings) -> OneReply:
        run.confidence.write_text("{}")
        return OneReply("25 days")

    monkeypatch.setattr("ragvoice.build.build_chat_model", chat)
    run_command(evaluate, "run", "--reading-only", "--parity", "0")
    assert json.loads(run.evaluation.read_text())["confidence_sha256"] == ""
    with pytest.raises(PromotionRefused, match=r"evaluated with another confidence\.json"):
        run_command(promote, "run")


def test_the_base_is_asked_once_for_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    replies(monkeypatch, base="30 years", adapter="25 days")
    with_examples("first")
    run_command(evaluate, "first", "--reading-only")
    replies(monkeypatch, base="", adapter="25 days")
    with_examples("second")
    assert "failed" not in run_command(evaluate, "second", "--reading-only").output
    assert "30 of 60 answers of the reading test failed" in run_command(
        evaluate, "second", "--reading-only", "--fresh"
    ).output  # fmt: skip


def test_when_every_answer_failed_so_did_the_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    replies(monkeypatch, base="", adapter="")
    with_examples("run")
    said = run_command(evaluate, "run", "--reading-only")
    assert said.exit_code == 1
    assert "GenerationError: no memory" in said.output


def test_a_killed_evaluation_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Killed(OneReply):
        def stream(self, messages: Sequence[BaseMessage]) -> Iterator[AIMessageChunk]:
            if len(asked) in (10, 75, 130):  # among the base's reading, the adapter's, and the trained model's
                asked.append("killed")
                raise KeyboardInterrupt
            asked.append(messages[-1].text)
            return super().stream(messages)

    monkeypatch.setattr("ragvoice.build.build_chat_model", lambda settings: Killed("25 days"))
    run = with_examples("run")
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            evaluate("run", reading_only=True)
        assert not run.evaluation.exists()
    evaluate("run", reading_only=True)
    assert run.evaluation.is_file()
    # 30 of the reading test and 30 general ones, to two models, 20 to the trained one; none twice
    assert len(asked) == 2 * (30 + 30) + 20 + 3
    assert asked.count("killed") == 3
