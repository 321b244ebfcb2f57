"""Which adapter a store finds, for which base it is, and that its merged conversions follow both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_model_conversion import FakeChild
from tiny_models import write_provenance

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore, adapters, conversion
from ragvoice.models.catalogue import Catalogue


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> FakeChild:
    child = FakeChild()
    monkeypatch.setattr(conversion, "_run_child", child)
    return child


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", Catalogue({}))


@pytest.fixture
def base(tmp_path: Path) -> str:
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"weights")
    return str(folder)


@pytest.fixture
def adapter(tmp_path: Path, store: ModelStore, base: str) -> Path:
    folder = tmp_path / "handbook" / "adapter"
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "adapter_model.safetensors").write_bytes(b"a")
    write_provenance(folder, base, store.fingerprint(base))
    return folder


def test_an_adapter_for_these_very_files_is_found(store: ModelStore, base: str, adapter: Path) -> None:
    found = store.adapter(str(adapter), base)
    assert (found.name, found.folder) == ("handbook", adapter)
    assert found.label == f"handbook ({found.fingerprint[:8]})"
    assert found.confidence is None
    (adapter / "confidence.json").write_text("{}")
    assert found.confidence == adapter / "confidence.json"


def test_an_adapter_for_another_base_is_refused(store: ModelStore, base: str, adapter: Path) -> None:
    (Path(base) / "model.gguf").write_bytes(b"other weights")
    with pytest.raises(
        ModelError, match=r"handbook was trained for the model .*base \(\w{8}\), not for .* train it again"
    ):
        store.adapter(str(adapter), base)
    with pytest.raises(ModelError, match="handbook was trained for"):
        store.converted(base, "ctranslate2-int8", str(adapter))


def test_a_foreign_adapter_is_allowed(store: ModelStore, base: str, adapter: Path) -> None:
    (adapter / "ragvoice.json").unlink()
    found = store.adapter(str(adapter), base)
    assert (found.name, found.provenance) == ("adapter", None)


@pytest.mark.parametrize("text", ["{", "[]", '{"base": "x"}'])
def test_damaged_provenance_is_not_taken_for_none(store: ModelStore, base: str, adapter: Path, text: str) -> None:
    (adapter / "ragvoice.json").write_text(text)
    with pytest.raises(ModelError, match="cannot be read"):
        store.adapter(str(adapter), base)


def test_a_model_is_no_adapter(store: ModelStore, base: str) -> None:
    with pytest.raises(ModelError, match="is no adapter"):
        store.adapter(base, base)


def test_only_config_and_weights_are_in_the_fingerprint(store: ModelStore, adapter: Path) -> None:
    before = store.fingerprint(str(adapter))
    (adapter / "README.md").write_text("about it")
    (adapter / "confidence.json").write_text("{}")
    assert store.fingerprint(str(adapter)) == before
    (adapter / "adapter_config.json").write_text('{"r": 8}')
    changed = store.fingerprint(str(adapter))
    assert changed != before
    (adapter / "adapter_model.safetensors").write_bytes(b"ab")
    assert store.fingerprint(str(adapter)) not in (before, changed)


def test_a_merged_conversion_is_made_once_beside_that_of_the_base(
    store: ModelStore, base: str, adapter: Path, child: FakeChild
) -> None:
    plain = store.converted(base, "ctranslate2-int8")
    merged = store.converted(base, "ctranslate2-int8", str(adapter))
    assert merged.parent.name == f"{store.slug(base)}+{store.slug(str(adapter))}"
    assert store.converted(base, "ctranslate2-int8", str(adapter)) == merged
    assert store.converted(base, "ctranslate2-int8") == plain
    assert child.adapters == [None, adapter]
    (adapter / "adapter_model.safetensors").write_bytes(b"trained further")
    store.converted(base, "ctranslate2-int8", str(adapter))
    assert child.adapters == [None, adapter, adapter]


def test_merging_begins_at_the_transformers_conversion_that_is_there(
    store: ModelStore, base: str, adapter: Path, child: FakeChild
) -> None:
    ready = store.converted(base, "transformers")
    store.converted(base, "ctranslate2-int8", str(adapter))
    merged = store.converted(base, "transformers", str(adapter))
    store.converted(base, "ctranslate2-float32", str(adapter))
    assert child.sources == [Path(base), ready, ready, merged]
    assert child.adapters == [None, adapter, adapter, None]


def test_a_transformers_folder_with_an_adapter_is_not_returned_as_it_is(
    store: ModelStore, tmp_path: Path, adapter: Path, child: FakeChild
) -> None:
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/config.json").write_text("{}")
    (tmp_path / "hf/model.safetensors").write_bytes(b"w")
    (adapter / "ragvoice.json").unlink()
    assert store.converted(str(tmp_path / "hf"), "transformers", str(adapter)) != tmp_path / "hf"
    assert child.adapters == [adapter]


def test_an_export_leaves_nothing_in_the_store(
    store: ModelStore, base: str, adapter: Path, child: FakeChild, tmp_path: Path
) -> None:
    store.write_converted(base, "ctranslate2-int8", tmp_path / "out", str(adapter))
    assert (tmp_path / "out/model.bin").read_text() == "ctranslate2-int8 of base"
    assert not (store.root / "converted").exists()
    assert list((store.root / ".partial").iterdir()) == []
    store.converted(base, "ctranslate2-int8", str(adapter))
    store.write_converted(base, "ctranslate2-int8", tmp_path / "again", str(adapter))
    assert (tmp_path / "again/model.bin").is_file()
    assert len(child.sources) == 2  # the second export is a copy


def test_the_packaged_adapter_is_that_of_the_base(
    store: ModelStore, base: str, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapters, "PACKAGED", adapter.parent)
    assert adapters.packaged(store.fingerprint(base)) == adapter
    assert adapters.packaged("another") is None


def test_every_packaged_adapter_says_its_base() -> None:
    for folder in adapters._packaged_folders():
        provenance = adapters.read_provenance(folder)
        assert provenance is not None
        assert provenance.base in Catalogue.load()
        assert json.loads((folder / "adapter_config.json").read_text())["peft_type"] == "LORA"
