"""Run files: what they say, and what is said of mistakes in them; mistakes of the data on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
from tokenizers import Tokenizer, models

from finetune.alone import alone
from finetune.commands.train import read_as_served
from finetune.run import RUNS, Data, RunConfig, Training, read_run
from finetune.run_folder import RunFolder
from ragvoice.cli import main
from ragvoice.errors import UsageError
from ragvoice.settings import Settings


@pytest.fixture(autouse=True)
def working(clean_environment: Path) -> Path:
    return clean_environment


def read(working: Path, text: str) -> RunConfig:
    (working / "tiny.toml").write_text(text)
    return read_run("tiny.toml")[1]


def test_a_run_file_has_a_name_a_configuration_and_its_text(working: Path) -> None:
    text = 'base = "m"\n[data]\nwritten = true\nsizes = [2]\n[[data.sets]]\nfolder = "a/b"\n'
    (working / "tiny.toml").write_text("\ufeff" + text)
    name, config, same = read_run(str(working / "tiny.toml"))
    assert (name, same) == ("tiny", text)
    assert (config.base, config.data.written, config.data.sizes) == ("m", True, (2,))
    assert [chosen.folder for chosen in config.data.sets] == [Path("a/b")]
    assert config.training == Training()
    assert read(working, "") == RunConfig()


@pytest.mark.parametrize("file", sorted(RUNS.glob("*.toml")), ids=lambda file: file.stem)
def test_every_run_that_comes_along_is_valid(file: Path) -> None:
    assert read_run(file.stem)[2] == file.read_text()


def test_paths_are_read_from_the_environment(working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETS", "/sets")
    monkeypatch.setenv("EMPTY", "")
    text = (
        '[data]\nindex = "${SETS}/x"\nfailures = ["${NONE:-here}/r.json", "${EMPTY:-there}/${SETS:-no}", "~/r.json"]\n'
    )
    data = read(working, text).data
    assert data.index == Path("/sets/x")
    assert data.failures == (Path("here/r.json"), Path("there//sets"), Path.home() / "r.json")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[data]\ntwins = 0.5\n[training\n", r"tiny\.toml is not valid TOML: .*line 3"),
        ("[data]\ntwnis = 0.5\n", r"tiny\.toml: there is no setting data\.twnis; the nearest is twins\."),
        ("[dat]\ntwins = 0.5\n", r"there is no setting dat; the nearest is data\."),
        ("xyz = 1\n", r"there is no setting xyz\."),
        ("[data]\ntwins = 1.5\n", r"data\.twins cannot be 1\.5: Input should be less than or equal to 1\."),
        ('[data]\nwritten = "perhaps"\n', r"data\.written cannot be 'perhaps'"),
        ("[data]\nsizes = []\n", r"data\.sizes cannot be \[\]"),
        ("[data]\nsizes = [1, 3, 1]\n", r"data\.sizes cannot be \[1, 3, 1\]: a number stands there twice\."),
        ('[[data.sets]]\nquestions = "q.jsonl"\n', r"data\.sets\.0\.folder is missing\."),
        ('[[data.sets]]\nfolder = "${NOT_SET}/x"\n', r"NOT_SET\}/x.*the environment variable NOT_SET is not set\."),
        ('[[data.sets]]\nfolder = "~nobody-at-all/x"\n', r"~nobody-at-all is nobody's home\."),
    ],
)
def test_a_mistake_is_named(working: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as raised:
        read(working, text)
    assert "Value error" not in str(raised.value)
    assert ".." not in str(raised.value)


def test_a_run_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"nosuch is no run: there is no file nosuch\.toml\. .*answers"):
        read_run("nosuch")


def test_a_run_that_was_begun_with_a_file_goes_on_by_its_name(working: Path) -> None:
    folder = RunFolder.named("handbook")
    with pytest.raises(UsageError, match="handbook is no run"):
        read_run("handbook")
    folder.path.mkdir(parents=True)
    with pytest.raises(UsageError, match="handbook is no run"):
        read_run("handbook")
    folder.run_file.write_text("seed = 7\n")
    name, config, _ = read_run("handbook")
    assert (name, config.seed) == ("handbook", 7)
    RunFolder.named("tiny").path.mkdir()
    RunFolder.named("tiny").run_file.write_text("seed = 7\n")
    assert read_run("tiny")[1].seed == 1  # the file that comes with the package


def test_shares_leave_something_to_train_on() -> None:
    assert Data.model_fields["validation"].default + Data.model_fields["test"].default < 0.5


# The command


@pytest.fixture
def model(working: Path) -> Path:
    """A tokenizer with a template: the data needs no more of a model."""
    folder = working / "model"
    folder.mkdir()
    Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>")).save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ messages }}", "eos_token": "</s>"}))
    (folder / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    (folder / "model.safetensors").write_bytes(b"")
    return folder


QUESTION = {"id": "1", "question": "How many?", "answers": ["25"], "gold_ids": ["a.md"], "answerable": True}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "The run names no source of questions"),
        ('sets = [{folder = "gone"}]', "gone is not a dataset: it is not a folder"),
        ('sets = [{folder = "bare"}]', "bare is not a dataset: it has no questions.jsonl"),
        ('sets = [{folder = "set", questions = "more.jsonl"}]', "set is not a dataset: it has no more.jsonl"),
        ('sets = [{folder = "${SETS}/set"}]', "the environment variable SETS is not set"),
        ('sets = [{folder = "set"}]', "set holds questions but no documents, and there is no index in"),
        ('sets = [{folder = "set", index = "idx"}]', "there is no index in idx"),
        ('sets = [{folder = "empty"}]', "holds no question"),
        ('sets = [{folder = "full", sentences = "sentense"}]', "has a field 'sentense'"),
        ('sets = [{foldr = "set"}]', "data.sets.0.folder is missing"),
        ("written = true", "no index in"),
        ('written = true\nindex = "idx"', "no index in"),
        ('failures = ["gone.json"]\nindex = "idx"', "no index in"),
    ],
)
def test_wrong_data_is_said_at_once(
    working: Path, model: Path, data: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (working / "bare").mkdir()
    for name, text in (("set", json.dumps(QUESTION)), ("empty", "\n"), ("full", json.dumps(QUESTION))):
        (working / name).mkdir()
        (working / name / "questions.jsonl").write_text(text)
    (working / "full" / "a.md").write_text("# Leave\n\nIt is 25 days.\n")
    (working / "tiny.toml").write_text(f'base = "{model}"\n[data]\n{data}\n')
    assert main(["finetune", "data", "tiny.toml"]) in (1, 2)
    shown = capsys.readouterr()
    assert said.lower() in shown.err.lower()
    assert shown.err.count("\n") == 1
    assert "Traceback" not in shown.err
    assert not RunFolder.named("tiny").path.exists()


def test_a_model_that_is_not_there_is_said(working: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (working / "tiny.toml").write_text('base = "smollm2-135m-instruct"\n')
    assert main(["finetune", "data", "tiny.toml"]) == 1
    assert "smollm2-135m-instruct" in capsys.readouterr().err


@pytest.mark.parametrize("trained", ["checkpoints", "adapter"])
def test_data_that_was_trained_on_is_kept_unless_asked_for(
    working: Path, model: Path, trained: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with --fresh until the new data is there."""
    folder = RunFolder.named("tiny")
    (folder.path / trained).mkdir(parents=True)
    (folder.path / trained / "x").write_text("x")
    folder.run_file.write_text("old")
    (working / "tiny.toml").write_text(f'base = "{model}"\n[data]\nsets = [{{folder = "gone"}}]\n')
    assert main(["finetune", "data", "tiny.toml"]) == 2
    assert "add --fresh" in capsys.readouterr().err
    assert main(["finetune", "data", "tiny.toml", "--fresh"]) == 2
    assert "gone is not a dataset" in capsys.readouterr().err
    assert (folder.path / trained / "x").is_file()
    assert folder.run_file.read_text() == "old"


