"""Runs whose adapters and evaluations a test writes down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from finetune.proof.evaluation import Evaluation
from finetune.proof.gates import GENERAL, OFF_TOPIC, READING
from finetune.run_folder import RunFolder
from ragvoice.evaluation.comparison import Comparison, compare
from ragvoice.evaluation.results import QuestionResult

BASE = "smollm2-135m-instruct"
BLANK = QuestionResult(
    id="1",
    style="short",
    question="How many days?",
    history=(),
    groups=(),
    standalone_question="How many days?",
    answerable=True,
    kind="answerable",
    outcome="answered",
    answer="25 days",
    draft="25 days",
    golds=("25 days",),
    gold_ids=(),
    confidence=0.0,
    evidence={},
    right=True,
)


def trained(name: str, weights: str = "weights", **evaluation: Any) -> RunFolder:
    """A run folder with an adapter of three small files.

    :param evaluation: The section of the run file; strings only.
    """
    run = RunFolder.named(name)
    run.adapter.mkdir(parents=True, exist_ok=True)
    run.data.mkdir(exist_ok=True)
    section = "".join(f"{key} = {json.dumps(value)}\n" for key, value in evaluation.items())
    run.run_file.write_text(f'base = "{BASE}"\n[evaluation]\n{section}')
    (run.adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    (run.adapter / "adapter_model.safetensors").write_text(weights)
    (run.adapter / "ragvoice.json").write_text(json.dumps({"base": BASE, "base_fingerprint": "f", "run": name}))
    return run


def answers(right: int, of: int, declined: int, of_unanswerable: int, refused: int = 0) -> list[QuestionResult]:
    """:param right: Answerable questions that are answered right; of the others `refused` are refused."""
    made = []
    for number in range(of):
        outcome = "abstained" if right <= number < right + refused else "answered"
        row = replace(BLANK, id=str(number), question=f"Question {number}?", right=number < right, outcome=outcome)
        made.append(row)
    for number in range(of_unanswerable):
        outcome = "abstained" if number < declined else "answered"
        row = replace(BLANK, id=f"u{number}", question=f"Nothing {number}?", outcome=outcome, right=None, golds=())
        made.append(replace(row, answerable=False, kind="unanswerable"))
    return made


def comparison(name: str, base: Sequence[QuestionResult], adapted: Sequence[QuestionResult]) -> Comparison:
    return compare(name, "all" if name in (READING, GENERAL) else "short", base, adapted)


def healthy(reading: Comparison) -> tuple[Comparison, ...]:
    """With everything else as it was."""
    return (reading, *_unchanged())


@cache
def _unchanged() -> tuple[Comparison, ...]:
    known = [replace(row, contains=1.0) for row in answers(10, 10, 0, 0)]
    grounded = [replace(row, grounded=1.0) for row in answers(10, 10, 5, 5)]
    declined = answers(0, 0, 12, 12)
    return (
        comparison(GENERAL, known, known),
        comparison("company", grounded, grounded),
        comparison(OFF_TOPIC, declined, declined),
    )


BETTER = comparison(READING, answers(20, 40, 10, 40), answers(30, 40, 36, 40))
WORSE = comparison(READING, answers(20, 40, 10, 40), answers(2, 40, 10, 40))


def evaluation(run: RunFolder, *comparisons: Comparison, **changes: Any) -> Evaluation:
    made = Evaluation(
        run.name, "2026-11-24T10:00:00Z", BASE, run.adapter_sha256(), run.confidence_sha256(), comparisons
    )
    return replace(made, **changes)


def write(run: RunFolder, made: Evaluation) -> None:
    run.evaluation.write_text(json.dumps(made.to_json()))


def promoted_folder(home: Path) -> str | None:
    """Name of the folder that the pointer names."""
    pointer = home / "adapters" / f"{BASE}.json"
    return Path(json.loads(pointer.read_text())["adapter"]).name if pointer.is_file() else None
