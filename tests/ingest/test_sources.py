"""Which files of a folder are documents, and what they are called."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.sources import Root, readable_name, resolve_root, walk
from ragvoice.errors import UsageError


def names(root: Path) -> list[str]:
    return [file.relative for file in walk(Root(root))]


def touch(root: Path, *relative: str) -> None:
    for name in relative:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")


def test_the_walk_is_sorted_and_names_files_below_the_root_with_slashes(tmp_path: Path) -> None:
    touch(tmp_path, "b.md", "a/z.md", "a/b/c.txt")
    assert names(tmp_path) == ["b.md", "a/z.md", "a/b/c.txt"]


def test_a_named_file_is_called_by_its_name(tmp_path: Path) -> None:
    touch(tmp_path, "deep/inside/policy.md")
    assert names(tmp_path / "deep/inside/policy.md") == ["policy.md"]


def test_hidden_files_office_locks_and_rules_are_no_documents(tmp_path: Path) -> None:
    touch(tmp_path, ".hidden.md", ".git/config", "~$open.docx", "access.toml", "sub/access.toml", "kept.md")
    assert names(tmp_path) == ["kept.md"]


@pytest.mark.parametrize("name", ["questions.jsonl", "questions_full.jsonl", "manifest.jsonl", "SOURCE.txt"])
def test_answer_keys_at_the_top_are_no_documents_but_further_down_they_are(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, f"sub/{name}")
    assert names(tmp_path) == [f"sub/{name}"]


def test_links_out_of_the_root_are_left_out_and_links_within_it_followed(tmp_path: Path) -> None:
    touch(tmp_path, "secret.md", "docs/real.md")
    (tmp_path / "docs/out.md").symlink_to(tmp_path / "secret.md")
    (tmp_path / "docs/in.md").symlink_to("real.md")
    (tmp_path / "docs/broken.md").symlink_to("nothing.md")
    (tmp_path / "docs/loop").symlink_to("..")
    assert names(tmp_path / "docs") == ["in.md", "real.md"]


def test_an_index_inside_the_folder_is_not_read(tmp_path: Path) -> None:
    touch(tmp_path, "a.md", "index/CURRENT", "index/lock", "index/generations/one/manifest.json")
    touch(tmp_path, "generations/z.md")
    assert names(tmp_path) == ["a.md", "generations/z.md"]


def test_bytes_that_are_not_utf8_in_a_name_can_be_stored(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.md"))).write_text("text")
    assert names(tmp_path) == ["caf\\xe9.md"]
    assert readable_name("übung.md") == "übung.md"


def test_a_folder_that_cannot_be_listed_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.md", "locked/b.md")
    scandir = os.scandir

    def refuse(path: str) -> object:  # root may read everything, so the refusal is made by hand
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    told: list[tuple[str, str]] = []
    found = [file.relative for file in walk(Root(tmp_path), lambda *what: told.append(what))]
    assert found == ["a.md"]
    assert told == [("locked", "cannot be read: Permission denied")]


def test_a_folder_that_may_be_listed_but_not_entered_is_reported_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.md", "locked/b.md")
    for name in ("stat", "lstat"):
        real = getattr(os, name)

        def refuse(path: str | Path, real: Callable[..., object] = real, **how: object) -> object:
            if str(tmp_path / "locked") + "/" in str(path):  # root may enter everything
                raise PermissionError(13, "Permission denied", str(path))
            return real(path, **how)

        monkeypatch.setattr(os, name, refuse)
    told: list[tuple[str, str]] = []
    assert [file.relative for file in walk(Root(tmp_path), lambda *what: told.append(what))] == ["a.md"]
    assert told == [("locked/b.md", "cannot be read: Permission denied")]


def test_a_link_to_itself_is_reported_and_the_rest_is_found(tmp_path: Path) -> None:
    touch(tmp_path, "a.md")
    (tmp_path / "loop.md").symlink_to("loop.md")
    told: list[tuple[str, str]] = []
    assert [file.relative for file in walk(Root(tmp_path), lambda *what: told.append(what))] == ["a.md"]
    assert told == [("loop.md", "cannot be read: Too many levels of symbolic links")]


def test_the_prefix_stands_before_every_doc_id(tmp_path: Path) -> None:
    root = resolve_root(tmp_path, "/leeds/")
    assert root.doc_id("a/b.md") == "leeds/a/b.md"
    assert Root(tmp_path).doc_id("a/b.md") == "a/b.md"


def test_a_path_that_is_not_there_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        resolve_root(tmp_path / "nothing")
