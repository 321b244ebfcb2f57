"""What the tests of the owners' pages share: a desk over a real small index that loads no models, and job commands that
only say what they were asked."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlit.testing.v1 import AppTest

from ragvoice.build import build_vector_store
from ragvoice.datatypes import Passage
from ragvoice.jobs.jobs import Jobs
from ragvoice.people.person import Person
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.settings import Settings, home

OWNER = Person("Ada", "owner")
ADMIN = Person("Ben", "admin")
ASKER = Person("Cy")

ECHO = "import json, sys; print(json.dumps({'arguments': sys.argv[1:]}))"


class FakeDesk:
    """As `ragvoice.desk.Desk`, for what these pages ask of it."""

    def __init__(self, settings: Settings, hits: tuple[Passage, ...] = ()):
        self.settings = settings
        self._hits = hits

    def documents(self, person: Person) -> Any:
        person.require("documents")
        return self._index().documents()

    def document(self, person: Person, doc_id: str) -> Any:
        return self._index().document(doc_id)

    def chunks(self, person: Person, doc_id: str) -> Any:
        return self._index().chunk_spans(doc_id)

    def search(self, person: Person, query: str, k: int) -> list[Passage]:
        return list(self._hits)

    def _index(self) -> DocumentIndex:
        return DocumentIndex.open(self.settings.index_path, build_vector_store(self.settings))


def echo_jobs(settings: Settings) -> Jobs:
    return Jobs(
        home() / "jobs",
        settings.index_path,
        home() / "reports",
        command=(sys.executable, "-c", ECHO),
        home=home(),
        folders=settings.document_folders,
        datasets=settings.evaluation_folders,
    )


def page(render: Callable[..., None], desk: FakeDesk, person: Person, jobs: Jobs) -> AppTest:
    """The page, run once. The library's errors are the page's, as for the script behind all pages."""

    def script(render, desk, person, jobs):  # its source is run alone: no name of this module in it
        import streamlit as st

        from ragvoice.errors import RagVoiceError

        try:
            render(desk, person, jobs)
        except RagVoiceError as error:
            st.error(f"{error.code}: {error}")

    app = AppTest.from_function(script, args=(render, desk, person, jobs), default_timeout=60)
    app.run()
    assert not app.exception, app.exception
    return app


def press(app: AppTest, label: str) -> AppTest:
    [button] = [button for button in app.button if button.label == label]
    button.click()
    app.run()
    assert not app.exception, app.exception
    return app


def texts(app: AppTest) -> str:
    """All that is said on the page."""
    kinds = ("title", "markdown", "caption", "text", "info", "warning", "error", "success", "code")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(app, kind))


@contextmanager
def finished(jobs: Jobs, person: Person = ADMIN) -> Iterator[list[str]]:
    """The arguments of the one job that is started within, once it has ended."""
    before = {job.id for job in jobs.list(person)}
    arguments: list[str] = []
    yield arguments
    [started] = [job for job in jobs.list(person) if job.id not in before]
    deadline = time.monotonic() + 60
    while jobs.get(person, started.id).state == "running" and time.monotonic() < deadline:
        time.sleep(0.05)
    arguments += json.loads(jobs.output(person, started.id))["arguments"]


def write_report(name: str, created: str, results: list[Any], broken: tuple[str, ...] = ()) -> Path:
    """A report in the folder of the reports, over a set called `handbook`."""
    from ragvoice.evaluation.report import SetReport, report_json
    from ragvoice.evaluation.scores import summarise

    report = SetReport("handbook", "short", "ragvoice", len(results), "0", {}, tuple(results), summarise(results))
    folder = home() / "reports"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(report_json(created, {}, [report], (), broken)))
    file.with_suffix(".html").write_text("<p>the report</p>")
    return file
