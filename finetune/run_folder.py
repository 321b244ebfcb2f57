"""The folder of a run, `RAGVOICE_HOME/finetune/<run name>/`: where everything of it stands, how small files are read.

run.toml             the run file as it was when its data was made, or its training last begun
provenance.json      commit, base model and its fingerprint, data hash, prompt fingerprint, versions
data/                train.jsonl, validation.jsonl, test.jsonl, passages.jsonl, card.md
checkpoints/         of the training
metrics.jsonl        one line a report of the training; loss.png
adapter/             in peft's format, with ragvoice.json; or
model/               a whole model, after full fine-tuning
confidence.json      fitted on the adapter's answers; optional
evaluation.json      what `finetune evaluate` found; evaluation.md and evaluation.png for people
promotions.jsonl     one line each time it was put in service
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragvoice.errors import UsageError
from ragvoice.settings import home

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors", "ragvoice.json")


def runs_folder() -> Path:
    return home() / "finetune"


@dataclass(frozen=True)
class RunFolder:
    path: Path

    @classmethod
    def named(cls, name: str) -> RunFolder:
        """:raises UsageError: for a name that is none, such as `../x`."""
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name of a run: letters, digits, '.', '_' and '-', no folder.")
        return cls(runs_folder() / name)

    @classmethod
    def existing(cls, name: str) -> RunFolder:
        """:param name: Or its run file.
        :raises UsageError: when there is no such run; the message names those that there are.
        """
        run = cls.named(Path(name).stem if name.endswith(".toml") else name)
        if not run.path.is_dir():
            known = ", ".join(other.name for other in all_runs()) or "none yet"
            raise UsageError(f"There is no run {name!r} in {runs_folder()}. The runs: {known}.")
        return run

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def run_file(self) -> Path:
        return self.path / "run.toml"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def test_examples(self) -> Path:
        return self.data / "test.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def metrics(self) -> Path:
        return self.path / "metrics.jsonl"

    @property
    def loss_plot(self) -> Path:
        return self.path / "loss.png"

    @property
    def confidence(self) -> Path:
        return self.path / "confidence.json"

    @property
    def evaluation(self) -> Path:
        return self.path / "evaluation.json"

    @property
    def evaluation_report(self) -> Path:
        return self.path / "evaluation.md"

    @property
    def evaluation_plot(self) -> Path:
        return self.path / "evaluation.png"

    @property
    def promotions(self) -> Path:
        return self.path / "promotions.jsonl"

    def adapter_provenance(self) -> dict[str, Any]:
        """The adapter's `ragvoice.json`: base, base_fingerprint, data, prompt, run, passages.

        :raises UsageError: when the run has no finished adapter.
        """
        self.refuse_whole_model()
        if not all((self.adapter / name).is_file() for name in _ADAPTER_FILES):
            raise UsageError(
                f"The run {self.name} has no adapter yet: {self.adapter} lacks one of {', '.join(_ADAPTER_FILES)}. "
                "Train it first: ragvoice finetune train"
            )
        return read_object(self.adapter / "ragvoice.json")

    def refuse_whole_model(self) -> None:
        """:raises UsageError: when the run made a whole model, which needs no merging and no promotion."""
        if self.model.is_dir():
            raise UsageError(
                f"The run {self.name} trained a whole model (method = 'full'), not an adapter. Name its folder as the "
                f"model: RAGVOICE_LLM={self.model} ragvoice evaluate ..."
            )

    def adapter_sha256(self) -> str:
        """Over its weights, its configuration and what it was made from.

        :raises UsageError: when the run has no finished adapter.
        """
        self.adapter_provenance()
        return adapter_sha256(self.adapter)

    def confidence_sha256(self) -> str:
        """Empty when none was fitted with the adapter."""
        return hashlib.sha256(self.confidence.read_bytes()).hexdigest() if self.confidence.is_file() else ""


def all_runs() -> list[RunFolder]:
    """By name."""
    if not runs_folder().is_dir():
        return []
    return [RunFolder(path) for path in sorted(runs_folder().iterdir()) if path.is_dir() and _NAME.fullmatch(path.name)]


def adapter_sha256(folder: Path) -> str:
    """Of an adapter in any folder; equal for equal content, a confidence.json beside it left out."""
    digest = hashlib.sha256()
    for name in _ADAPTER_FILES:
        digest.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()


def read_object(file: Path) -> dict[str, Any]:
    """:raises UsageError: when the file is not there or is no JSON object."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{file} is not a JSON object.")
    return found


def read_lines(file: Path) -> list[dict[str, Any]]:
    """JSON lines; empty when the file is not there. A last line that a kill cut off is left out.

    :raises UsageError: when another line is no JSON object.
    """
    if not file.is_file():
        return []
    lines = file.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            rows.append(dict(json.loads(line)))
        except (ValueError, TypeError) as error:
            raise UsageError(f"{file}, line {number} is not a JSON object.") from error
    return rows


def append_line(file: Path, row: Mapping[str, Any]) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
