"""What produced the figures: code, settings, models, prompt, index. No secrets, no names of folders of this machine."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import ragvoice
from ragvoice.build import build_store
from ragvoice.build_adapter import confidence_file, resolve_adapter
from ragvoice.errors import RagVoiceError
from ragvoice.generation.prompts import prompt_fingerprint
from ragvoice.retrieval.generations import Manifest
from ragvoice.settings import Settings

_PACKAGE = Path(ragvoice.__file__).resolve().parent
_ANSWERING = ("voicebot.py", "sentences.py", "build.py", "build_adapter.py", "lora.py", "retrieval", "generation")
"""Modules that an answer depends on; a change in them makes earlier answers old."""
_LIBRARIES = ("ctranslate2", "faiss-cpu", "bm25s", "tokenizers", "transformers", "torch")
_FOLDER = re.compile(r"(?<![\w/:.])~?/(?:[^\s/'\"]+/)+")
_NOT_DECISIVE = frozenset(
    {
        "index",
        "document_folders",
        "evaluation_folders",
        "groups",
        "threads",
        "person",
        "turn_log",
        "turn_log_days",
        "turns",
        "kept_tokens",
        "show_drafts",
        "examples",
        "oidc_name",
        "oidc_groups",
        "oidc_owners",
        "oidc_admins",
        "oidc_sends_verified",
        "connections_per_person",
        "sign_in_hours",
    }
)
"""The generation of the index says more than its folder, each question brings its own groups, and the others change no
answer."""


def provenance(settings: Settings, roles: Sequence[str]) -> dict[str, Any]:
    """:param roles: Settings that name the models used: embedder, llm, adapter, stt, tts."""
    return {
        "version": metadata.version("ragvoice"),
        "commit": commit(),
        "platform": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "cpus": len(os.sched_getaffinity(0)),
            "python": platform.python_version(),
            "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        },
        "settings": described(settings),
        "models": models(settings, roles),
        "prompt_sha256": prompt_fingerprint(),
        "answering_code_sha256": code_hash(),
    }


def fingerprint(settings: Settings, roles: Sequence[str], manifest: Manifest) -> str:
    """SHA-256 over everything that decides an answer; two runs with the same one may share answers."""
    fitted = confidence_file(settings, resolve_adapter(settings))
    digest = hashlib.sha256(fitted.read_bytes()).hexdigest() if fitted else ""
    parts = [
        described(settings),
        models(settings, roles),
        prompt_fingerprint(),
        code_hash(),
        manifest.generation,
        digest,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def index_of(manifest: Manifest) -> dict[str, Any]:
    return {
        "generation": manifest.generation,
        "published": manifest.published,
        "documents": manifest.documents,
        "chunks": manifest.chunks,
    }


def commit() -> dict[str, Any] | None:
    """`{"sha": ..., "dirty": ...}` of the checkout that this package stands in; None when it stands in none."""
    try:
        top = _git("rev-parse", "--show-toplevel")
        if Path(top) != _PACKAGE.parent:
            return None
        changed = _git("status", "--porcelain", "--untracked-files=no")
        return {"sha": _git("rev-parse", "HEAD"), "dirty": bool(changed)}
    except (OSError, subprocess.SubprocessError):
        return None


def described(settings: Settings) -> dict[str, Any]:
    """Settings as JSON: folders by their last name, addresses without user, password and query."""
    values = settings.model_dump(mode="json", exclude=set(_NOT_DECISIVE))
    return {name: _public(value) if isinstance(value, str) else value for name, value in values.items()}


def models(settings: Settings, roles: Sequence[str]) -> dict[str, dict[str, str | None]]:
    """Role -> name and SHA-256 fingerprint; None for a model that a server holds, or that is not here."""
    found: dict[str, dict[str, str | None]] = {}
    store = build_store()
    for role in roles:
        if role == "adapter":
            found |= _adapter(settings)
            continue
        name = getattr(settings, role)
        if name is None:
            continue
        served = role == "llm" and settings.llm_runtime == "openai"
        try:
            digest = None if served else store.fingerprint(name)
        except RagVoiceError:
            digest = None
        found[role] = {"name": _public(name), "sha256": digest}
    return found


def _adapter(settings: Settings) -> dict[str, dict[str, str | None]]:
    try:
        adapter = resolve_adapter(settings)
    except RagVoiceError:
        return {"adapter": {"name": _public(settings.adapter), "sha256": None}}
    return {"adapter": {"name": adapter.label, "sha256": adapter.fingerprint or None}} if adapter else {}


def code_hash(parts: Sequence[str] = _ANSWERING) -> str:
    """SHA-256 of the modules and data files that an answer depends on.

    :param parts: Modules and packages of ragvoice.
    """
    files = [file for name in parts for file in _files(_PACKAGE / name)]
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def without_folders(text: str) -> str:
    """A message for a report: of each absolute path only the last name."""
    return _FOLDER.sub("", text)


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in (".py", ".json", ".toml"))


def _public(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme and parts.netloc:
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path, "", ""))
    return Path(value).name if value.startswith(("/", "~", ".")) else value


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_PACKAGE), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=10).stdout.strip()
