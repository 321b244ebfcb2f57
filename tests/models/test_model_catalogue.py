"""The catalogue: what the built-in one promises, and how a user's goes over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.errors import UsageError
from ragvoice.models import Catalogue
from ragvoice.models.conversion import FORMATS
from ragvoice.models.sources import FolderSource, HubSource, PypiSource

UPSTREAM_SHA256 = {
    ("all-minilm-l6-v2", "model.safetensors"): "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ("whisper-base", "model.bin"): "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ("qwen2.5-coder-0.5b-instruct", "model.gguf"): "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ("smollm2-135m-instruct", "model.gguf"): "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ("piper-en-us-joe-medium", "voice.onnx"): "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
}


def test_built_in_models_are_the_upstream_files() -> None:
    hashes = {(entry.name, file.path): file.sha256 for entry in Catalogue.load() for file in entry.files}
    assert {key: hashes[key] for key in UPSTREAM_SHA256} == UPSTREAM_SHA256


def test_every_built_in_model_has_an_index_and_a_hub_to_come_from() -> None:
    for entry in Catalogue.load():
        assert [type(source) for source in entry.sources] == [PypiSource, HubSource]
        assert set(entry.convert) <= set(FORMATS)


def test_one_default_model_a_task() -> None:
    tasks = [entry.task for entry in Catalogue.load() if entry.default]
    assert sorted(tasks) == ["embedding", "speech-to-text", "text-generation", "text-to-speech"]


def test_user_points_a_known_model_at_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "catalogue.toml"
    file.write_text('[[models."whisper-base".sources]]\nkind = "folder"\npath = "/srv/whisper"\n')
    entry, built_in = Catalogue.load(file).get("whisper-base"), Catalogue.load().get("whisper-base")
    assert [source.path for source in entry.sources if isinstance(source, FolderSource)] == [Path("/srv/whisper")]
    assert len(entry.sources) == 1
    assert entry.files == built_in.files


def test_user_adds_a_model(home: Path) -> None:
    catalogue = Catalogue.load(home / "catalogue.toml")
    assert "tiny" in catalogue
    assert "whisper-base" in catalogue


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('path = "model.safetensors"', 'path = "../../evil"', "plain relative path"),
        ('path = "model.safetensors"', 'path = "/etc/passwd"', "plain relative path"),
        ('licence = "MIT"', "", "licence.* is missing"),
        ('task = "embedding"', 'task = "cooking"', "cooking"),
        ('kind = "pypi"', 'kind = "ftp"', "ftp"),
        ('["tiny-part1: tiny', '["other: tiny', "not listed: other"),
        ("[models.tiny]", '[models."../tiny"]', "cannot be a model's name"),
        ("[models.tiny]", "[models.tiny", "not valid TOML"),
    ],
)
def test_faulty_entry_is_named(home: Path, old: str, new: str, complaint: str) -> None:
    file = home / "catalogue.toml"
    text = file.read_text()
    assert old in text
    changed = text.replace(old, new)
    file.write_text(changed.replace("models.tiny.", 'models."../tiny".') if "../tiny" in new else changed)
    with pytest.raises(UsageError, match=complaint):
        Catalogue.load(file)
