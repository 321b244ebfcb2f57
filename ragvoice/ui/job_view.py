"""Jobs on a page: start one, see how far it is, cancel it, read its log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from ragvoice.errors import RagVoiceError
from ragvoice.ui.wording import label, trouble

if TYPE_CHECKING:
    from ragvoice.jobs.job import Job
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.jobs.work import Work
    from ragvoice.people.person import Person
    from ragvoice.settings import Settings

_log = logging.getLogger(__name__)
_LOOK_EVERY_S = 1.5
_SHOWN = 4
"""Finished jobs below the running ones."""
_LOOKS = {
    "running": (":material/progress_activity:", "blue"),
    "done": (":material/check_circle:", "green"),
    "failed": (":material/error:", "red"),
    "cancelled": (":material/cancel:", "gray"),
}


def open_jobs(settings: Settings) -> Jobs:
    """The jobs of this RAGVOICE_HOME."""
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.settings import home

    return Jobs(
        home() / "jobs",
        settings.index_path,
        home() / "reports",
        home=home(),
        folders=settings.document_folders,
        datasets=settings.evaluation_folders,
    )


@contextmanager
def kindly() -> Iterator[None]:
    """An error that was foreseen is shown in its own words, which say what to do; so is one of disk and folders."""
    try:
        yield
    except RagVoiceError as error:
        st.error(label(str(error), 2000), icon=":material/error:")
    except OSError as error:
        _log.exception("A page failed")
        words = trouble(error)
        where = f" ({error.filename})" if error.filename else ""
        st.error(label(f"{words.title}{where}: {words.message} {words.advice}", 2000), icon=":material/error:")


def start(jobs: Jobs, person: Person, work: Work) -> None:
    """Then the page is drawn anew, with the job on it."""
    with kindly():
        jobs.start(person, work)
        st.rerun()


def show_jobs(jobs: Jobs, person: Person, *kinds: str) -> None:
    """Running and recent ones; looks again by itself while one runs."""
    running = any(job.state == "running" for job in jobs.list(person, *kinds))
    st.fragment(_panel, run_every=_LOOK_EVERY_S if running else None)(jobs, person, kinds, running)


def latest(jobs: Jobs, person: Person, kind: str) -> tuple[Job, Any] | None:
    """The newest job of a kind that has ended with a result, and that result; a cut off one is none."""
    for job in jobs.list(person, kind):
        if job.state != "running":
            try:
                return job, json.loads(jobs.output(person, job.id))
            except ValueError:
                continue
    return None


@kindly()  # a fragment is drawn again without its page
def _panel(jobs: Jobs, person: Person, kinds: tuple[str, ...], was_running: bool) -> None:
    listed = jobs.list(person, *kinds)
    if was_running and not any(job.state == "running" for job in listed):
        st.rerun()
    running = [job for job in listed if job.state == "running"]
    for job in running:
        _show_running(jobs, person, job)
    ended = [job for job in listed if job.state != "running"][:_SHOWN]
    if ended:
        with st.expander(f"Recent jobs: {label(ended[0].title)}, {ended[0].state}", icon=_LOOKS[ended[0].state][0]):
            for job in ended:
                _show_ended(jobs, person, job)


def _show_running(jobs: Jobs, person: Person, job: Job) -> None:
    with st.container(border=True):
        words, button = st.columns([5, 1], vertical_alignment="center")
        words.markdown(f"**{label(job.title)}**")
        words.caption(label(_since(job)))
        if button.button("Cancel", key=f"cancel-{job.id}", icon=":material/stop_circle:"):
            jobs.cancel(person, job.id)
            st.rerun(scope="fragment")
        known = [stage for stage in job.stages if stage.fraction is not None]
        for stage in known[-2:]:
            st.progress(stage.fraction or 0.0, text=label(str(stage)))
        if not known:
            st.caption(label(job.line))
        with st.expander("Log"):
            st.code(jobs.log(person, job.id) or "Nothing yet.", language=None, wrap_lines=True)


def _show_ended(jobs: Jobs, person: Person, job: Job) -> None:
    icon, colour = _LOOKS[job.state]
    st.markdown(f":{colour}[{icon}] **{label(job.title)}** · {job.state} · {_moment(job.ended or job.created)}")
    if job.state == "failed":
        st.caption(label(job.line, 600))
    if log := jobs.log(person, job.id):
        with st.popover("Log", icon=":material/description:"):
            st.code(log, language=None, wrap_lines=True)


def _since(job: Job) -> str:
    who = f", started by {job.person}" if job.person else ""
    return f"since {_moment(job.created)}{who}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).strftime("%d %b %H:%M")
