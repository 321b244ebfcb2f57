"""What is written into a run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from proof_runs import BETTER, answers, evaluation, healthy, trained, write

from finetune.proof.evaluating import Measured, write_evaluation
from finetune.proof.evaluation import read_evaluation
from finetune.proof.report import rows
from ragvoice.errors import UsageError


def test_the_table_shows_both_the_difference_and_its_interval() -> None:
    [balanced] = [row.cells for row in rows(BETTER) if row.measure == "balanced"]
    assert balanced[:4] == ("balanced", "0.375", "0.825", "+0.450")
    assert balanced[4].startswith("+0.")
    assert balanced[5] == "80"
    assert "failed" not in {row.measure for row in rows(BETTER)}  # nothing did


def test_the_files_of_an_evaluation(clean_environment: Path) -> None:
    run = trained("run")
    made = replace(evaluation(run, *healthy(BETTER)), seen={"company": 3}, made_by={"version": "1"})
    base, adapted = answers(20, 40, 10, 40), answers(30, 40, 36, 40)
    adapted[0] = replace(adapted[0], right=False, answer="`<b>` nothing")
    write_evaluation(run, Measured(made, base, adapted), ["reading, all: too small"])
    assert read_evaluation(run) == made
    text = run.evaluation_report.read_text()
    assert "| balanced | 0.375 | 0.825 | +0.450 |" in text
    assert "- reading, all: too small." in text
    assert "## No longer right: 1 of the reading test" in text
    assert "`'<b>' nothing`" in text
    assert "## Now right: 36 of the reading test" in text  # 10 answers and 26 refusals
    assert "Left out of company: 3 questions" in text
    assert str(clean_environment.parent) not in text
    assert run.evaluation_plot.read_bytes().startswith(b"\x89PNG")


def test_a_damaged_evaluation_says_how_to_make_it_again(clean_environment: Path) -> None:
    run = trained("run")
    assert read_evaluation(run) is None
    write(run, evaluation(run, BETTER))
    run.evaluation.write_text(run.evaluation.read_text().replace('"schema": 1', '"schema": 0'))
    with pytest.raises(UsageError, match=r"schema 0.*ragvoice finetune evaluate run"):
        read_evaluation(run)
