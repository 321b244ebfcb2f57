"""A folder that somebody else can serve: model, tokenizer, chat template, generation config, licence, model card."""

from __future__ import annotations

import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Literal

from finetune.proof.parity import Parity
from finetune.serving.card import model_card
from finetune.serving.gguf_files import GgufPrecision, write_adapter, write_model
from finetune.serving.trained import Trained
from ragvoice.build import build_store
from ragvoice.errors import UsageError
from ragvoice.lora import CONFIG, WEIGHTS
from ragvoice.models.adapters import CONFIDENCE, PROVENANCE

ExportFormat = Literal["ctranslate2-int8", "gguf", "gguf-adapter", "safetensors", "adapter"]
_BESIDE = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
           "generation_config.json")  # fmt: skip
"""What a GGUF or an adapter has inside or takes from its base, as files for other programs."""
_ADAPTER_FILES = (CONFIG, WEIGHTS, PROVENANCE, CONFIDENCE)


def export(
    trained: Trained, out: Path, target: ExportFormat, precision: GgufPrecision = "q8_0", parity: Parity | None = None
) -> Path:
    """Write the folder; it is there whole or not at all. Returns the file or folder to be named to a server.

    :param out: Not there yet, or empty.
    :param precision: Of the matrices of a merged GGUF.
    :param parity: What the served model's answers were compared with, for the model card.
    :raises UsageError: when there is something in `out` already.
    :raises ModelError: when the adapter cannot be merged, or cannot be said in this format.
    """
    out = out.expanduser().absolute()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is not empty. Name a folder that is not there yet.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        made = Path(beside) / "made"
        made.mkdir()
        main = _written(trained, made, Path(beside), target, precision)
        licence = _write_licence(trained.base, made)
        (made / "README.md").write_text(model_card(trained, target, main, licence, parity), encoding="utf-8")
        if out.exists():
            out.rmdir()
        made.rename(out)
    return out / main if main else out


def _written(trained: Trained, made: Path, work: Path, target: ExportFormat, precision: GgufPrecision) -> str:
    """Returns the name of the file in `made` that a server is given; empty for the folder."""
    store, adapter = build_store(), str(trained.folder)
    name = f"{trained.adapter.name} on {trained.base}"
    if target == "ctranslate2-int8":
        store.write_converted(trained.base, target, made, adapter)
        _copy(trained.folder, made, (CONFIDENCE,))
        return ""
    if target in ("safetensors", "gguf"):
        merged = made if target == "safetensors" else work / "merged"
        store.write_converted(trained.base, "transformers", merged, adapter)
        if target == "safetensors":
            return ""
        _copy(merged, made, _BESIDE)
        write_model(merged, made / "model.gguf", name, precision)
        return "model.gguf"
    base = store.converted(trained.base, "transformers")
    _copy(base, made, _BESIDE)
    if target == "gguf-adapter":
        write_adapter(trained.folder, base, made / "adapter.gguf", name)
        return "adapter.gguf"
    _copy(trained.folder, made, _ADAPTER_FILES)
    return ""


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _write_licence(base: str, made: Path) -> str:
    """LICENSE of the base in the folder, and its short name; both are empty where the base does not say it."""
    store = build_store()
    own = sorted(file for file in store.path(base).glob("LICEN[CS]E*") if file.is_file())
    if own:
        shutil.copyfile(own[0], made / "LICENSE")
    if base not in store.catalogue:
        return "other" if own else ""
    entry = store.catalogue.get(base)
    if not own:
        (made / "LICENSE").write_text(_licence_text(entry.licence, entry.upstream), encoding="utf-8")
    return entry.licence.lower()


def _licence_text(licence: str, upstream: str) -> str:
    about = f"The base model ({upstream}) is under the licence {licence}"
    # A source tree on the path counts as a distribution, too, and has no copy of the text.
    for package in metadata.distributions(name="ragvoice"):
        if package.metadata["License-Expression"] == licence and (text := package.read_text("licenses/LICENSE")):
            return f"{about}:\n\n{text}"
    return f"{about}: https://spdx.org/licenses/{licence}.html\n"
