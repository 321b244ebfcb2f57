"""Conversions, made once and kept under `<root>/converted/<slug>/<format>`; `<slug>+<adapter>` with an adapter merged.

The work is done in a child process: torch is imported there, and its memory goes back to the system at the end, so
that a process which answers questions never holds a whole model in float32.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from ragvoice.errors import ModelError
from ragvoice.files import write_json
from ragvoice.models.checksums import file_sha256, fingerprint, visible_files
from ragvoice.models.layout import Layout, layout_of
from ragvoice.models.publishing import publish

RECORD = "conversion.json"
RECIPE = 1
"""Raised when the converters' output changes: older conversions are then made again."""

QUANTISATIONS = ("int8", "int8_float16", "int8_bfloat16", "int8_float32", "int16", "float16", "bfloat16", "float32")
FORMATS = (
    "transformers",
    "openai-whisper",
    "torch-int8",
    *(f"ctranslate2-{quantisation}" for quantisation in QUANTISATIONS),
)

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


@dataclass(frozen=True)
class Source:
    """What is converted: a model, or one with an adapter that is merged into it."""

    slug: str
    """A name that is safe as a folder's name."""
    folder: Path
    """Of the model, without the adapter."""
    fingerprint: str
    adapter: Path | None = None
    base: Source | None = None
    """The model alone, where there is an adapter."""

    def with_adapter(self, folder: Path, slug: str, adapter_fingerprint: str) -> Source:
        both = fingerprint([("base", self.fingerprint), ("adapter", adapter_fingerprint)])
        return Source(f"{self.slug}+{slug}", self.folder, both, folder, self)


def convert_once(root: Path, source: Source, target_format: str) -> Path:
    """Folder of a conversion of `source`; made now if it is missing, or was made from other bytes.

    Raises:
        ModelError: the format is not known or does not fit the model, or the conversion failed.
    """
    _check_format(target_format)
    if _is_already(source, target_format):
        return source.folder
    target = root / "converted" / source.slug / target_format
    if is_current(target, source.fingerprint):
        return target
    with _locked(root, source, target_format):
        if not is_current(target, source.fingerprint):
            with _made(root, source, target_format) as made:
                publish(made, target)
    return target


def convert_into(root: Path, source: Source, target_format: str, target: Path) -> None:
    """Write a conversion into a folder of the caller's, which is empty or not there; nothing of it stays in the store.

    Raises:
        ModelError: as `convert_once`.
    """
    _check_format(target_format)
    ready = root / "converted" / source.slug / target_format
    if _is_already(source, target_format):
        shutil.copytree(source.folder, target, dirs_exist_ok=True)
        return
    with _locked(root, source, target_format):
        if is_current(ready, source.fingerprint):
            shutil.copytree(ready, target, ignore=shutil.ignore_patterns(RECORD), dirs_exist_ok=True)
            return
        with _made(root, source, target_format) as made:
            shutil.copytree(made, target, ignore=shutil.ignore_patterns(RECORD), dirs_exist_ok=True)


def _locked(root: Path, source: Source, target_format: str) -> FileLock:
    """Held by one conversion of a kind at a time: it removes what others of its kind have left."""
    locks = root / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    return FileLock(locks / f"{source.slug}-{target_format}.lock")


def is_current(target: Path, fingerprint: str) -> bool:
    """Whether the conversion is there, made from these bytes by this recipe."""
    record = _record(target)
    return record.get("fingerprint") == fingerprint and record.get("recipe") == RECIPE


def recorded_hashes(target: Path) -> dict[str, str]:
    """SHA-256 of each file of a conversion at the time it was made, by relative path."""
    files = _record(target).get("files", {})
    return {str(path): str(sha256) for path, sha256 in files.items()}


def forget_damaged(root: Path, slug: str) -> None:
    """Conversions of a model that are not as they were made: each is made anew when it is asked for next."""
    for target in (root / "converted" / slug).glob("*"):
        if any(not _is_file_of(target / path, sha256) for path, sha256 in recorded_hashes(target).items()):
            (target / RECORD).unlink(missing_ok=True)


def _is_file_of(file: Path, sha256: str) -> bool:
    return file.is_file() and file_sha256(file) == sha256


def merged_adapter(target: Path) -> Path | None:
    """Folder where the adapter of a conversion lay; None without one, or where it was not recorded."""
    adapter = _record(target).get("adapter")
    return Path(adapter) if adapter else None


def _record(target: Path) -> dict[str, Any]:
    """What `conversion.json` says; empty when there is none."""
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _check_format(target_format: str) -> None:
    if target_format not in FORMATS:
        raise ModelError(f"{target_format!r} is not a format. There are: {', '.join(FORMATS)}.")


def _is_already(source: Source, target_format: str) -> bool:
    if source.adapter is not None:
        return False
    layout = layout_of(source.folder)
    if layout is Layout.TRANSFORMERS:
        return target_format == "transformers"
    # One set of CTranslate2 files serves every quantisation: the runtime converts weights as it loads them.
    return layout is Layout.CTRANSLATE2 and target_format.startswith("ctranslate2-")


@contextmanager
def _made(root: Path, source: Source, target_format: str) -> Iterator[Path]:
    """A folder with the finished conversion; what of it is still there afterwards goes away."""
    work = _work_folder(root, source.slug, target_format)
    try:
        made = work / "made"
        made.mkdir()
        folder, adapter = _nearest(root, source, target_format)
        _run_child(folder, made, target_format, adapter)
        hashes = {file.relative_to(made).as_posix(): file_sha256(file) for file in visible_files(made)}
        record = {"format": target_format, "fingerprint": source.fingerprint, "recipe": RECIPE, "files": hashes}
        if source.adapter:
            record["adapter"] = str(source.adapter.resolve())
        write_json(made / RECORD, record)
        yield made
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _nearest(root: Path, source: Source, target_format: str) -> tuple[Path, Path | None]:
    """What the child begins with: folder and adapter. A transformers conversion that is there saves the way to it."""

    def ready(model: Source) -> Path | None:
        folder = root / "converted" / model.slug / "transformers"
        return folder if is_current(folder, model.fingerprint) else None

    if target_format.startswith(("ctranslate2-", "torch-")) and (whole := ready(source)):
        return whole, None
    if source.base is None:
        return source.folder, None
    return ready(source.base) or source.base.folder, source.adapter


def _work_folder(root: Path, slug: str, target_format: str) -> Path:
    """A fresh folder; what killed conversions of the same kind left behind goes away."""
    partial = root / ".partial"
    partial.mkdir(parents=True, exist_ok=True)
    prefix = f"converting-{slug}-{target_format}-"
    for left in partial.glob(f"{prefix}*"):
        shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=partial))


def _run_child(source: Path, target: Path, target_format: str, adapter: Path | None) -> None:
    """Raises ModelError with the child's own words when it fails."""
    command = [sys.executable, "-m", "ragvoice.models.convert", str(source), str(target), target_format]
    command += [str(adapter)] if adapter else []
    child = subprocess.run(
        command, env={**os.environ, **OFFLINE}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if child.returncode == 0:
        return
    if child.returncode == -signal.SIGKILL:
        reason = "the system stopped it, most likely for lack of memory; close other programs and try again."
    elif re.search(r"No space left|os error 28", child.stderr):
        reason = f"the disk of {target} became full. Free some space and try again."
    else:
        reason = child.stderr.strip().splitlines()[-1] if child.stderr.strip() else f"exit code {child.returncode}"
    raise ModelError(f"conversion of {source} to {target_format} failed: {reason}")
