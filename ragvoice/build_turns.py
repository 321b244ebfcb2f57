"""Settings -> the log of turns, and what of the settings a logged turn keeps."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_origin

from ragvoice.build import build_store
from ragvoice.build_adapter import confidence_file, resolve_adapter
from ragvoice.datatypes import ModelNames
from ragvoice.errors import ModelError
from ragvoice.settings import NO_ADAPTER, Settings

if TYPE_CHECKING:
    from ragvoice.turns.log import TurnLog
    from ragvoice.turns.recorder import Recorder
    from ragvoice.turns.records import Circumstances, Setting, Turn, UsedModel

_NOT_OF_THE_ANSWER = {
    "chunk_tokens", "overlap_tokens", "ocr", "recordings", "max_file_mib", "parse_timeout_s", "parse_memory_gib",
    "parse_workers", "engine", "ray_actor_cpus", "ray_actor_gpus", "ray_actors", "speed", "threads", "turn_log",
    "turn_log_days", "oidc_sends_verified", "sign_in_hours", "connections_per_person", "tts_runtime", "spoken_sources",
    "show_drafts", "kept_tokens",
}  # fmt: skip
"""Settings of the index, whose content is logged, of the voice, of the page and of the machine."""


def build_turn_log(settings: Settings) -> TurnLog:
    from ragvoice.turns.log import TurnLog

    return TurnLog(settings.turns_path, settings.turn_log_days)


def build_recorder(settings: Settings, *, keep: bool = True) -> Recorder:
    """:param keep: False logs nothing, whatever the settings say."""
    from ragvoice.turns.recorder import Recorder

    return Recorder(
        build_turn_log(settings),
        lambda: build_circumstances(settings),
        lambda generation: index_id(settings, generation),
        keep=keep and settings.turn_log,
    )


def build_circumstances(settings: Settings) -> Circumstances:
    from ragvoice.turns.circumstances import code_hash, package_version
    from ragvoice.turns.records import Circumstances, UsedModel

    named = ModelNames(settings.embedder, settings.llm, None, settings.stt, settings.tts_name)
    runtimes = {"llm": settings.llm_runtime, "tts": settings.tts_runtime}
    served = {part for part, runtime in runtimes.items() if runtime == "openai"}
    models = {
        part: _used_model(name, served=part in served) for part, name in asdict(named).items() if name is not None
    }
    adapter = resolve_adapter(settings)
    if adapter is not None:
        is_folder = adapter.folder is not None and adapter.name != settings.adapter
        models["adapter"] = UsedModel(adapter.name, adapter.fingerprint or None, is_folder)
    if (fitted := confidence_file(settings, adapter)) is not None:
        models["confidence"] = UsedModel(fitted.name, hashlib.sha256(fitted.read_bytes()).hexdigest(), True)
    return Circumstances(models, answer_settings(settings), package_version(), code_hash())


def answer_settings(settings: Settings) -> dict[str, Setting]:
    """The switches, numbers and choices that an answer depends on, and the language; no other words, which may be
    paths, addresses or passwords. A min_confidence of None is that of the fitted model."""
    return {
        name: value
        for name, field in Settings.model_fields.items()
        if name not in _NOT_OF_THE_ANSWER
        and (
            isinstance(value := getattr(settings, name), bool | int | float)
            or get_origin(field.annotation) is Literal
            or name in ("language", "min_confidence")
        )
    }


def settings_of_turn(settings: Settings, turn: Turn) -> Settings:
    """The settings of today with those of the turn, and with its language model; a model in a folder is today's."""
    then: dict[str, Setting] = {name: value for name, value in turn.settings.items() if name in Settings.model_fields}
    for part, absent in (("llm", settings.llm), ("adapter", NO_ADAPTER)):
        model = turn.models.get(part)
        if model is None or not model.is_folder:
            then[part] = model.name if model else absent
    return settings.model_copy(update=then)


def index_id(settings: Settings, generation: str) -> str:
    """Hash of a generation's files: equal for equal content, wherever it lies.

    :raises VectorIndexError: when it is not there any more.
    """
    from ragvoice.retrieval.generations import read_manifest

    files = read_manifest(settings.index_path / "generations" / generation).files
    lines = "".join(f"{digest}  {name}\n" for name, (_, digest) in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _used_model(name: str, *, served: bool) -> UsedModel:
    from ragvoice.turns.records import UsedModel

    store = build_store()
    path = Path(name).expanduser()
    is_folder = path.is_absolute() or (not served and name not in store.catalogue and path.is_dir())
    shown = path.resolve().name if is_folder else name
    try:
        return UsedModel(shown, None if served else store.fingerprint(name), is_folder)
    except ModelError:  # configured but not here: a recogniser that a typed question does not need
        return UsedModel(shown, None, is_folder)
