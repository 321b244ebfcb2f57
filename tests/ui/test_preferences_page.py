from __future__ import annotations

from pathlib import Path

import pytest
from owner_pages import ADMIN, ASKER, OWNER, FakeDesk, echo_jobs, finished, page, texts
from saved_settings import settings_in_file

from ragvoice.jobs.jobs import Jobs
from ragvoice.models.catalogue import Catalogue
from ragvoice.models.costs import model_costs
from ragvoice.models.store import ModelStore
from ragvoice.settings import Settings, read_settings
from ragvoice.settings_file import save_settings
from ragvoice.ui.preferences import SECTIONS, bounds, changes, consequences, render

Site = tuple[FakeDesk, Jobs]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """No model is installed."""
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAGVOICE_SPEED", raising=False)
    desk = FakeDesk(read_settings())
    return desk, echo_jobs(desk.settings)


def save(app, section: str):  # type: ignore[no-untyped-def]
    place = list(SECTIONS).index(section)
    [button for button in app.button if button.label == "Save"][place].click()
    return app.run()


def key(name: str) -> str:
    return f"setting-{name}-{getattr(read_settings(), name)}"


@pytest.mark.parametrize("person", [ASKER, OWNER])
def test_who_may_not_change_settings_is_turned_away_by_the_library(site: Site, person) -> None:  # type: ignore[no-untyped-def]
    app = page(render, site[0], person, site[1])

    assert texts(app).startswith("access:")
    assert not app.button


def test_a_change_is_saved_and_the_page_says_what_it_takes(site: Site) -> None:
    app = page(render, site[0], ADMIN, site[1])

    app.number_input(key=key("speed")).set_value(1.2)
    save(app, "Voice")
    assert settings_in_file() == {"speed": 1.2}

    assert "Saved to" in texts(app)
    app.number_input(key=key("speed")).set_value(1.3)
    save(app, "Voice")

    app.number_input(key=key("chunk_tokens")).set_value(128)
    save(app, "Documents")
    assert settings_in_file() == {"speed": 1.3, "chunk_tokens": 128}
    assert "rebuild the index" in texts(app)

    app.run()
    assert "Saved, not yet in force:** Speaking rate, Longest passage in tokens" in texts(app)


def test_what_was_changed_elsewhere_meanwhile_is_not_undone(site: Site) -> None:
    app = page(render, site[0], ADMIN, site[1])
    app.number_input(key=key("chunk_tokens")).set_value(128)

    save_settings(ADMIN, {"max_file_mib": 50})
    save(app, "Documents")

    assert settings_in_file() == {"max_file_mib": 50, "chunk_tokens": 128}


def test_values_that_do_not_go_together_are_refused_in_words(site: Site) -> None:
    app = page(render, site[0], ADMIN, site[1])

    app.number_input(key=key("overlap_tokens")).set_value(200)
    save(app, "Documents")

    assert "do not go together" in texts(app)
    assert settings_in_file() == {}


def test_what_the_environment_says_cannot_be_changed_here(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_SPEED", "1.1")

    app = page(render, site[0], ADMIN, site[1])

    assert app.number_input(key=key("speed")).disabled
    assert "RAGVOICE_SPEED" in app.number_input(key=key("speed")).help
    assert not app.selectbox(key=key("tts")).disabled


def test_a_model_that_is_not_here_can_be_downloaded(site: Site) -> None:
    app = page(render, site[0], ADMIN, site[1])

    with finished(site[1]) as arguments:
        next(button for button in app.button if button.key == "pull-stt-whisper-base").click().run()

    assert arguments == ["models", "pull", "--", "whisper-base"]


def test_every_setting_of_the_page_is_one_with_the_limits_of_the_library() -> None:
    for fields in SECTIONS.values():
        for field in fields:
            assert field.name in Settings.model_fields
            assert (field.task is not None) == (field.kind == "model")
    assert bounds("speed") == (0.3, 3)
    assert bounds("prompt_passages") == (1, 20)
    assert bounds("max_new_tokens") == (1, None)


def test_only_what_differs_is_a_change_and_an_empty_text_is_no_value(site: Site) -> None:
    current = read_settings()

    assert changes(current, {"speed": current.speed, "reranker": "", "language": "de"}) == {"language": "de"}
    assert consequences([]) == []
    assert len(consequences(["speed"])) == 1
    assert "Upkeep (embedder)" in consequences(["embedder"])[1]
    assert "next ingest" in consequences(["ocr"])[1]


def test_a_model_costs_what_its_files_weigh(tmp_path: Path) -> None:
    entry = Catalogue.load().get("whisper-base")
    store = ModelStore(tmp_path, Catalogue({entry.name: entry}))
    [before] = model_costs(store, "speech-to-text")
    assert (before.installed, before.disk_bytes, before.licence) == (False, 0, "MIT")
    assert before.download_bytes == before.weights_bytes == sum(file.size for file in entry.files)

    for file in entry.files:
        path = tmp_path / entry.name / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as out:
            out.truncate(file.size)

    [after] = model_costs(store, "speech-to-text")
    assert after.installed
    assert after.disk_bytes == entry.size_bytes
    assert model_costs(store, "embedding") == []
