from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from owner_pages import ADMIN, ASKER, OWNER, FakeDesk, echo_jobs, finished, page, press, texts, write_report

from ragvoice.errors import AccessError, UsageError
from ragvoice.evaluation.failures import classify
from ragvoice.evaluation.reports import Reports
from ragvoice.evaluation.results import QuestionResult
from ragvoice.jobs.jobs import Jobs
from ragvoice.settings import Settings, home
from ragvoice.ui.quality import comparison_rows, render, turned

Site = tuple[FakeDesk, Jobs]


def asked(number: int, *, right: bool) -> QuestionResult:
    """An answerable question, answered rightly or refused."""
    question = f"How long is leave number {number}?"
    result = QuestionResult(
        f"q{number}", "short", question, (), (), question, True,
        "answerable", "answered" if right else "abstained", "ten days" if right else "That is not in the documents.",
        "", ("ten days",), (), 0.5, {}, right=right, f1=float(right),
    )  # fmt: skip
    return replace(result, failure=classify(result))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Site:
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    return FakeDesk(settings), echo_jobs(settings)


@pytest.fixture
def reported(site: Site) -> Site:
    """Two reports over the same eight questions: two are right, and then seven of them."""
    write_report("r1", "2026-11-01T10:00:00Z", [asked(i, right=i < 2) for i in range(8)])
    write_report(
        "r2", "2026-11-02T10:00:00Z", [asked(i, right=i > 0) for i in range(8)], ("right is .88, at least .9 is asked",)
    )
    (home() / "reports" / "broken.json").write_text('{"schema": 1}')
    return site


def test_who_may_not_look_after_quality_is_turned_away_by_the_library(site: Site) -> None:
    with pytest.raises(AccessError):
        Reports(ASKER, home() / "reports")
    app = page(render, site[0], ASKER, site[1])

    assert texts(app).startswith("access:")
    assert not app.button


def test_an_evaluation_is_a_job_whose_report_lands_in_the_list(site: Site, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "questions.jsonl").touch()
    app = page(render, site[0], ADMIN, site[1])
    assert "There is no report yet" in texts(app)

    app.text_input[0].input(str(tmp_path / "set"))
    app.number_input[0].set_value(20)
    with finished(site[1]) as arguments:
        press(app, "Start")

    assert arguments[:2] == ["evaluate", "--style=short"]
    assert arguments[2].startswith(f"--json={tmp_path}/reports/")
    assert arguments[-3:] == ["--limit=20", "--", str(tmp_path / "set")]


def test_an_owner_evaluates_the_sets_that_an_administrator_listed(site: Site, tmp_path: Path) -> None:
    for name in ("sets", "payroll"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "questions.jsonl").touch()
    jobs = echo_jobs(site[0].settings.model_copy(update={"evaluation_folders": (tmp_path / "sets",)}))
    app = page(render, site[0], OWNER, jobs)
    assert "Sets in" in texts(app)

    app.text_input[0].input(str(tmp_path / "payroll"))
    press(app, "Start")
    assert "is not among the folders whose questions you may evaluate" in texts(app)
    assert jobs.list(OWNER) == []

    app.text_input[0].input(str(tmp_path / "sets"))
    with finished(jobs) as arguments:
        press(app, "Start")
    assert arguments[-1] == str(tmp_path / "sets")
    assert "Sets in" not in texts(page(render, site[0], ADMIN, jobs))


def test_what_is_no_set_of_questions_is_said_kindly(site: Site, tmp_path: Path) -> None:
    app = page(render, site[0], ADMIN, site[1])

    app.text_input[0].input(str(tmp_path))
    press(app, "Start")

    assert "is no set of questions" in texts(app)
    assert site[1].list(OWNER) == []


def test_figures_of_the_newest_report_with_the_change_and_broken_gates(reported: Site) -> None:
    app = page(render, reported[0], OWNER, reported[1])

    right = next(metric for metric in app.metric if metric.label == "Right")
    assert (right.value, right.delta) == ("0.88", "+0.62")  # 7 of 8 now, 2 of 8 before
    assert r"at least \.9 is asked" in texts(app)


def test_a_change_is_shown_against_the_same_questions_only(reported: Site) -> None:
    write_report("r3", "2026-11-03T10:00:00Z", [asked(i, right=True) for i in range(4)])

    app = page(render, reported[0], OWNER, reported[1])

    right = next(metric for metric in app.metric if metric.label == "Right")
    assert (right.value, right.delta) == ("1.00", "")


def test_another_question_of_the_same_number_was_not_mended() -> None:
    other = replace(asked(0, right=False), question="Who signs?")
    assert turned([other], [asked(0, right=True)]) == []


def test_an_open_failure_shows_what_was_expected_and_what_came(reported: Site) -> None:
    app = page(render, reported[0], OWNER, reported[1])

    said = [element.value for element in app.text]

    assert said == ["ten days", "That is not in the documents."]  # q0 alone fails in the newest report
    assert "wrong refusal" in " ".join(expander.label for expander in app.expander)


def test_two_reports_are_compared_question_by_question(reported: Site) -> None:
    reports = Reports(OWNER, home() / "reports")
    after, before = reports.summaries()

    rows = {row["Measure"]: row for row in comparison_rows(reports.compare(before, after))}
    changed = turned(reports.questions("r1", "handbook", "short"), reports.questions("r2", "handbook", "short"))

    assert (rows["right"]["Before"], rows["right"]["After"], rows["right"]["Change"]) == (0.25, 0.875, 0.625)
    assert rows["right"]["Verdict"] == "better"
    assert rows["refused answerable"]["Verdict"] == "better"  # lower is better there
    assert [(result.id, better) for result, better in changed] == [
        ("q0", False), ("q2", True), ("q3", True), ("q4", True), ("q5", True), ("q6", True), ("q7", True),
    ]  # fmt: skip
    same = {row["Measure"]: row for row in comparison_rows(reports.compare(after, after))}
    assert same["right"]["Verdict"] == "no clear change"


def test_a_report_is_read_again_when_it_has_changed_and_not_before(reported: Site) -> None:
    reports = Reports(OWNER, home() / "reports")
    before, asked = reports.summaries(), reports.questions("r1", "handbook", "short")
    file = home() / "reports" / "r1.json"
    written = file.stat()

    file.write_text("{}")
    os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert reports.summaries() == before
    assert reports.questions("r1", "handbook", "short") == asked

    os.utime(file, ns=(written.st_atime_ns, written.st_mtime_ns + 1_000_000))
    assert [summary.report for summary in reports.summaries()] == ["r2"]
    with pytest.raises(UsageError, match="not a report"):
        reports.questions("r1", "handbook", "short")


def test_a_report_can_be_read_elsewhere_and_deleted(reported: Site) -> None:
    reports = Reports(OWNER, home() / "reports")
    assert reports.html("r1") == b"<p>the report</p>"
    app = page(render, reported[0], OWNER, reported[1])

    next(button for button in app.button if button.key == "delete-r1").click().run()

    assert [summary.report for summary in reports.summaries()] == ["r2"]
    for name in ("r1", "../secret"):
        with pytest.raises(UsageError, match="There is no report"):
            reports.html(name)
