from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from owner_pages import ADMIN, ASKER, OWNER, FakeDesk, echo_jobs, finished, page, press, texts

from ingest.owner import DocumentOwner, uploads_folder
from ragvoice.datatypes import Passage
from ragvoice.errors import AccessError
from ragvoice.jobs.jobs import Jobs
from ragvoice.settings import Settings
from ragvoice.ui.documents import matching, render

Site = tuple[FakeDesk, Jobs]
HANDBOOK = "hr/employee-handbook.pdf"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample_index: Path, settings: Settings) -> Site:
    """The sample company's index, to be changed at will."""
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    shutil.copytree(sample_index, tmp_path / "index")
    own = settings.model_copy(update={"index": tmp_path / "index"})
    hit = Passage("a.md", "a.md", "Travel *policy*", "Hotels", 3, None, "Up to 140 EUR.", 0, 0.9)
    return FakeDesk(own, (hit,)), echo_jobs(own)


@pytest.fixture
def bare_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Site:
    """Before the first ingest."""
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    own = settings.model_copy(update={"index": tmp_path / "index"})
    return FakeDesk(own), echo_jobs(own)


def test_who_may_not_look_after_documents_is_turned_away_by_the_library(site: Site) -> None:
    with pytest.raises(AccessError):
        DocumentOwner(ASKER, site[0].settings)
    app = page(render, site[0], ASKER, site[1])

    assert texts(app).startswith("access:")
    assert not app.button


def test_the_index_at_a_glance_and_a_document_as_it_was_read(site: Site) -> None:
    app = page(render, site[0], OWNER, site[1])

    shown = {metric.label: metric.value for metric in app.metric}
    documents = site[0].documents(OWNER)
    assert shown["Documents"] == str(len(documents))
    assert len(app.dataframe[0].value) == len(documents)

    app.selectbox(key="documents-open").select(HANDBOOK).run()

    first = site[0].chunks(OWNER, HANDBOOK)[0]
    text = site[0].document(OWNER, HANDBOOK).text
    assert text[first.start_index : first.end_index] in [element.value for element in app.text]


def test_a_search_shows_what_an_answer_would_rest_on(site: Site) -> None:
    app = page(render, site[0], OWNER, site[1])

    next(box for box in app.text_input if box.label == "Search in the documents").input("hotel").run()

    assert "Up to 140 EUR." in [element.value for element in app.text]
    assert r"Travel \*policy\*" in texts(app)  # a title is never Markdown


def test_uploaded_files_are_kept_for_their_groups_and_ingested(bare_site: Site) -> None:
    desk, jobs = bare_site
    app = page(render, desk, OWNER, jobs)
    assert "Nothing has been ingested yet" in texts(app)

    assert app.file_uploader[0].proto.max_upload_size_mb == 200
    app.file_uploader[0].set_value([("../pay.md", b"# Pay", "text/markdown")])
    app.multiselect[0].set_value(["hr"])
    with finished(jobs) as arguments:
        press(app, "Upload and ingest")

    assert (uploads_folder() / "pay.md").read_bytes() == b"# Pay"
    assert 'groups = ["hr"]' in (uploads_folder() / "access.toml").read_text()
    index = f"--index={desk.settings.index_path}"
    assert arguments == ["ingest", index, "--json", "--name=uploads", "--", str(uploads_folder())]


def test_folders_on_the_server_are_ingested_by_name(bare_site: Site) -> None:
    app = page(render, bare_site[0], ADMIN, bare_site[1])

    app.text_area[0].input("/srv/handbook\n\n --odd ")
    with finished(bare_site[1]) as arguments:
        press(app, "Ingest")

    assert arguments[-3:] == ["--", "/srv/handbook", "--odd"]


def test_an_owner_names_the_folders_that_an_administrator_listed(bare_site: Site, tmp_path: Path) -> None:
    handbook = tmp_path.parent / "handbook"
    listed = bare_site[0].settings.model_copy(update={"document_folders": (handbook,)})
    jobs = echo_jobs(listed)
    app = page(render, bare_site[0], OWNER, jobs)

    app.text_area[0].input(str(tmp_path.parent / "payroll"))
    press(app, "Ingest")
    assert "is not among the folders that you may ingest" in texts(app)
    assert jobs.list(OWNER) == []

    app.text_area[0].input(str(handbook / "hr"))
    with finished(jobs) as arguments:
        press(app, "Ingest")
    assert arguments[-1] == str(handbook / "hr")


def test_a_full_disk_is_said_in_words(bare_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    app = page(render, bare_site[0], ADMIN, bare_site[1])

    def full(folder: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(Path, "mkdir", full)
    app.text_area[0].input("/srv/handbook")
    press(app, "Ingest")

    assert r"No space left on device\." in texts(app)
    assert "jobs" in texts(app)


def test_removing_takes_a_second_press_and_says_that_the_file_stays(site: Site) -> None:
    app = page(render, site[0], OWNER, site[1])
    app.selectbox(key="documents-open").select(HANDBOOK).run()
    assert "Its file stays" in texts(app)

    press(app, "Remove it")

    assert HANDBOOK not in [document.doc_id for document in site[0].documents(OWNER)]


def test_rebuild_and_verify_are_jobs(site: Site) -> None:
    app = page(render, site[0], OWNER, site[1])
    with finished(site[1]) as arguments:
        press(app, "Rebuild now")
    assert "--rebuild" in arguments
    assert arguments[0] == "ingest"  # of a folder that the owner could not name, had it not been ingested before

    with finished(site[1]) as arguments:
        press(app, "Verify the index")
    assert arguments[:2] == ["index", "verify"]


def test_a_folder_is_forgotten_with_its_documents(site: Site) -> None:
    app = page(render, site[0], ADMIN, site[1])

    press(app, "Forget it")

    assert site[0].documents(ADMIN) == []
    assert "No folder has been ingested yet." in texts(app)


def test_the_list_is_filtered_by_words_and_by_reader(site: Site) -> None:
    documents = site[0].documents(OWNER)

    assert [one.doc_id for one in matching(documents, "HANDBOOK employee", None)] == [HANDBOOK]
    assert {"board"} <= {group for one in matching(documents, "", "board") for group in one.allowed_groups}
    assert matching(documents, "no such thing", None) == []
