"""What of the settings a logged turn keeps, and what a replay takes from it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from sample_turns import sample_turn

from ragvoice.build_turns import answer_settings, build_circumstances, index_id, settings_of_turn
from ragvoice.retrieval.generations import EmbedderIdentity, Manifest
from ragvoice.settings import Settings
from ragvoice.turns.records import UsedModel


def test_no_path_address_or_password_is_kept(settings: Settings, tmp_path: Path) -> None:
    handbook = tmp_path / "secret-place" / "handbook"
    handbook.mkdir(parents=True)
    (handbook / "adapter_config.json").write_text("{}")
    private = settings.model_copy(
        update={
            "index": tmp_path / "secret-place",
            "vector_store": "postgresql://user:password@host/db",
            "llm_url": "http://host.internal/v1",
            "llm_runtime": "openai",
            "llm": "/secret-place/qwen",
            "person": "zora",
        }
    )
    with_adapter = settings.model_copy(update={"adapter": str(handbook)})
    kept, kept_with_adapter = build_circumstances(private), build_circumstances(with_adapter)
    assert not [
        word for word in ("secret", "password", "host", "zora") if word in repr(kept) or word in repr(kept_with_adapter)
    ]
    assert kept.models["llm"] == UsedModel("qwen", None, True)
    assert "adapter" not in kept.models
    adapter = kept_with_adapter.models["adapter"]
    assert (adapter.name, adapter.is_folder) == ("handbook", True)
    assert adapter.fingerprint
    assert kept.models["embedder"] == UsedModel(
        settings.embedder, build_circumstances(settings).models["embedder"].fingerprint
    )


def test_switches_numbers_and_choices_of_the_answer_are_kept(settings: Settings) -> None:
    kept = answer_settings(settings)
    assert kept.items() >= {
        "relative_score": 0.85, "prompt_passages": 3, "llm_runtime": settings.llm_runtime, "language": "en"
    }.items()  # fmt: skip
    assert not kept.keys() & {"threads", "turn_log", "ocr", "llm", "index", "person", "groups"}


def test_a_recogniser_that_is_not_there_is_no_obstacle(settings: Settings) -> None:
    found = build_circumstances(settings.model_copy(update={"stt": "nobody/nothing"})).models["stt"]
    assert found == UsedModel("nobody/nothing", None)


def test_a_replay_takes_settings_and_language_model_from_the_turn(settings: Settings) -> None:
    turn = replace(
        sample_turn(),
        settings={**answer_settings(settings), "min_confidence": 0.9, "gone_since": 1},
        models={"llm": UsedModel("smollm2-135m-instruct", "x"), "embedder": UsedModel("other", "y")},
    )
    today = settings.model_copy(update={"adapter": "org/adapter", "prompt_passages": 9})
    then = settings_of_turn(today, turn)
    assert (then.min_confidence, then.prompt_passages, then.llm, then.adapter) == (
        0.9,
        3,
        "smollm2-135m-instruct",
        "none",
    )
    assert then.embedder == settings.embedder
    in_folder = replace(turn, models={"llm": UsedModel("mine", "x", True), "adapter": UsedModel("run", "y", True)})
    assert settings_of_turn(today, in_folder).llm == today.llm
    assert settings_of_turn(today, in_folder).adapter == today.adapter


def test_an_index_has_the_same_id_wherever_it_lies(settings: Settings, tmp_path: Path) -> None:
    def id_of(place: str, **digests: str) -> str:
        folder = tmp_path / place / "generations" / f"made-{place}"
        folder.mkdir(parents=True)
        files = {name: (7, digest) for name, digest in digests.items()}
        manifest = Manifest(folder.name, EmbedderIdentity("e", "f", 220, 0), 1, 1, files, published=place)
        (folder / "manifest.json").write_text(json.dumps(asdict(manifest)))
        return index_id(settings.model_copy(update={"index": tmp_path / place}), folder.name)

    assert id_of("here", catalogue="aa", chunks="bb") == id_of("there", chunks="bb", catalogue="aa")
    assert id_of("first", catalogue="aa") != id_of("second", catalogue="ab")


def test_a_confidence_of_ones_own_is_part_of_what_decides(settings: Settings, tmp_path: Path) -> None:
    fitted = tmp_path / "mine.json"
    fitted.write_text("{}")
    used = build_circumstances(settings.model_copy(update={"confidence": fitted})).models["confidence"]
    assert (used.name, used.is_folder) == ("mine.json", True)
    fitted.write_text('{"threshold": 1}')
    changed = build_circumstances(settings.model_copy(update={"confidence": fitted})).models["confidence"]
    assert used.fingerprint != changed.fingerprint
