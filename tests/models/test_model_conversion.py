"""Conversions: when one is made, what is kept, and that the real converters give the same numbers."""

from __future__ import annotations

import shutil
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest
from tiny_model import WEIGHTS, visible_files

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore, conversion
from ragvoice.models.gguf_to_transformers import _restore_pre_tokenizer
from ragvoice.models.layout import Layout, layout_of


class FakeChild:
    """Stands in for the child process: writes one file, counts its calls."""

    def __init__(self, error: str = "") -> None:
        self.sources: list[Path] = []
        self.adapters: list[Path | None] = []
        self.error = error

    def __call__(self, source: Path, target: Path, target_format: str, adapter: Path | None) -> None:
        self.sources.append(source)
        self.adapters.append(adapter)
        (target / "model.bin").write_text(f"{target_format} of {source.name}")
        if self.error:
            raise ModelError(self.error)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> FakeChild:
    child = FakeChild()
    monkeypatch.setattr(conversion, "_run_child", child)
    return child


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    folder = tmp_path / "gguf"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(WEIGHTS)
    return folder


def test_conversion_is_made_once(store: ModelStore, gguf: Path, child: FakeChild) -> None:
    first = store.converted(str(gguf), "ctranslate2-int8")
    assert (first / "model.bin").read_text() == "ctranslate2-int8 of gguf"
    assert store.converted(str(gguf), "ctranslate2-int8") == first
    assert len(child.sources) == 1


def test_changed_source_is_converted_again(store: ModelStore, gguf: Path, child: FakeChild) -> None:
    store.converted(str(gguf), "ctranslate2-int8")
    (gguf / "model.gguf").write_bytes(WEIGHTS + b"!")
    store.converted(str(gguf), "ctranslate2-int8")
    assert len(child.sources) == 2


