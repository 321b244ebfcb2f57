"""The whole way with real models: trained on the right answers an adapter may serve, on shuffled ones it may not."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path

import pytest

from finetune.data.examples import read_part, write_parts
from finetune.run_folder import RunFolder
from ragvoice.cli import main
from ragvoice.settings import home

ROOT = Path(__file__).resolve().parents[2]
RUN = """
base = "smollm2-135m-instruct"
[data]
sizes = [1]
no_gold = 0
[[data.sets]]
folder = "{data}"
[training]
max_steps = 24
warmup = 0.1
dropout = 0
learning_rate = 5e-4
row_tokens = 1024
evaluate_every = 24
evaluate_examples = 20
[evaluation]
limit = 8
reading_limit = 60
measure = "f1"
gates = "gates.toml"
"""
GATES = """
[[gate]]
figure = "refused_answerable"
max_rise = 0.3
[[gate]]
figure = "contains"
sets = ["general"]
max_fall = 0.6
"""
"""Two dozen steps at a high learning rate cost much of what the tiny model knew; here only the main measure counts."""


@pytest.fixture
def own_home(model_home: Path, clean_environment: Path) -> Path:
    """A home of its own with the installed models; what is made of them here stays here."""
    for part in (Path("models"), Path("models", "converted")):
        (home() / part).mkdir()
        for model in (model_home / part).iterdir():
            if model.name != "converted":
                (home() / part / model.name).symlink_to(model)
    os.environ["RAGVOICE_TURNS"] = str(home() / "turns.sqlite")
    return clean_environment


def _run(*arguments: str) -> int:
    return main(["finetune", *arguments])


def _shuffle_answers(run: RunFolder) -> None:
    """Each question of the training part gets the answer of another one."""
    parts = {part: read_part(run.data, part) for part in ("train", "validation", "test")}
    answered = [example for example in parts["train"] if not example.refuses]
    order = list(range(len(answered)))
    random.Random(0).shuffle(order)
    parts["train"] = [
        replace(example, answer=answered[other].answer, accepted=answered[other].accepted)
        for example, other in zip(answered, order, strict=True)
    ]
    write_parts(run.data, parts)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_only_the_adapter_trained_on_right_answers_is_promoted(
    own_home: Path, model_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("gates.toml").write_text(GATES)
    Path("right.toml").write_text(RUN.format(data=ROOT / "data"))
    Path("shuffled.toml").write_text(RUN.format(data=ROOT / "data"))
    for name in ("right", "shuffled"):
        assert _run("data", f"{name}.toml") == 0
    _shuffle_answers(RunFolder.named("shuffled"))
    for name in ("right", "shuffled"):
        assert _run("train", f"{name}.toml", "--processes", "2") == 0, capsys.readouterr().err
        assert _run("evaluate", name, "--dataset", str(ROOT / "data")) == 0
    capsys.readouterr()
    assert _run("promote", "shuffled") == 1
    refused = capsys.readouterr().err
    assert "The run shuffled is not promoted" in refused
    assert "reading, all: f1" in refused
    assert not list((home() / "adapters").glob("*.json"))

    assert _run("promote", "right") == 0
    pointer = next((home() / "adapters").glob("*.json"))
    assert "right-" in json.loads(pointer.read_text())["adapter"]
