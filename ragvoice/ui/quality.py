"""The page on which an owner sees how good the answers are: evaluations, trends, failures, two runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ragvoice.ui.charts import figures, trend, words
from ragvoice.ui.job_view import kindly, open_jobs, show_jobs, start
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.evaluation.comparison import Comparison, Difference
    from ragvoice.evaluation.reports import Reports, SetSummary
    from ragvoice.evaluation.results import QuestionResult
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.people.person import Person

_MAIN = ("right", "hit@5", "refused_unanswerable", "refused_answerable")
_HELP = {
    "right": "Share of the answerable questions with the right answer; a refusal counts as wrong",
    "hit@5": "A document that answers is among the first five passages",
    "refused_unanswerable": "Questions that the documents do not answer, and that were declined: higher is better",
    "refused_answerable": "Questions that the documents answer, and that were declined all the same: lower is better",
}
_PLOTTED = (
    "hit@1", "hit@5", "mrr", "right", "right_when_answered", "f1", "grounded", "citation_precision", "citation_recall",
    "refused_unanswerable", "refused_answerable", "leak_rate", "auroc", "ece", "failed",
)  # fmt: skip
_STYLES: tuple[Literal["short", "spoken", "both"], ...] = ("short", "spoken", "both")
_FAILURES_SHOWN = 20


def render(desk: Desk, person: Person, jobs: Jobs | None = None) -> None:
    """:raises AccessError: when the person may not look after the quality."""
    from ragvoice.evaluation.reports import Reports
    from ragvoice.settings import home

    reports = Reports(person, home() / "reports")
    jobs = jobs or open_jobs(desk.settings)
    st.title("Quality", anchor=False)
    summaries = reports.summaries()
    with st.expander("Run an evaluation", expanded=not summaries, icon=":material/play_arrow:"):
        _run(jobs, person)
    show_jobs(jobs, person, "evaluate")
    if not summaries:
        st.info(
            "There is no report yet. An evaluation asks a set of questions whose answers are known, and says how many "
            "were found, answered rightly, and declined when they should be.",
            icon=":material/monitoring:",
        )
        return
    tabs = st.tabs(["Figures", "Trend", "Failures", "Compare", "Reports"])
    with tabs[0]:
        _figures(summaries)
    with tabs[1]:
        _trend(summaries)
    with tabs[2]:
        _failures(reports, summaries)
    with tabs[3]:
        _compare(reports, summaries)
    with tabs[4]:
        _list(reports, summaries)


def named(summary: SetSummary) -> str:
    """For a choice among many."""
    when = summary.created[:16].replace("T", " ")
    return f"{summary.set}, {summary.style}, {when}, {summary.asked} questions"


def verdict(difference: Difference) -> str:
    """Better or worse only where the 95 % interval of the change leaves 0 out."""
    low, high = difference.change.low, difference.change.high
    if low is None or high is None or low <= 0 <= high:
        return "no clear change"
    return "better" if (low > 0) == (difference.measure.better == "higher") else "worse"


def comparison_rows(comparison: Comparison) -> list[dict[str, Any]]:
    return [
        {
            "Measure": words(difference.measure.name),
            "Before": difference.before,
            "After": difference.after,
            "Change": difference.change.value,
            "95 % interval": f"{difference.change.low:+.3f} to {difference.change.high:+.3f}",
            "Verdict": verdict(difference),
            "Questions": difference.change.n,
        }
        for difference in comparison.differences
    ]


def turned(before: Sequence[QuestionResult], after: Sequence[QuestionResult]) -> list[tuple[QuestionResult, bool]]:
    """Questions that one run got right and the other did not, as the later run answered them; True: right now."""
    from ragvoice.evaluation.comparison import common_pairs

    pairs = common_pairs(before, after)
    return [(new, new.failure is None) for old, new in pairs if (old.failure is None) != (new.failure is None)]


def _run(jobs: Jobs, person: Person) -> None:
    from ragvoice.jobs.work import Evaluate

    with st.form("evaluate", border=False):
        if (folders := jobs.datasets(person)) is not None:
            names = ", ".join(f"**{label(str(folder), 200)}**" for folder in folders)
            st.caption(
                f"Sets in {names}, or below."
                if names
                else "An administrator can list folders for you in the setting evaluation_folders."
            )
        dataset = st.text_input(
            "Set of questions", "data", help="A folder on this machine with questions.jsonl and documents"
        )
        columns = st.columns(3)
        limit = columns[0].number_input("Questions", 1, value=40, help="Spread evenly over the set")
        style = columns[1].selectbox("Style", _STYLES, help="Short answers can be compared with the expected ones")
        voice = columns[2].number_input("Spoken too", 0, value=0, help="So many questions are also asked aloud")
        if st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            start(jobs, person, Evaluate(Path(dataset.strip()), int(limit), style, int(voice) or None))


def _figures(summaries: Sequence[SetSummary]) -> None:
    summary = st.selectbox("Report", summaries, format_func=named, key="figures-report")
    for gate in summary.broken:
        st.warning(label(gate, 400), icon=":material/rule:")
    before = next((s for s in summaries if s.sample == summary.sample and s.created < summary.created), None)
    with st.container(horizontal=True, gap="medium"):  # wraps on a phone
        for name in _MAIN:
            value, earlier = _value(summary, name), _value(before, name) if before else None
            change = None if value is None or earlier is None else value - earlier
            st.metric(
                words(name).capitalize(),
                "-" if value is None else f"{value:.2f}",
                None if change is None or abs(change) < 0.005 else f"{change:+.2f}",
                delta_color="inverse" if name == "refused_answerable" else "normal",
                help=_HELP[name],
                width="content",
            )
    compared = "; changes against the report before of the same questions." if before else "."
    st.caption("Bars with their 95 % intervals" + compared)
    st.altair_chart(figures(summary, _PLOTTED))
    seconds = {name: row for name, row in summary.scores.items() if name.endswith(("_p50", "_p95"))}
    if seconds:
        st.dataframe(
            [{"Seconds": words(name), "Value": row["value"], "Questions": row["n"]} for name, row in seconds.items()],
            hide_index=True,
        )


def _trend(summaries: Sequence[SetSummary]) -> None:
    kinds = list(dict.fromkeys((summary.set, summary.style) for summary in summaries))
    left, right = st.columns([1, 2])
    kind = left.selectbox("Set", kinds, format_func=lambda kind: f"{kind[0]}, {kind[1]}", key="trend-set")
    of_kind = [summary for summary in summaries if (summary.set, summary.style) == kind]
    known = list(dict.fromkeys(name for summary in of_kind for name in summary.scores))
    names = right.multiselect(
        "Measures", known, [name for name in _MAIN if name in known], format_func=words, key="trend-measures"
    )
    if len(of_kind) < 2:
        st.caption("A trend takes two reports of the same set.")
    if names:
        st.altair_chart(trend(of_kind, names))


def _failures(reports: Reports, summaries: Sequence[SetSummary]) -> None:
    from ragvoice.evaluation.failures import KINDS

    summary = st.selectbox("Report", summaries, format_func=named, key="failures-report")
    if not summary.failures:
        st.success("Nothing went wrong in this report.", icon=":material/check_circle:")
        return
    kind = st.pills(
        "Kind of failure",
        list(summary.failures),
        format_func=lambda kind: f"{kind} ({summary.failures[kind]})",
        key="failures-kind",
    )
    st.caption(label(KINDS.get(kind, ""), 200) if kind else "All kinds. Choose one to see what it means.")
    with kindly():
        failed = [
            result
            for result in reports.questions(summary.report, summary.set, summary.style)
            if result.failure and kind in (None, result.failure)
        ]
        for result in failed[:_FAILURES_SHOWN]:
            _failure(result)
        if len(failed) > _FAILURES_SHOWN:
            st.caption(f"{len(failed) - _FAILURES_SHOWN} more; the report that can be downloaded has all of them.")


def _failure(result: QuestionResult) -> None:
    with st.expander(f"{label(result.question, 140)} · {result.failure}"):
        expected, got = st.columns(2)
        expected.caption("Expected")
        expected.text(" / ".join(result.golds) if result.answerable else "To be declined: not in the documents")
        got.caption(f"Got: {result.outcome}, confidence {result.confidence:.2f}")
        got.text(result.error or result.answer or "nothing")
        if result.draft and result.draft != result.answer:
            got.caption("What the model wrote")
            got.text(result.draft)
        st.caption(f"Expected documents: {label(', '.join(result.gold_ids) or 'none', 300)}")
        for passage in result.passages[:5]:
            mark = ":green[:material/check:]" if passage.gold else ":gray[:material/remove:]"
            page = f", page {passage.page}" if passage.page else ""
            st.markdown(f"{mark} {label(passage.doc_id, 120)}{page} · {passage.score:.2f}")


def _compare(reports: Reports, summaries: Sequence[SetSummary]) -> None:
    left, right = st.columns(2)
    after = right.selectbox("After", summaries, format_func=named, key="compare-after")
    others = [s for s in summaries if s.set == after.set and s.style == after.style and s.report != after.report]
    if not others:
        left.selectbox("Before", [], placeholder="no other report of this set", key="compare-none", disabled=True)
        st.caption("Two reports of the same set and style are needed.")
        return
    before = left.selectbox("Before", others, format_func=named, key="compare-before")
    with kindly():
        comparison = reports.compare(before, after)
        st.caption(
            f"{comparison.common} questions that both have asked; {comparison.only_before} only before, "
            f"{comparison.only_after} only after."
        )
        digits = st.column_config.NumberColumn(format="%.3f")
        columns = {"Before": digits, "After": digits, "Change": digits}
        st.dataframe(comparison_rows(comparison), hide_index=True, column_config=columns)
        changed = turned(
            reports.questions(before.report, before.set, before.style),
            reports.questions(after.report, after.set, after.style),
        )
        for result, better in changed[:_FAILURES_SHOWN]:
            mark = ":green[:material/trending_up: mended]" if better else ":red[:material/trending_down: broken]"
            st.markdown(f"{mark} {label(result.question, 160)}")


def _list(reports: Reports, summaries: Sequence[SetSummary]) -> None:
    for name in dict.fromkeys(summary.report for summary in summaries):
        parts = [summary for summary in summaries if summary.report == name]
        with st.container(border=True):
            st.markdown(f"**{label('; '.join(named(part) for part in parts), 300)}**")
            if parts[0].broken:
                st.caption(f"{len(parts[0].broken)} gates broken")
            with st.container(horizontal=True):
                if page := reports.html(name):
                    st.download_button(
                        "Download the report", page, f"{name}.html", "text/html", key=f"html-{name}",
                        icon=":material/download:",
                    )  # fmt: skip
                with st.popover("Delete", icon=":material/delete:"):
                    if st.button("Delete this report", type="primary", key=f"delete-{name}"):
                        with kindly():
                            reports.delete(name)
                            st.rerun()


def _value(summary: SetSummary, name: str) -> float | None:
    return summary.scores[name]["value"] if name in summary.scores else None
