"""MiniLM + the reader's adapter -> the reader on CTranslate2. Runs in the conversion's child process."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ragvoice.errors import ModelError
from ragvoice.models import to_ctranslate2
from ragvoice.models.checksums import file_sha256

ADAPTER = Path(__file__).parent / "reader"
"""`adapter.safetensors`, `heads.safetensors` and `card.json`, written by `python -m finetune.cross_encoder`."""

FORMAT = "reader-1"
"""Another number for another adapter: the old conversion is then made anew."""


def convert(source: Path, target: Path, adapter: Path = ADAPTER) -> None:
    """Merge the adapter into the transformers folder `source` and write it for CTranslate2 into the empty `target`.

    :raises ModelError: when `source` is not the model that the adapter was trained on, or a file was changed.
    """
    card = json.loads((adapter / "card.json").read_text(encoding="utf-8"))
    base = file_sha256(source / "model.safetensors")
    if base != card["base_sha256"]:
        raise ModelError(f"the reader's adapter was not trained on {source.name} (SHA-256 {base[:8]}).")
    for name, sha256 in card["files"].items():
        if file_sha256(adapter / name) != sha256:
            raise ModelError(f"{adapter / name} is not the file that its card names. Install ragvoice again.")
    with tempfile.TemporaryDirectory(prefix="merged-", dir=target.parent) as between:
        merged = Path(between)
        for file in source.iterdir():
            if file.is_file() and file.name != "model.safetensors":
                shutil.copyfile(file, merged / file.name)
        _merge(source / "model.safetensors", adapter / "adapter.safetensors", card, merged / "model.safetensors")
        to_ctranslate2.convert(merged, target, "int8")
    for name in ("heads.safetensors", "card.json"):
        shutil.copyfile(adapter / name, target / name)


def _merge(base: Path, adapter: Path, card: dict[str, Any], target: Path) -> None:
    """W + alpha / r * B A for every pair of matrices (Hu et al. 2022, arXiv 2106.09685)."""
    from safetensors.numpy import load_file, save_file

    weights, deltas = load_file(base), load_file(adapter)
    names = {name.removesuffix(".lora_A") for name in deltas if name.endswith(".lora_A")}
    for name in names:
        a_ri, b_or = deltas[f"{name}.lora_A"].astype("float32"), deltas[f"{name}.lora_B"].astype("float32")
        weights[f"{name}.weight"] = weights[f"{name}.weight"] + (card["alpha"] / card["rank"]) * (b_or @ a_ri)
    save_file(weights, target, metadata={"format": "pt"})
