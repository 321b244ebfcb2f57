"""Recordings and their words: `manifest.jsonl`, one JSON object a clip.

    {"file": "clips/3f2a-clean.wav", "text": "How long is leave?", "split": "train", "snr_db": null,
     "voice": "piper-en-us-joe-medium", "question": "hr/12", "documents": ["handbook.pdf"]}

`file` is relative to the manifest; file, text and split are required, so that recordings of people can be used too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ragvoice.errors import UsageError
from ragvoice.files import write_whole

MANIFEST = "manifest.jsonl"
Split = Literal["train", "test"]


@dataclass(frozen=True)
class Clip:
    file: str
    text: str
    """As it is written, and as the recogniser should write it."""
    split: Split
    snr_db: float | None = None
    """Strength of the speech over the noise; None without noise."""
    voice: str = ""
    question: str = ""
    """Id; clips of the same question are the same words."""
    documents: tuple[str, ...] = ()
    """On which the question rests; those of one split are in no other."""


def write_manifest(folder: Path, clips: Sequence[Clip]) -> Path:
    """Whole or not at all."""
    file = folder / MANIFEST
    write_whole(file, "".join(json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in clips))
    return file


def read_manifest(path: Path) -> list[Clip]:
    """:param path: The file, or the folder that it lies in; the clips' files get absolute.
    :raises UsageError: when it is none, a recording is missing, or one of the two splits is empty.
    """
    file = path / MANIFEST if path.is_dir() else path
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} cannot be read: {error}. Make one with: ragvoice finetune audio SETS --out FOLDER"
        ) from error
    clips = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            clips.append(_clip(json.loads(line), file.parent))
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{file.name}, line {number} is no clip: {error!r}") from error
    for split in get_args(Split):
        if not any(clip.split == split for clip in clips):
            raise UsageError(f"{file.name} has no clip of the split {split!r}; training and proof need one each.")
    return clips


def _clip(row: dict[str, Any], folder: Path) -> Clip:
    """:raises ValueError: for another split, no words, or no such recording."""
    recording = (folder / str(row["file"])).resolve()
    if not recording.is_file():
        raise ValueError(f"there is no recording {row['file']}")
    if row["split"] not in get_args(Split):
        raise ValueError(f"split is train or test, not {row['split']!r}")
    if not str(row["text"]).strip():
        raise ValueError("text is empty")
    snr_db = row.get("snr_db")
    return Clip(
        str(recording),
        str(row["text"]).strip(),
        row["split"],
        None if snr_db is None else float(snr_db),
        str(row.get("voice", "")),
        str(row.get("question") or row["text"]),
        tuple(row.get("documents") or ()),
    )
