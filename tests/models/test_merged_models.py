"""Merged models: what each is needed for, and that only those are removed which nothing needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import write_provenance

from ragvoice.cli import main
from ragvoice.errors import ModelError
from ragvoice.models import ModelStore, conversion
from ragvoice.models.merged import merged_models
from ragvoice.models.promoted import PromotedAdapters


def _made(source: Path, target: Path, target_format: str, adapter: Path | None) -> None:
    """In place of the child process: the size of a merged model, in MB."""
    (target / "model.bin").write_bytes(b"0" * 2_000_000)


@pytest.fixture
def home(clean_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(conversion, "_run_child", _made)
    return clean_environment.parent / "home"


@pytest.fixture
def store(home: Path) -> ModelStore:
    return ModelStore.open(home)


@pytest.fixture
def base(clean_environment: Path) -> str:
    (clean_environment / "base").mkdir()
    (clean_environment / "base" / "model.gguf").write_bytes(b"weights")
    return str(clean_environment / "base")


def trained(store: ModelStore, base: str, folder: Path, weights: str) -> Path:
    """An adapter, and the base with it merged; one that lies there is trained again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_text(weights)
    write_provenance(folder, base, store.fingerprint(base), run=folder.name)
    store.converted(base, "ctranslate2-int8", str(folder))
    return folder


def promoted(home: Path, store: ModelStore, base: str, weights: str) -> Path:
    """As `finetune promote` does it: a copy below RAGVOICE_HOME/adapters."""
    folder = trained(store, base, home / "adapters" / f"run-{weights}", weights)
    PromotedAdapters(home, store.slug(base)).promote(folder, {})
    return folder


def needs(home: Path, store: ModelStore) -> dict[str, str]:
    """Name of the adapter, without its digest -> what its merged model is needed for."""
    return {one.name.rpartition("+")[2].rpartition("-")[0]: one.needed for one in merged_models(home, store)}


def test_the_promoted_one_and_the_one_before_it_are_needed_and_earlier_ones_are_not(
    home: Path, store: ModelStore, base: str
) -> None:
    for weights in ("a", "b", "c", "d"):
        promoted(home, store, base, weights)
    expected = {"run-a": "", "run-b": "", "run-c": "for --rollback", "run-d": "in service"}
    assert needs(home, store) == expected
    PromotedAdapters(home, store.slug(base)).rollback()
    assert needs(home, store) == {**expected, "run-b": "for --rollback", "run-c": "in service", "run-d": ""}


def test_an_adapter_that_lies_where_it_was_merged_from_needs_its_model_until_it_is_trained_again(
    home: Path, store: ModelStore, base: str
) -> None:
    run = trained(store, base, home / "finetune" / "run", "a")
    trained(store, base, home.parent / "elsewhere", "b")
    assert needs(home, store) == {"run": "its adapter is there", "elsewhere": "its adapter is there"}
    (run / "adapter_model.safetensors").write_text("trained again")
    assert needs(home, store) == {"run": "", "elsewhere": "its adapter is there"}


def test_a_run_that_is_trained_again_leaves_the_merged_model_of_its_promoted_copy(
    home: Path, store: ModelStore, base: str
) -> None:
    run = trained(store, base, home / "finetune" / "run", "a")
    copy = home / "adapters" / "run-copy"
    copy.parent.mkdir()
    copy.mkdir()
    for file in run.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    PromotedAdapters(home, store.slug(base)).promote(copy, {})
    (run / "adapter_model.safetensors").write_text("trained again")
    assert needs(home, store) == {"run": "in service"}


def test_prune_removes_what_nothing_needs_and_says_so(
    home: Path, store: ModelStore, base: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for weights in ("a", "b", "c"):
        promoted(home, store, base, weights)
    plain = store.converted(base, "ctranslate2-int8")
    listed = [one.name for one in merged_models(home, store)]
    assert main(["models", "list"]) == 0
    shown = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split()[0] for line in shown] == listed
    assert shown[0].endswith("2 MB  not needed; ragvoice models prune")
    assert shown[2].endswith("2 MB  in service")
    assert main(["models", "prune"]) == 0
    assert capsys.readouterr().out == f"removed {listed[0]}, 2 MB\n"
    assert [one.name for one in merged_models(home, store)] == listed[1:]
    assert (plain / "model.bin").is_file()
    assert list((store.root / ".partial").iterdir()) == []
    assert main(["models", "prune"]) == 0
    assert capsys.readouterr().out == "Nothing to remove: every merged model is needed.\n"


def test_nothing_is_removed_while_it_cannot_be_read_what_serves(home: Path, store: ModelStore, base: str) -> None:
    promoted(home, store, base, "a")
    PromotedAdapters(home, store.slug(base)).pointer.write_text("{")
    with pytest.raises(ModelError, match="is damaged"):
        merged_models(home, store)
    assert main(["models", "prune"]) == 1
    assert len(list((store.root / "converted").glob("*+*"))) == 1
