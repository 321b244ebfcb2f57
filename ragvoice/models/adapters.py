"""An adapter on this machine: which files it is, which base model it was trained for, what comes with it.

`ragvoice.json` beside the weights is what a training run says of itself:
{"base": model reference, "base_fingerprint": ..., "data": SHA-256, "prompt": fingerprint, "run": name,
"passages": "apart" or ""}
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ragvoice
from ragvoice.errors import ModelError
from ragvoice.lora import CONFIG, WEIGHTS

PROVENANCE = "ragvoice.json"
CONFIDENCE = "confidence.json"
IDENTITY = (CONFIG, WEIGHTS)
"""Files that decide what an adapter does; only they are in its fingerprint."""
PACKAGED = Path(ragvoice.__file__).with_name("adapters")
SHOWN_DIGITS = 8
"""Of a fingerprint, in names and messages."""


@dataclass(frozen=True)
class AdapterProvenance:
    base: str
    """Reference of the model that it was trained on."""
    base_fingerprint: str
    data: str = ""
    """SHA-256 of the training data."""
    prompt: str = ""
    """Fingerprint of the prompt that the examples were written in."""
    run: str = ""
    passages: str = ""
    """`apart` when it was trained to read passages so (`ragvoice.generation.apart`)."""


@dataclass(frozen=True)
class AdapterInService:
    name: str
    """Of the run that made it, else of its folder or repository; what a server calls it."""
    folder: Path | None
    """None for one that a server holds."""
    fingerprint: str = ""
    """Of its files; empty for one that a server holds."""
    provenance: AdapterProvenance | None = None
    """None for one that was trained elsewhere."""

    @property
    def slug(self) -> str:
        """A name that is safe as a folder's name; the same for a copy of the same adapter, wherever it lies."""
        return f"{re.sub(r'[^A-Za-z0-9._-]', '_', self.name)}-{self.fingerprint[:SHOWN_DIGITS]}"

    @property
    def label(self) -> str:
        """`handbook (1a2b3c4d)`: what answers and reports call it; nothing of this machine's folders."""
        return f"{self.name} ({self.fingerprint[:SHOWN_DIGITS]})" if self.fingerprint else self.name

    @property
    def confidence(self) -> Path | None:
        """The confidence model that was fitted with it."""
        file = self.folder / CONFIDENCE if self.folder else None
        return file if file and file.is_file() else None


def read_provenance(folder: Path) -> AdapterProvenance | None:
    """:raises ModelError: when the file is there but not as a training run writes it."""
    try:
        data = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        optional = {key: str(data.get(key) or "") for key in ("data", "prompt", "run", "passages")}
        return AdapterProvenance(str(data["base"]), str(data["base_fingerprint"]), **optional)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{PROVENANCE} of the adapter {folder.name} cannot be read ({error!r}): without it nobody knows which "
            "model it was trained for. Take the adapter from its training run again."
        ) from error


def check_base(name: str, provenance: AdapterProvenance, base: str, base_fingerprint: str) -> None:
    """:raises ModelError: when the adapter was trained for another model than `base`."""
    if provenance.base_fingerprint == base_fingerprint:
        return
    digits = slice(SHOWN_DIGITS)
    raise ModelError(
        f"The adapter {name} was trained for the model {provenance.base} ({provenance.base_fingerprint[digits]}), not "
        f"for {base} ({base_fingerprint[digits]}). Set llm = {provenance.base!r}, train it again for {base}, or set "
        "adapter = 'none'."
    )


def packaged(base_fingerprint: str) -> Path | None:
    """Folder of the adapter that comes with the package for this base model."""
    for folder in _packaged_folders():
        provenance = read_provenance(folder)
        if provenance and provenance.base_fingerprint == base_fingerprint:
            return folder
    return None


def _packaged_folders() -> Iterator[Path]:
    for folder in sorted(PACKAGED.iterdir()):
        if (folder / CONFIG).is_file():
            yield folder
