"""What may go into service, what is refused and why, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from proof_runs import (
    BASE,
    BETTER,
    WORSE,
    answers,
    comparison,
    evaluation,
    healthy,
    promoted_folder,
    trained,
    write,
)

from finetune.proof.gates import GENERAL, OFF_TOPIC, READING, gates_in_force
from finetune.proof.promotion import PromotionRefused, in_service, promote_run
from finetune.proof.verdict import not_better, objections
from ragvoice.build_adapter import promoted_adapters
from ragvoice.errors import ModelError, UsageError
from ragvoice.evaluation.comparison import Comparison
from ragvoice.evaluation.results import QuestionResult
from ragvoice.settings import Settings, read_settings


@pytest.fixture(autouse=True)
def home(clean_environment: Path) -> Path:
    return clean_environment.parent / "home"


def against(*comparisons: Comparison) -> list[str]:
    run = trained("any")
    return objections(evaluation(run, *comparisons), "balanced", gates_in_force(None)[0])


def test_a_better_adapter_goes_into_service_and_says_why(home: Path) -> None:
    run = trained("good")
    write(run, evaluation(run, *healthy(BETTER)))
    promotion = promote_run(run)
    # balanced: (20/40 + 10/40) / 2 and (30/40 + 36/40) / 2
    assert "balanced 0.375 -> 0.825, +0.450" in promotion.evidence["main"]
    assert promoted_folder(home) == f"good-{run.adapter_sha256()[:8]}"
    assert in_service(BASE) == run.adapter_sha256()
    (run.adapter / "adapter_model.safetensors").write_text("trained again")
    assert in_service(BASE) != run.adapter_sha256()  # what serves is a copy
    assert not list((home / "adapters").glob(".copying-*"))


def test_the_confidence_that_was_fitted_later_can_be_rolled_back_too() -> None:
    run = trained("good")
    write(run, evaluation(run, *healthy(BETTER)))
    bare = promote_run(run)
    for fitted in ("{}", "{ }"):
        run.confidence.write_text(fitted)
        write(run, evaluation(run, *healthy(BETTER)))
        assert (promote_run(run).adapter / "confidence.json").read_text() == fitted
    promoted = promoted_adapters(read_settings(llm=BASE))
    before = promoted.rollback()
    assert before is not None
    assert (before.adapter / "confidence.json").read_text() == "{}"
    assert promoted.rollback() == bare
    assert not (bare.adapter / "confidence.json").exists()


def test_an_adapter_that_learned_shuffled_answers_is_refused_with_its_figures(home: Path) -> None:
    run = trained("shuffled")
    write(run, evaluation(run, *healthy(WORSE)))
    with pytest.raises(PromotionRefused, match=r"balanced 0\.375 -> 0\.150, -0\.225.* must be above 0"):
        promote_run(run)
    assert promoted_folder(home) is None
    assert not run.promotions.exists()


def test_an_adapter_that_cannot_be_merged_never_serves(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(settings: Settings) -> None:
        assert Path(settings.adapter).parent == home / "adapters"
        raise ModelError("another base")

    monkeypatch.setattr("finetune.proof.promotion.prepare_adapter", fails)
    run = trained("run")
    write(run, evaluation(run, *healthy(BETTER)))
    with pytest.raises(ModelError, match="another base"):
        promote_run(run)
    assert promoted_folder(home) is None


def test_a_difference_that_chance_explains_is_not_better() -> None:
    [said] = against(*healthy(comparison(READING, answers(20, 40, 10, 40), answers(21, 40, 10, 40))))
    assert "over 80 questions; the whole interval must be above 0" in said


def test_a_handful_of_questions_proves_nothing() -> None:
    [said] = against(*healthy(comparison(READING, answers(0, 8, 0, 8), answers(8, 8, 8, 8))))
    assert "over 16 questions; fewer than 20 say nothing" in said


def test_seconds_are_better_when_they_fall() -> None:
    def timed(seconds: float) -> list[Any]:
        return [replace(row, timings={"total": seconds}) for row in answers(30, 30, 0, 0)]

    faster = evaluation(trained("fast"), comparison(READING, timed(2.0), timed(1.0)))
    assert not_better(faster, "total_p50") == []
    slower = replace(faster, comparisons=(comparison(READING, timed(1.0), timed(2.0)),))
    assert "must be below 0" in not_better(slower, "total_p50")[0]


def test_refusing_too_much_breaks_a_gate() -> None:
    before, after = (
        [replace(row, grounded=1.0) for row in answers(34, 40, 36, 40, refused=refused)] for refused in (0, 5)
    )
    kept = [one for one in healthy(BETTER) if one.name != "company"]
    [said] = against(*kept, comparison("company", before, after))
    assert "refused_answerable went from 0.000 to 0.125 over 40 questions; it may rise by 0.1" in said


def test_what_the_model_alone_refuses_is_for_the_confidence_to_weigh() -> None:
    refuses = comparison(READING, answers(20, 40, 10, 40), answers(34, 40, 36, 40, refused=6))
    assert against(*healthy(refuses)) == []


def test_answering_off_topic_questions_breaks_a_gate() -> None:
    chatty = comparison(OFF_TOPIC, answers(0, 0, 12, 12), answers(0, 0, 11, 12))
    [said] = against(*healthy(BETTER)[:3], chatty)
    assert "off-topic, short: refused_unanswerable went from 1.000 to 0.917" in said


def test_a_base_that_failed_proves_nothing() -> None:
    before, after = answers(20, 40, 10, 40), answers(30, 40, 36, 40)
    before = [replace(row, error="MemoryError" if number < 10 else None) for number, row in enumerate(before)]
    [said] = against(*healthy(comparison(READING, before, after)))
    assert "reading, all: failed went from 0.125 to 0.000 over 80 questions; it may fall by 0" in said


@pytest.mark.parametrize(("name", "figure"), [(GENERAL, "contains"), ("company", "grounded"), ("company", "failed")])
def test_each_further_gate_can_break(name: str, figure: str) -> None:
    rows = answers(10, 10, 5, 5)

    def scored(good: int) -> list[QuestionResult]:
        if figure == "failed":
            return [replace(row, grounded=1.0, error="x" if n >= good else None) for n, row in enumerate(rows)]
        return [replace(row, **{figure: float(n < good)}) for n, row in enumerate(rows)]

    changed = comparison(name, scored(15), scored(12))
    kept = [one for one in healthy(BETTER) if one.name != name]
    [said] = against(*kept, changed)
    assert f"{name}, {changed.style}: {figure} went from" in said


def test_what_was_not_measured_is_not_vouched_for() -> None:
    said = against(BETTER)  # the reading test alone
    assert [sentence.split(" could not")[0] for sentence in said] == [
        "the gate refused_answerable, reading and general left out: max_rise 0.1",
        "the gate refused_unanswerable of off-topic: max_fall 0",
        "the gate contains of general: max_fall 0.1",
        "the gate grounded: max_fall 0.03",
    ]


def test_a_gate_of_the_run_file_is_recorded(home: Path) -> None:
    worse_off_topic = comparison(OFF_TOPIC, answers(0, 0, 12, 12), answers(0, 0, 11, 12))
    found = (*healthy(BETTER)[:3], worse_off_topic)
    strict = trained("strict")
    write(strict, evaluation(strict, *found))
    with pytest.raises(PromotionRefused, match="it may fall by 0"):
        promote_run(strict)
    Path("own.toml").write_text('[[gate]]\nfigure = "refused_unanswerable"\nsets = ["off-topic"]\nmax_fall = 0.1')
    loose = trained("loose", gates="own.toml")
    write(loose, evaluation(loose, *found))
    change = "refused_unanswerable of off-topic: max_fall 0.1; by default refused_unanswerable of off-topic: max_fall 0"
    assert promote_run(loose).evidence["changed_gates"] == [change]
    assert json.loads(loose.promotions.read_text())["changed_gates"] == [change]


def test_an_evaluation_of_another_adapter_or_confidence_does_not_count() -> None:
    run = trained("run")
    with pytest.raises(PromotionRefused, match="not evaluated"):
        promote_run(run)
    write(run, evaluation(run, *healthy(BETTER)))
    (run.adapter / "adapter_model.safetensors").write_text("trained again")
    with pytest.raises(PromotionRefused, match="of another adapter"):
        promote_run(run)
    write(run, evaluation(run, *healthy(BETTER)))
    run.confidence.write_text("{}")
    with pytest.raises(PromotionRefused, match=r"another confidence\.json"):
        promote_run(run)
    write(run, evaluation(run, *healthy(BETTER)))
    assert (promote_run(run).adapter / "confidence.json").read_text() == "{}"


def test_a_run_without_an_adapter_is_wrong_use() -> None:
    run = trained("half")
    (run.adapter / "ragvoice.json").unlink()
    with pytest.raises(UsageError, match="has no adapter yet"):
        promote_run(run)
