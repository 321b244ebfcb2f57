from __future__ import annotations

import json
from pathlib import Path

import pytest
from owner_pages import ASKER, OWNER, FakeDesk, echo_jobs, finished, page, press, texts

from finetune.owner import TuningOwner
from finetune.run_folder import RunFolder
from ragvoice.errors import AccessError
from ragvoice.jobs.jobs import Jobs
from ragvoice.settings import Settings
from ragvoice.ui.tuning import render

Site = tuple[FakeDesk, Jobs]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Site:
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path))
    return FakeDesk(settings), echo_jobs(settings)


@pytest.fixture
def run(site: Site) -> RunFolder:
    """A trained run that was not evaluated."""
    folder = RunFolder.named("leave")
    folder.adapter.mkdir(parents=True)
    folder.run_file.write_text('base = "qwen2.5-coder-0.5b-instruct"\n')
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (folder.adapter / name).write_text("{}")
    (folder.adapter / "ragvoice.json").write_text(json.dumps({"base": "qwen2.5-coder-0.5b-instruct"}))
    rows = [{"step": 5, "loss": 1.2}, {"step": 10, "loss": 0.9}, {"step": 10, "eval_loss": 1.0, "eval_exact": 0.4}]
    folder.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_who_may_not_fine_tune_is_turned_away_by_the_library(site: Site) -> None:
    with pytest.raises(AccessError):
        TuningOwner(ASKER)
    app = page(render, site[0], ASKER, site[1])

    assert texts(app).startswith("access:")
    assert not app.button


def test_a_run_begins_with_its_data(site: Site) -> None:
    app = page(render, site[0], OWNER, site[1])
    assert "No run yet" in texts(app)

    app.selectbox[0].select("tiny")
    with finished(site[1]) as arguments:
        press(app, "Make its data")

    assert arguments == ["finetune", "data", "--", "tiny"]


def test_a_run_with_its_figures_and_its_next_steps(site: Site, run: RunFolder) -> None:
    app = page(render, site[0], OWNER, site[1])

    row = app.dataframe[0].value.iloc[0]
    assert (row["Run"], row["State"], row["Steps"], row["Held-out loss"]) == ("leave", "trained", 10, "1.000")
    with finished(site[1]) as arguments:
        next(button for button in app.button if button.key == "step-evaluate").click().run()
    assert arguments == ["finetune", "evaluate", "--", "leave"]


def test_a_training_that_was_stopped_goes_on(site: Site, run: RunFolder) -> None:
    (run.adapter / "ragvoice.json").unlink()
    app = page(render, site[0], OWNER, site[1])

    with finished(site[1]) as arguments:
        next(button for button in app.button if button.key == "step-train").click().run()

    assert arguments == ["finetune", "train", "--resume", "--", "leave"]


def test_an_adapter_without_proof_is_refused_kindly(site: Site, run: RunFolder) -> None:
    app = page(render, site[0], OWNER, site[1])

    press(app, "Promote")

    assert "it was not evaluated" in texts(app)
    assert TuningOwner(OWNER).in_service() == []


def test_rolling_back_brings_the_adapter_before_into_service(site: Site, run: RunFolder) -> None:
    from ragvoice.build_adapter import promoted_adapters
    from ragvoice.settings import read_settings

    adapters = promoted_adapters(read_settings())
    for name in ("first", "second"):
        (run.path / name).mkdir()
        (run.path / name / "adapter_config.json").touch()
        adapters.promote(run.path / name, {"main": f"{name} is better"})
    app = page(render, site[0], OWNER, site[1])
    assert "second is better" in texts(app)

    press(app, "Roll back now")

    assert [one.adapter.name for one in TuningOwner(OWNER).in_service()] == ["first"]


def test_one_question_to_base_and_adapter(site: Site, run: RunFolder) -> None:
    app = page(render, site[0], OWNER, site[1])

    next(box for box in app.text_input if box.label == "Question").input("How long is leave?")
    with finished(site[1], OWNER) as arguments:
        press(app, "Ask the base and the adapter")

    assert arguments[:2] == ["finetune", "ask"]
    assert arguments[-3:] == ["--", "leave", "How long is leave?"]
