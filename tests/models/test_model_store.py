"""What the store answers: paths, status, verification, fingerprints."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from package_server import PackageServer
from tiny_model import WEIGHTS

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore


def hub_snapshot(cache: Path, repo: str, files: dict[str, bytes]) -> Path:
    """A repository in the layout of huggingface_hub's cache."""
    commit = "c" * 40
    folder = cache / f"models--{repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(commit)
    snapshot = folder / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for name, content in files.items():
        (snapshot / name).write_bytes(content)
    return snapshot


def test_path_of_a_missing_model_says_the_command(store: ModelStore) -> None:
    with pytest.raises(ModelError, match=r"not installed\. Run: ragvoice models pull tiny$"):
        store.path("tiny")


def test_path_of_a_name_a_folder_and_a_hub_id(store: ModelStore, tmp_path: Path) -> None:
    store.pull(["tiny"])
    assert store.path("tiny") == store.root / "tiny"
    assert store.path(str(tmp_path)) == tmp_path.resolve()
    snapshot = hub_snapshot(tmp_path / "hub", "org/name", {"model.safetensors": b"w"})
    assert store.path("org/name") == snapshot
    assert store.path("org/name@main") == snapshot


def test_path_asks_no_server(store: ModelStore, server: PackageServer, tmp_path: Path) -> None:
    hub_snapshot(tmp_path / "hub", "org/halfway", {"config.json": b"{}"})  # weights still missing
    index = b'{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
    shards = {"model.safetensors.index.json": index, "model-1-of-2.safetensors": b"w"}
    partial = hub_snapshot(tmp_path / "hub", "org/partial", shards)
    for reference in ("org/name", "org/halfway", "org/partial", "tiny"):
        with pytest.raises(ModelError, match=f"ragvoice models pull {reference}"):
            store.path(reference)
    (partial / "model-2-of-2.safetensors").write_bytes(b"w")
    assert store.path("org/partial") == partial
    assert server.requests == []


@pytest.mark.parametrize("reference", ["no such model", "./nowhere", "/no/where", "a/b/c"])
def test_path_of_nonsense_is_refused(store: ModelStore, reference: str) -> None:
    with pytest.raises(ModelError, match=r"does not exist|no model of the catalogue"):
        store.path(reference)


def test_path_of_a_truncated_model_calls_it_damaged(store: ModelStore) -> None:
    (pulled,) = store.pull(["tiny"])
    (pulled.path / "model.safetensors").write_bytes(WEIGHTS[:-1])
    with pytest.raises(ModelError, match="damaged"):
        store.path("tiny")


def test_hub_pull_is_refused_offline(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="the hub did not give org/name"):
        store.pull(["org/name"])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ImportError("Using SOCKS proxy, but the 'socksio' package is not installed."), "ImportError: Using SOCKS"),
        (httpx.ReadError(""), r"ReadError\). Set HF_ENDPOINT"),
    ],
)
def test_hub_pull_says_what_went_wrong(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(ModelError, match=rf"the hub did not give org/name \({told}"):
        store.pull(["org/name"])


def test_list_tells_what_is_installed(store: ModelStore) -> None:
    before = {status.name: status for status in store.list()}
    assert not before["tiny"].installed
    assert before["tiny"].size_bytes == len(WEIGHTS) + 22
    store.pull(["tiny"])
    after = {status.name: status for status in store.list()}
    assert after["tiny"].installed
    assert not after["whisper-base"].installed


def test_verify_finds_a_changed_byte_and_a_missing_file(store: ModelStore) -> None:
    (pulled,) = store.pull(["tiny"])
    assert [(result.file, result.state) for result in store.verify()] == [
        ("model.safetensors", "ok"),
        ("sub/config.json", "ok"),
    ]
    weights = bytearray(WEIGHTS)
    weights[1234] ^= 1
    stat = (pulled.path / "model.safetensors").stat()
    (pulled.path / "model.safetensors").write_bytes(weights)
    os.utime(pulled.path / "model.safetensors", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    (pulled.path / "sub/config.json").unlink()
    assert [result.state for result in store.verify(["tiny"])] == ["changed", "missing"]


def test_fingerprint_follows_the_content_of_a_folder(store: ModelStore, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(WEIGHTS)
    first = store.fingerprint(str(tmp_path / "a"))
    assert first == store.fingerprint(str(tmp_path / "b"))
    (tmp_path / "a/model.safetensors").write_bytes(WEIGHTS + b"!")
    assert store.fingerprint(str(tmp_path / "a")) != first


def test_fingerprint_reads_an_unchanged_folder_once(
    store: ModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/model.safetensors").write_bytes(WEIGHTS)
    first = store.fingerprint(str(tmp_path / "a"))
    monkeypatch.setattr("ragvoice.models.checksums.file_sha256", lambda _: pytest.fail("read again"))
    assert store.fingerprint(str(tmp_path / "a")) == first


def test_fingerprint_of_an_installed_model_equals_that_of_its_folder(store: ModelStore) -> None:
    (pulled,) = store.pull(["tiny"])
    assert store.fingerprint("tiny") == store.fingerprint(str(pulled.path))


def test_importing_the_store_loads_nothing_heavy() -> None:
    code = "import sys, ragvoice.models; print([m for m in ('torch', 'transformers', 'httpx', 'huggingface_hub', "
    code += "'ctranslate2', 'rich') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
