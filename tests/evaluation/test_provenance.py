"""What a report says of its making: enough to repeat it, nothing of this machine's folders, no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragvoice.evaluation import provenance
from ragvoice.evaluation.provenance import described, fingerprint, models, without_folders
from ragvoice.generation import prompts
from ragvoice.retrieval.generations import EmbedderIdentity, Manifest
from ragvoice.settings import Settings, read_settings

ROLES = ("embedder", "llm", "adapter")


def manifest(generation: str = "g1") -> Manifest:
    return Manifest(generation, EmbedderIdentity("e", "f", 220, 0), 1, 1)


@pytest.fixture
def plain(clean_environment: Path) -> Settings:
    return read_settings()


def test_no_folder_and_no_secret_of_the_settings(clean_environment: Path, tmp_path: Path) -> None:
    settings = read_settings(
        index=tmp_path / "company",
        document_folders=(tmp_path / "company" / "handbook",),
        evaluation_folders=(tmp_path / "company" / "questions",),
        llm=str(tmp_path / "models" / "our-llm"),
        adapter="~/adapters/handbook",
        llm_url="https://ada:secret@host:8000/v1?key=secret",
        vector_store="postgresql://ada:secret@db.local/vectors",
        stt="org/whisper",
    )
    told = described(settings)
    assert (told["llm"], told["adapter"], told["stt"]) == ("our-llm", "handbook", "org/whisper")
    assert (told["llm_url"], told["vector_store"]) == ("https://host:8000/v1", "postgresql://db.local/vectors")
    text = json.dumps(told)
    assert "secret" not in text
    assert str(tmp_path) not in text
    assert "company" not in text


def test_models_have_the_fingerprint_of_their_files(plain: Settings) -> None:
    found = models(plain.model_copy(update={"adapter": "none"}), ROLES)
    assert set(found) == {"embedder", "llm"}
    assert found["llm"]["name"] == plain.llm
    assert len(found["llm"]["sha256"] or "") >= 16
    served = plain.model_copy(update={"llm_runtime": "openai", "llm": "gpt"})
    assert models(served, ROLES)["llm"] == {"name": "gpt", "sha256": None}
    missing = plain.model_copy(update={"adapter": "org/not-here"})
    assert models(missing, ROLES)["adapter"] == {"name": "org/not-here", "sha256": None}


def test_the_fingerprint_follows_settings_models_prompt_code_and_index(
    plain: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def now(settings: Settings = plain, generation: str = "g1") -> str:
        return fingerprint(settings, ROLES, manifest(generation))

    first = now()
    assert now(plain.model_copy(update={"index": tmp_path, "groups": ("hr",)})) == first
    assert now(plain.model_copy(update={"sign_in_hours": 1, "show_drafts": False, "examples": ("Who?",)})) == first
    assert now(plain.model_copy(update={"prompt_passages": 2})) != first
    assert now(plain.model_copy(update={"llm": "smollm2-135m-instruct"})) != first
    assert now(generation="g2") != first
    fitted = tmp_path / "confidence.json"
    fitted.write_text("{}")
    once = now(plain.model_copy(update={"confidence": fitted}))
    fitted.write_text('{"threshold": 0.4}')
    assert now(plain.model_copy(update={"confidence": fitted})) != once  # the same file, fitted again
    monkeypatch.setattr(provenance, "code_hash", lambda: "other code")
    assert now() != first
    monkeypatch.undo()
    before = prompts.prompt_fingerprint()
    monkeypatch.setitem(prompts._INSTRUCTIONS, "spoken", "Answer.")
    assert prompts.prompt_fingerprint() != before


def test_code_that_answers_is_hashed_and_the_evaluation_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "generation").mkdir()
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "generation" / "a.py").write_text("a")
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path)
    before = provenance.code_hash()
    (tmp_path / "evaluation" / "b.py").write_text("b")
    assert provenance.code_hash() == before
    (tmp_path / "generation" / "weights.json").write_text("{}")
    assert provenance.code_hash() != before


def test_a_package_outside_its_own_checkout_has_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(provenance, "_PACKAGE", tmp_path / "site-packages" / "ragvoice")
    assert provenance.commit() is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The index in /home/ada/x/index is damaged.", "The index in index is damaged."),
        ("open '/etc/a/b.toml', ~/models/m", "open 'b.toml', m"),
        ("http://localhost:8000/v1/chat says 1/2 and/or", "http://localhost:8000/v1/chat says 1/2 and/or"),
    ],
)
def test_messages_lose_their_folders(text: str, shown: str) -> None:
    assert without_folders(text) == shown
