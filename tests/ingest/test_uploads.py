from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.access import AccessRules
from ingest.sources import Root, walk
from ingest.uploads import delete_upload, safe_name, save_upload, set_groups, version_of
from ragvoice.datatypes import EVERYONE
from ragvoice.errors import DocumentError, UsageError


def groups_of(folder: Path, name: str) -> tuple[str, ...]:
    return AccessRules(Root(folder)).of(folder / name).groups


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("Travel policy (2026).pdf", "Travel policy (2026).pdf"),
        ("../../etc/passwd", "passwd"),
        (r"C:\Users\ada\Dok.docx", "Dok.docx"),
        (".hidden.md", "hidden.md"),
        ("a*b?.md", "a_b_.md"),
        ("access.toml", "document_access.toml"),
        ("ACCESS.Toml", "document_ACCESS.Toml"),
        ("questions.jsonl", "document_questions.jsonl"),
        ("..", "document"),
        ("", "document"),
        ("~$Lock.docx", "Lock.docx"),
        ("Ferie\u0301.txt", "Ferié.txt"),
    ],
)
def test_a_name_from_a_browser_becomes_a_plain_one(sent: str, kept: str) -> None:
    assert safe_name(sent) == kept


@given(st.text(max_size=300))
def test_whatever_is_sent_is_a_document_s_name_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, sent: str
) -> None:
    folder = tmp_path_factory.mktemp("uploads")
    (folder / safe_name(sent)).write_text("x")

    assert len(list(walk(Root(folder)))) == 1


def test_a_file_is_kept_and_only_its_groups_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "documents"

    made = save_upload(folder, "pay.md", io.BytesIO(b"# Pay"), ["board", "hr"], owner='Ada "A" Holm')

    assert made.file.read_bytes() == b"# Pay"
    assert not made.replaced
    ruling = AccessRules(Root(folder)).of(made.file)
    assert ruling.groups == ("board", "hr")
    assert ruling.says == {"owner": 'Ada "A" Holm'}
    assert groups_of(folder, "other.md") == (EVERYONE,)


def test_a_new_version_replaces_the_old_and_its_groups(tmp_path: Path) -> None:
    save_upload(tmp_path, "pay.md", io.BytesIO(b"old"), ["hr"])

    made = save_upload(tmp_path, "pay.md", io.BytesIO(b"new"), [])

    assert made.replaced
    assert made.file.read_bytes() == b"new"
    assert groups_of(tmp_path, "pay.md") == (EVERYONE,)


@pytest.mark.parametrize(
    ("old", "new", "at_the_switch"),
    [
        (["board"], [], ("board",)),
        ([], ["board"], ("board",)),
        (["board", "hr"], ["hr", "staff"], ("hr",)),
        (["board"], ["staff"], ()),
    ],
)
def test_at_no_moment_may_anybody_read_the_version_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: list[str], new: list[str], at_the_switch: tuple[str, ...]
) -> None:
    save_upload(tmp_path, "pay.md", io.BytesIO(b"old"), old, "Ada")
    replace, seen = os.replace, []

    def switch(staged: Path, file: Path) -> None:
        if file.name == "pay.md":
            seen.append((file.read_bytes(), groups_of(tmp_path, "pay.md")))
            replace(staged, file)
            seen.append((file.read_bytes(), groups_of(tmp_path, "pay.md")))
        else:
            replace(staged, file)

    monkeypatch.setattr("ragvoice.files.os.replace", switch)
    save_upload(tmp_path, "pay.md", io.BytesIO(b"new"), new, "Ben")

    assert seen == [(b"old", at_the_switch), (b"new", at_the_switch)]
    assert groups_of(tmp_path, "pay.md") == tuple(new or [EVERYONE])


def test_a_version_that_came_while_the_one_before_was_taken_out_stays(tmp_path: Path) -> None:
    file = save_upload(tmp_path, "pay.md", io.BytesIO(b"old"), []).file
    version = version_of(file)
    save_upload(tmp_path, "pay.md", io.BytesIO(b"new"), [])

    assert not delete_upload(file, version)
    assert file.read_bytes() == b"new"
    assert delete_upload(file, version_of(file))
    assert not file.exists()
    assert delete_upload(file, version_of(file))


def test_the_same_groups_again_write_no_second_rule(tmp_path: Path) -> None:
    set_groups(tmp_path, "a.md", ["hr"], "Ada")
    before = (tmp_path / "access.toml").read_text()

    set_groups(tmp_path, "a.md", ["hr"], "Ada")

    assert (tmp_path / "access.toml").read_text() == before


def test_rules_written_by_hand_stay_and_are_overruled_for_this_file_alone(tmp_path: Path) -> None:
    by_hand = '# ours\n[[rule]]\npath = "**"\ngroups = ["staff"]'
    (tmp_path / "access.toml").write_text(by_hand)

    save_upload(tmp_path, "a.md", io.BytesIO(b"x"), ["hr"])

    assert (tmp_path / "access.toml").read_text().startswith(by_hand)
    assert groups_of(tmp_path, "a.md") == ("hr",)
    assert groups_of(tmp_path, "b.md") == ("staff",)


def test_with_rules_that_nobody_understands_nothing_is_taken(tmp_path: Path) -> None:
    (tmp_path / "access.toml").write_text("[[rule]\n")

    with pytest.raises(UsageError, match="cannot be used"):
        save_upload(tmp_path, "a.md", io.BytesIO(b"x"), ["hr"])

    assert not (tmp_path / "a.md").exists()


@pytest.mark.parametrize("group", ["a,b", 'a"', "", " ", "a\nb", "a\\b"])
def test_a_group_s_name_is_checked_before_the_file_is_there(tmp_path: Path, group: str) -> None:
    with pytest.raises(UsageError, match="group's name"):
        save_upload(tmp_path, "a.md", io.BytesIO(b"x"), [group])

    assert list(walk(Root(tmp_path))) == []


@pytest.mark.parametrize(
    ("size", "reason"), [(0, "empty"), (2**20 + 1, r"a\.md has 2 MiB; an upload has at most 1\. Put .* into a folder")]
)
def test_nothing_and_too_much_are_refused(tmp_path: Path, size: int, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        save_upload(tmp_path, "a.md", io.BytesIO(bytes(size)), [], max_mib=1)
    assert not list(tmp_path.iterdir())


def test_an_upload_is_never_in_memory_a_second_time(tmp_path: Path) -> None:
    pieces: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            pieces.append(len(piece := super().read(size)))
            return piece

    made = save_upload(tmp_path, "a.bin", Watched(b"x" * 5_000_000), [])

    assert made.file.stat().st_size == sum(pieces) == 5_000_000
    assert max(pieces) <= 2**20


def test_where_the_new_version_finds_no_room_the_old_one_keeps_its_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_upload(tmp_path, "pay.md", io.BytesIO(b"secret"), ["board"])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ingest.uploads.shutil.copyfileobj", full)
    with pytest.raises(DocumentError, match="No space left"):
        save_upload(tmp_path, "pay.md", io.BytesIO(b"for everyone"), [])

    assert (tmp_path / "pay.md").read_bytes() == b"secret"
    assert groups_of(tmp_path, "pay.md") == ("board",)
    assert {file.name for file in tmp_path.iterdir()} <= {"pay.md", "access.toml", ".lock"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_in_words(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(DocumentError, match="cannot be written"):
        save_upload(tmp_path / "documents", "a.md", io.BytesIO(b"x"), [])