def test_data_is_not_made_while_another_process_makes_it_or_trains_on_it(
    working: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (working / "tiny.toml").write_text(f'base = "{model}"\n[data]\nwritten = true\n')
    with alone(RunFolder.named("tiny").path):
        assert main(["finetune", "data", "tiny.toml", "--fresh"]) == 2
    assert "is being trained, or its data made, by another process" in capsys.readouterr().err
    assert not RunFolder.named("tiny").path.exists()


def test_new_data_takes_the_place_of_all_that_rests_on_the_old(
    working: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from collections import Counter

    from finetune.data.job import Made

    folder = RunFolder.named("tiny")
    for name in ("checkpoints", "adapter", "teacher", "data", "data.new"):
        (folder.path / name).mkdir(parents=True)
    folder.metrics.write_text("{}")
    text = f'base = "{model}"\n'
    (working / "tiny.toml").write_text(text)

    def make(*arguments: object) -> Made:
        assert folder.metrics.is_file()
        arguments[-1]()  # type: ignore[operator]
        assert sorted(entry.name for entry in folder.path.iterdir()) == ["data", "data.new", "run.toml", "teacher"]
        return Made({"train": []}, Counter(), "d1", folder.data / "card.md")

    monkeypatch.setattr("finetune.data.job.make_data", make)
    assert main(["finetune", "data", "tiny.toml", "--fresh"]) == 0
    assert folder.run_file.read_text() == text
    assert "train: 0 examples, 0 of them refusals" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("runtime", "served_apart", "said", "apart"),
    [
        ("torch", True, None, True),
        ("torch", False, None, False),
        ("ctranslate2", True, None, False),
        ("openai", True, True, True),
        ("torch", True, False, False),
    ],
)
def test_passages_are_read_as_they_are_served_unless_the_run_says_otherwise(
    runtime: Literal["torch", "ctranslate2", "openai"], served_apart: bool, said: bool | None, apart: bool
) -> None:
    served = Settings(llm_runtime=runtime, passages_apart=served_apart)
    assert read_as_served(Training(passages_apart=said), served).passages_apart is apart
