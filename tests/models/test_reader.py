"""The adapter is merged as LoRA says, into the model that it was made for and into no other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ragvoice.errors import ModelError
from ragvoice.models import reader
from ragvoice.models.catalogue import Catalogue
from ragvoice.models.checksums import file_sha256


def test_merged_weights_by_hand(tmp_path: Path) -> None:
    weight = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    save_file({"layer.dense.weight": weight, "layer.dense.bias": weight[0]}, tmp_path / "base")
    a_ri = np.array([[1.0, 2.0]], dtype=np.float16)
    b_or = np.array([[3.0], [-1.0]], dtype=np.float16)
    save_file({"layer.dense.lora_A": a_ri, "layer.dense.lora_B": b_or}, tmp_path / "adapter")
    reader._merge(tmp_path / "base", tmp_path / "adapter", {"alpha": 4, "rank": 2}, tmp_path / "merged")
    merged = load_file(tmp_path / "merged")
    assert merged["layer.dense.weight"].tolist() == [[7.0, 12.0], [-2.0, -3.0]]  # 1 + 2*3*1, 2*3*2; -2*1, 1 - 2*2
    assert merged["layer.dense.weight"].dtype == np.float32
    assert merged["layer.dense.bias"].tolist() == [1.0, 0.0]


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "heads.safetensors").write_bytes(b"heads")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "model.safetensors").write_bytes(b"weights")
    card = {
        "base_sha256": file_sha256(tmp_path / "base" / "model.safetensors"),
        "files": {"heads.safetensors": file_sha256(folder / "heads.safetensors")},
    }
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_another_base_is_refused(tmp_path: Path, adapter: Path) -> None:
    (tmp_path / "base" / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ModelError, match="not trained on base"):
        reader.convert(tmp_path / "base", tmp_path / "target", adapter)


def test_a_changed_file_is_refused(tmp_path: Path, adapter: Path) -> None:
    (adapter / "heads.safetensors").write_bytes(b"other heads")
    with pytest.raises(ModelError, match="not the file that its card names"):
        reader.convert(tmp_path / "base", tmp_path / "target", adapter)


def test_the_shipped_adapter_fits_the_catalogue_and_is_small() -> None:
    card = json.loads((reader.ADAPTER / "card.json").read_text())
    base = next(entry for entry in Catalogue.load() if entry.name == card["base"])
    assert card["base_sha256"] in {file.sha256 for file in base.files}
    assert reader.FORMAT in base.convert
    assert {name: file_sha256(reader.ADAPTER / name) for name in card["files"]} == card["files"]
    assert sum(file.stat().st_size for file in reader.ADAPTER.iterdir()) < 20_000_000
