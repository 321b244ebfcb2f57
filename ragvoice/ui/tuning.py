"""The page on which an owner fine-tunes: runs, curves, base against adapter, into service and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ragvoice.ui.charts import curves
from ragvoice.ui.job_view import kindly, latest, open_jobs, show_jobs, start
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from finetune.owner import TuningOwner
    from finetune.proof.runs import RunSummary
    from ragvoice.desk import Desk
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.people.person import Person

Step = Literal["data", "train", "calibrate", "evaluate"]
_STEPS: tuple[tuple[Step, str, str], ...] = (
    ("data", "Make the data", "Questions with retrieved passages, split by document"),
    ("train", "Train", "The adapter; takes hours on two cores"),
    ("calibrate", "Calibrate", "When to say that it is not in the documents, fitted to this adapter"),
    ("evaluate", "Evaluate", "Base and adapter over questions that the training never saw"),
)
_LOSS = {"loss": "training", "eval_loss": "held out"}
_ANSWERS = {
    "eval_exact": "exact answers",
    "eval_answerable_refused": "answerable refused",
    "eval_unanswerable_refused": "unanswerable refused",
    "eval_balanced": "balanced",
}


def render(desk: Desk, person: Person, jobs: Jobs | None = None) -> None:
    """:raises AccessError: when the person may not fine-tune."""
    from finetune.owner import TuningOwner

    owner = TuningOwner(person)
    jobs = jobs or open_jobs(desk.settings)
    st.title("Fine-tuning", anchor=False)
    with kindly():
        _in_service(owner, desk.settings.llm)
    show_jobs(jobs, person, "finetune")
    runs = owner.runs()
    with st.expander("Begin a run", expanded=not runs, icon=":material/add:"):
        _begin(jobs, person, owner)
    if not runs:
        st.info(
            "No run yet. A run makes training data from questions and documents, trains an adapter on it, proves it on "
            "documents that it never saw, and only then can it go into service.",
            icon=":material/tune:",
        )
        return
    st.dataframe([table_row(run) for run in runs], hide_index=True)
    name = st.selectbox("Run", [run.run for run in runs], key="tuning-run")
    run = next(run for run in runs if run.run == name)
    if run.note:
        st.warning(label(run.note, 400), icon=":material/warning:")
    steps, plots, proof, both = st.tabs(["Steps", "Curves", "Proof", "Ask both"])
    with steps:
        _steps(jobs, person, owner, run)
    with plots, kindly():
        _curves(owner.metrics(run.run))
    with proof, kindly():
        _proof(owner, run.run)
    with both:
        _ask_both(jobs, person, run)


def table_row(run: RunSummary) -> dict[str, Any]:
    return {
        "Run": run.run,
        "State": run.state,
        "Base": run.base,
        "Date": run.date,
        "Examples": run.examples,
        "Steps": run.steps,
        "Held-out loss": _three_digits(run.held_out_loss),
        "Measure": run.measure,
        "Base scores": _three_digits(run.base_score),
        "Adapter scores": _three_digits(run.adapter_score),
    }


def _three_digits(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _in_service(owner: TuningOwner, llm: str) -> None:
    history = owner.in_service()
    with st.container(border=True):
        if not history:
            st.markdown(f"**In service for {label(llm)}:** the adapter that comes with it, if there is one")
            return
        st.markdown(
            f"**In service for {label(llm)}:** {label(history[0].adapter.name)}, since {history[0].promoted[:10]}"
        )
        if evidence := history[0].evidence.get("main"):
            st.caption(label(str(evidence), 300))
        before = history[1].adapter.name if history[1:] else "the adapter that comes with the model, or the bare model"
        with st.popover("Roll back", icon=":material/undo:"):
            st.write(f"Then this answers again: {label(before)}. Running pages follow with the next question.")
            if st.button("Roll back now", type="primary"):
                owner.roll_back()
                st.rerun()


def _begin(jobs: Jobs, person: Person, owner: TuningOwner) -> None:
    from ragvoice.jobs.work import Finetune

    own = jobs.datasets(person) is None
    with st.form("begin", border=False):
        run = st.selectbox(
            "Run file",
            owner.new_runs(),
            index=None,
            placeholder="one of ours" + (", or the path of your own" if own else ""),
            accept_new_options=own,
            help="A TOML file that says from what and how to train: docs/finetuning.md",
        )
        if st.form_submit_button("Make its data", icon=":material/play_arrow:"):
            start(jobs, person, Finetune("data", run or ""))


def _steps(jobs: Jobs, person: Person, owner: TuningOwner, run: RunSummary) -> None:
    from ragvoice.jobs.work import Finetune

    for step, title, what in _STEPS:
        words, button = st.columns([4, 1], vertical_alignment="center")
        words.markdown(what)
        resume = step == "train" and run.state == "training"
        if button.button("Go on training" if resume else title, key=f"step-{step}", width="stretch"):
            start(jobs, person, Finetune(step, run.run, resume=resume))
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.markdown("Put it into service; refused unless its evaluation shows that it is better and breaks no gate")
    if button.button("Promote", type="primary", width="stretch", disabled=run.state == "in service"):
        with kindly(), st.spinner("Merging the adapter into its base"):
            promotion = owner.promote(run.run)
            st.success(f"In service: {label(promotion.adapter.name)}. Running pages follow with the next question.")


def _curves(metrics: Sequence[Mapping[str, Any]]) -> None:
    if not metrics:
        st.caption("Nothing has been trained yet.")
        return
    left, right = st.columns(2)
    left.markdown("**Loss on the answers**")
    left.altair_chart(curves(metrics, _LOSS))
    right.markdown("**Held-out answers**")
    right.altair_chart(curves(metrics, _ANSWERS))


def _proof(owner: TuningOwner, run: str) -> None:
    report = owner.report(run)
    if report is None:
        st.caption("Not evaluated yet.")
        return
    if plot := owner.report_plot(run):
        st.image(str(plot))
    with st.expander("The whole report"):
        st.code(report, language="markdown", wrap_lines=True)
    st.download_button("Download the report", report, f"{run}.md", "text/markdown", icon=":material/download:")


def _ask_both(jobs: Jobs, person: Person, run: RunSummary) -> None:
    from ragvoice.jobs.work import AskBoth

    if run.state in ("prepared", "training", "damaged"):
        st.caption("This run has no adapter yet.")
        return
    with st.form("ask-both", border=False):
        question = st.text_input("Question", placeholder="How long is parental leave in Poland?")
        if st.form_submit_button("Ask the base and the adapter", icon=":material/compare:"):
            start(jobs, person, AskBoth(run.run, question))
    show_jobs(jobs, person, "ask both")
    found = latest(jobs, person, "ask both")
    if found is None or not isinstance(found[1], dict):
        return
    job, answers = found
    st.markdown(f"**{label(job.title)}:** {label(answers.get('base', {}).get('question', ''), 300)}")
    for column, side in zip(st.columns(2), ("base", "adapter"), strict=True):
        answer = answers.get(side, {})
        with column.container(border=True):
            st.markdown(f"**{side.capitalize()}**")
            st.text(answer.get("answer", ""))
            st.caption(f"{label(answer.get('outcome', ''))}, confidence {answer.get('confidence', 0.0):.2f}")
            for citation in answer.get("citations", []):
                st.caption(f"{label(citation.get('title', ''))}: {label(citation.get('quote', ''), 300)}")
