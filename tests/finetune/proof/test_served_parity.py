"""Served against trained answers: the figures by hand, what is asked, what is written down."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from langchain_core.messages import AIMessageChunk, BaseMessage
from proof_runs import trained
from typer.testing import CliRunner

from finetune.commands.evaluate import evaluate
from finetune.commands.export import _test_examples
from finetune.data.examples import Example, write_parts
from finetune.proof.evaluation import read_evaluation
from finetune.proof.parity import measure_parity, parity
from finetune.run_folder import RunFolder
from ragvoice.errors import GenerationError, UsageError
from ragvoice.settings import CPU_RUNTIME, Settings


def test_shares_and_means_by_hand() -> None:
    """1: the same; 2: 'red car' against 'red blue car': F1 = 2 * (2/2) * (2/3) / (2/2 + 2/3) = .8; gold 'red car'."""
    found = parity(["25 days.", "red car"], ["The 25 days", "red blue car"], [["25 days"], ["red car"]])
    assert (found.n, found.identical, found.agreement_f1) == (2, 0.5, pytest.approx(0.9))
    assert (found.served_f1, found.served_exact_match) == (1.0, 1.0)
    assert (found.trained_f1, found.trained_exact_match) == (pytest.approx(0.9), 0.5)


def test_two_empty_answers_are_the_same() -> None:
    found = parity([""], [""], [["x"]])
    assert (found.identical, found.agreement_f1, found.served_f1) == (1.0, 1.0, 0.0)


def test_nothing_to_compare_on_is_told() -> None:
    with pytest.raises(UsageError, match="no test example"):
        measure_parity([], "base", Path("adapter"), "torch", lambda *step: None)


class Machine:
    """Stands in for `build_chat_model`: writes one reply for each runtime, and counts what each was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **replies: str):
        self.replies = replies
        self.asked: list[str] = []
        monkeypatch.setattr("ragvoice.build.build_chat_model", self.open)

    def open(self, settings: Settings) -> SimpleNamespace:
        who = "base" if settings.adapter == "none" else settings.llm_runtime

        def stream(messages: Sequence[BaseMessage]) -> Iterator[AIMessageChunk]:
            self.asked.append(who)
            if not self.replies[who]:
                raise GenerationError("no memory")
            yield AIMessageChunk(content=self.replies[who])

        return SimpleNamespace(stream=stream)


@pytest.fixture
def run(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setenv("COLUMNS", "200")
    run = trained("run")
    test = [Example(str(n), f"Question {n}?", (), "25 days", "short", accepted=("25 days",)) for n in range(40)]
    write_parts(run.data, {"train": [], "validation": [], "test": test})
    return run


def evaluated(*options: str) -> str:
    app = typer.Typer()
    app.command()(evaluate)
    return CliRunner().invoke(app, ["run", "--reading-only", *options], catch_exceptions=False).output


def test_an_evaluation_says_how_far_the_served_answers_are_from_the_trained_ones(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(monkeypatch, base="30 years", **{CPU_RUNTIME: "25 days"}, transformers="25 long days")
    said = evaluated()
    assert machine.asked.count("transformers") == 20
    assert machine.asked.count(CPU_RUNTIME) == 40 + 30  # reading and general, nothing twice
    found = read_evaluation(run)
    assert found is not None
    assert found.parity is not None
    # "25 days" against "25 long days": 2 * 1 * (2/3) / (1 + 2/3)
    assert (found.parity.n, found.parity.identical) == (20, 0.0)
    assert found.parity.agreement_f1 == pytest.approx(0.8)
    assert (found.parity.served_exact_match, found.parity.trained_exact_match) == (1.0, 0.0)
    assert found.parity.sentence in run.evaluation_report.read_text()
    assert found.parity.sentence in said
    evaluated()
    assert machine.asked.count("transformers") == 20
    evaluated("--fresh")
    assert machine.asked.count("transformers") == 40


def test_the_run_file_and_the_command_say_on_how_many_examples(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, base="a", **{CPU_RUNTIME: "b"}, transformers="c")
    run.run_file.write_text(run.run_file.read_text() + "parity = 0\n")
    assert "served model" not in evaluated()
    assert json.loads(run.evaluation.read_text())["parity"] is None
    assert "On 3 test examples the served model" in evaluated("--parity", "3")
    assert machine.asked.count("transformers") == 3


def test_a_trained_model_that_fails_costs_the_comparison_only(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Machine(monkeypatch, base="30 years", **{CPU_RUNTIME: "25 days"}, transformers="")
    with caplog.at_level(logging.WARNING):
        evaluated()
    assert "The trained model failed at the example 0#" in caplog.text
    assert "GenerationError: no memory" in caplog.text
    found = read_evaluation(run)
    assert found is not None
    assert found.parity is None


def test_a_runtime_that_serves_what_was_trained_has_nothing_to_compare(
    run: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGVOICE_LLM_RUNTIME", "transformers")
    Machine(monkeypatch, base="a", transformers="b")
    evaluated()
    found = read_evaluation(run)
    assert found is not None
    assert found.parity is None


def test_an_adapter_of_no_run_has_no_test_examples() -> None:
    from finetune.serving.trained import Trained
    from ragvoice.models.adapters import AdapterInService

    with pytest.raises(UsageError, match="of no run"):
        _test_examples(Trained(AdapterInService("other", Path("other")), "base", None), 5)