def test_new_recipe_converts_again(
    store: ModelStore, gguf: Path, child: FakeChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.converted(str(gguf), "ctranslate2-int8")
    monkeypatch.setattr(conversion, "RECIPE", conversion.RECIPE + 1)
    store.converted(str(gguf), "ctranslate2-int8")
    assert len(child.sources) == 2


def test_transformers_conversion_is_reused_for_ctranslate2(store: ModelStore, gguf: Path, child: FakeChild) -> None:
    ready = store.converted(str(gguf), "transformers")
    store.converted(str(gguf), "ctranslate2-int8")
    store.converted(str(gguf), "openai-whisper")  # reads the original's format only
    assert child.sources == [gguf.resolve(), ready, gguf.resolve()]


def test_failed_conversion_leaves_nothing(store: ModelStore, gguf: Path, child: FakeChild) -> None:
    child.error = "no memory"
    with pytest.raises(ModelError, match="no memory"):
        store.converted(str(gguf), "ctranslate2-int8")
    assert [file for file in visible_files(store.root) if "fingerprints" not in file] == []
    child.error = ""
    assert store.converted(str(gguf), "ctranslate2-int8").is_dir()


def test_leftovers_of_a_killed_conversion_are_removed(store: ModelStore, gguf: Path, child: FakeChild) -> None:
    made = store.converted(str(gguf), "ctranslate2-int8")
    left = store.root / ".partial" / f"converting-{made.parent.name}-ctranslate2-int8-dead"
    left.mkdir()
    (left / "model.bin").write_bytes(WEIGHTS)
    shutil.rmtree(made)
    store.converted(str(gguf), "ctranslate2-int8")
    assert list((store.root / ".partial").iterdir()) == []


def test_two_of_a_kind_at_once_leave_each_other_alone(
    store: ModelStore, gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(name: str) -> None:
        store.write_converted(str(gguf), "ctranslate2-int8", tmp_path / name)

    second = Thread(target=write, args=("second",))

    def child(source: Path, target: Path, target_format: str, adapter: Path | None) -> None:
        (target / "model.bin").write_text("whole")
        if second.ident is None:
            second.start()
            second.join(0.3)  # it waits, so this is as long as it is given to do harm

    monkeypatch.setattr(conversion, "_run_child", child)
    write("first")
    second.join()
    assert [(tmp_path / name / "model.bin").read_text() for name in ("first", "second")] == ["whole", "whole"]


def test_model_in_the_asked_format_is_returned_as_it_is(store: ModelStore, tmp_path: Path, child: FakeChild) -> None:
    (tmp_path / "ct2").mkdir()
    (tmp_path / "ct2/model.bin").write_bytes(b"w")
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/config.json").write_text("{}")
    (tmp_path / "hf/model.safetensors").write_bytes(b"w")
    assert store.converted(str(tmp_path / "ct2"), "ctranslate2-int8") == tmp_path / "ct2"
    assert store.converted(str(tmp_path / "hf"), "transformers") == tmp_path / "hf"
    assert child.sources == []


def test_unknown_format_lists_the_known_ones(store: ModelStore, gguf: Path) -> None:
    with pytest.raises(ModelError, match="ctranslate2-int8"):
        store.converted(str(gguf), "onnx")


def test_pull_converts_before_it_publishes(home: Path, child: FakeChild) -> None:
    file = home / "catalogue.toml"
    file.write_text(file.read_text().replace('licence = "MIT"', 'licence = "MIT"\nconvert = ["ctranslate2-float32"]'))
    store = ModelStore.open(home)
    child.error = "no memory"
    with pytest.raises(ModelError, match="no memory"):
        store.pull(["tiny"])
    assert not (store.root / "tiny").exists()
    child.error = ""
    store.pull(["tiny"])
    assert [status.converted for status in store.list() if status.name == "tiny"] == [("ctranslate2-float32",)]
    (store.root / "converted/tiny/ctranslate2-float32/model.bin").write_text("changed")
    assert [result.file for result in store.verify() if result.state == "changed"] == ["ctranslate2-float32/model.bin"]


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_pull_mends_what_verify_finds_in_a_conversion(store: ModelStore, child: FakeChild, damage: str) -> None:
    store.pull(["tiny"])
    sound = store.converted("tiny", "ctranslate2-int8")
    broken = store.converted("tiny", "ctranslate2-float32") / "model.bin"
    if damage == "changed":
        broken.write_text("changed")
    else:
        broken.unlink()
    assert [result.state for result in store.verify() if result.state != "ok"] == [damage]
    store.pull(["tiny"])
    assert all(result.state == "ok" for result in store.verify())
    assert store.converted("tiny", "ctranslate2-float32") == broken.parent
    assert broken.read_text() == "ctranslate2-float32 of tiny"
    assert store.converted("tiny", "ctranslate2-int8") == sound
    assert len(child.sources) == 3  # the sound one was not made again


def test_adapter_folder_is_not_taken_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"w")
    assert layout_of(tmp_path) is Layout.ADAPTER


def test_child_says_why_it_failed(store: ModelStore, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="holds neither a GGUF, nor safetensors"):
        store.converted(str(tmp_path / "empty"), "transformers")


def test_pre_tokenizer_of_smollm_splits_digits() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    _restore_pre_tokenizer(SimpleNamespace(backend_tokenizer=backend), "smollm")
    pieces = [piece for piece, _ in backend.pre_tokenizer.pre_tokenize_str("in 2024")]
    assert pieces == ["in", "Ġ", "2", "0", "2", "4"]


@pytest.mark.slow
def test_real_conversion_of_a_safetensors_folder_keeps_the_logits(store: ModelStore, tmp_path: Path) -> None:
    import ctranslate2
    import numpy as np
    import torch
    from tokenizers import Tokenizer, models
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    vocabulary = {f"t{number}": number for number in range(64)}
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    )  # fmt: skip
    torch.manual_seed(0)
    model = LlamaForCausalLM(config).eval()
    source = tmp_path / "llama"
    model.save_pretrained(source)
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="t0", bos_token="t1", eos_token="t2").save_pretrained(
        source
    )

    folder = store.converted(str(source), "ctranslate2-float32")

    ids = list(range(3, 43))
    expected_lv = model(torch.tensor([ids])).logits[0].detach().numpy()
    storage = ctranslate2.Generator(str(folder)).forward_batch([[f"t{number}" for number in ids]])
    np.testing.assert_allclose(np.array(storage)[0], expected_lv, atol=1e-4)
    assert (folder / "hf_config.json").is_file()
    assert (folder / "tokenizer.json").is_file()
