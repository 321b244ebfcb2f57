"""The fit finds what there is to find, on answers that were made up with a known rule."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from ragvoice.commands.evaluation_tables import show_fit
from ragvoice.errors import UsageError
from ragvoice.evaluation.fit_abstention import Observation, fit_abstention, threshold_for
from ragvoice.generation.confidence import FEATURES, ConfidenceModel, Evidence

MADE_FOR = {"prompt": "p", "llm": "m", "adapter": ""}


def answers(count: int, *, seed: int = 1, interaction: bool = False) -> list[Observation]:
    """Right with a probability that rises with `similarity`; with `interaction`, when it agrees with `support`."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        evidence = {name: rng.uniform(-1, 1) for name in FEATURES}
        a, b = evidence["similarity"], evidence["support"]
        p = float(a * b > 0) if interaction else 1 / (1 + math.exp(-6 * a))
        right = rng.random() < p
        rows.append(Observation(evidence, right, right or rng.random() < 0.3, f"d{number % 40}"))
    return rows


def test_what_decides_is_found_and_the_estimate_is_calibrated() -> None:
    fit = fit_abstention(answers(600), MADE_FOR)
    assert fit.chosen.auroc > 0.85
    assert fit.chosen.ece < 0.08
    assert fit.chosen.log_loss <= fit.rejected.log_loss
    unseen = answers(300, seed=2)
    high = [fit.model.probability(Evidence(**row.evidence)) for row in unseen if row.right]
    low = [fit.model.probability(Evidence(**row.evidence)) for row in unseen if not row.right]
    assert np.mean(high) > np.mean(low) + 0.3


def test_the_network_is_taken_where_a_line_cannot_separate() -> None:
    fit = fit_abstention(answers(1500, interaction=True), MADE_FOR)
    assert fit.chosen.kind == "multi-layer perceptron"
    assert fit.chosen.auroc > 0.7 > fit.rejected.auroc
    assert ConfidenceModel.from_json(fit.model.to_json()).threshold == pytest.approx(fit.model.threshold, abs=1e-4)


def test_the_threshold_holds_back_no_more_right_answers_than_allowed() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.05])
    right = np.array([True] * 10 + [False])
    threshold = threshold_for(p, right, 0.1)
    assert threshold == 0.2  # one of ten is below it
    assert (p[right] < threshold).mean() == 0.1
    assert threshold_for(p, right, 0.0) == 0.1


def test_an_estimate_remembers_what_it_was_made_for() -> None:
    assert fit_abstention(answers(200), MADE_FOR).model.made_for == MADE_FOR


@pytest.mark.parametrize("rows", [answers(20), [row for row in answers(600) if row.right]])
def test_too_little_to_learn_from_says_so(rows: list[Observation]) -> None:
    with pytest.raises(UsageError, match="more questions"):
        fit_abstention(rows, MADE_FOR)


def test_questions_about_one_document_cannot_be_held_out() -> None:
    rows = answers(200)
    about_one = [replace(row, group="handbook.pdf") for row in rows]
    with pytest.raises(UsageError, match="too few documents"):
        fit_abstention(about_one, MADE_FOR)
    wrong_elsewhere = [row if not row.right else replace(row, group="handbook.pdf") for row in rows]
    with pytest.raises(UsageError, match="too few documents"):
        fit_abstention(wrong_elsewhere, MADE_FOR)


def test_the_table_names_what_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    fit = fit_abstention(answers(240), MADE_FOR)
    show_fit(fit)
    shown = capsys.readouterr().out
    assert f"{fit.chosen.kind} (kept)" in shown
    assert f"{fit.chosen.refused_right:.3f}" in shown
    assert "threshold" in shown
