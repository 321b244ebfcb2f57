"""Built-in defaults < settings file < environment < flags; a bad value is named with where it may come from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from ragvoice.errors import UsageError
from ragvoice.settings import Settings, home, read_settings

pytestmark = pytest.mark.usefixtures("clean_environment")


def test_each_source_beats_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    default = read_settings().chunk_tokens
    assert default == Settings.model_fields["chunk_tokens"].default
    (home() / "config.toml").write_text("chunk_tokens = 100\nspeed = 1.5\nstt = 'from-home'\n")
    assert read_settings().chunk_tokens == 100
    Path("ragvoice.toml").write_text("chunk_tokens = 101\nspeed = 1.6\n")
    assert (read_settings().chunk_tokens, read_settings().speed) == (101, 1.6)
    monkeypatch.setenv("RAGVOICE_CHUNK_TOKENS", "102")
    assert (read_settings().chunk_tokens, read_settings().speed) == (102, 1.6)
    assert (read_settings(chunk_tokens=103).chunk_tokens, read_settings().speed) == (103, 1.6)
    assert read_settings(chunk_tokens=None).chunk_tokens == 102  # a flag that was not given


def test_the_file_of_the_working_folder_stands_in_for_that_of_the_home() -> None:
    (home() / "config.toml").write_text("stt = 'from-home'\n")
    Path("ragvoice.toml").write_text("speed = 1.6\n")
    assert read_settings().stt == Settings.model_fields["stt"].default


def test_the_index_is_below_home_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_settings().index_path == tmp_path / "home" / "index"
    monkeypatch.setenv("RAGVOICE_INDEX", "/srv/index")
    assert read_settings().index_path == Path("/srv/index")
    assert read_settings(index=Path("~/index")).index_path == Path.home() / "index"
    monkeypatch.setenv("RAGVOICE_HOME", "~/voices")
    assert home() == Path.home() / "voices"
    monkeypatch.delenv("RAGVOICE_HOME")
    assert home().name == "ragvoice"


@pytest.mark.parametrize(("value", "groups"), [("hr,board", ("hr", "board")), (" hr , ", ("hr",)), ("", ())])
def test_groups_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, value: str, groups: tuple[str, ...]) -> None:
    monkeypatch.setenv("RAGVOICE_GROUPS", value)
    assert read_settings().groups == groups


def test_sets_of_questions_for_owners_are_the_sample_company_and_the_public_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert read_settings().evaluation_folders == (Path("data"),)
    monkeypatch.setenv("RAGVOICE_EVAL_DATA", "/srv/sets")
    assert read_settings().evaluation_folders == (Path("data"), Path("/srv/sets"))
    monkeypatch.setenv("RAGVOICE_EVALUATION_FOLDERS", "/srv/mine,/srv/yours")
    assert read_settings().evaluation_folders == (Path("/srv/mine"), Path("/srv/yours"))


def test_groups_in_a_file_are_a_list_or_a_string() -> None:
    Path("ragvoice.toml").write_text('groups = ["hr", "board"]\n')
    assert read_settings().groups == ("hr", "board")
    Path("ragvoice.toml").write_text('groups = "hr,board"\n')
    assert read_settings().groups == ("hr", "board")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunk_tokens", "many"),
        ("chunk_tokens", "1"),
        ("dense_weight", "1.5"),
        ("min_confidence", "-0.1"),
        ("llm_runtime", "magic"),
        ("speed", "0"),
        ("threads", "0"),
    ],
)
def test_a_bad_value_is_named_with_its_sources(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"RAGVOICE_{name.upper()}", value)
    with pytest.raises(UsageError) as caught:
        read_settings()
    assert repr(name) in str(caught.value)
    assert f"RAGVOICE_{name.upper()}" in str(caught.value)
    assert "ragvoice.toml" in str(caught.value)


def test_values_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_CHUNK_TOKENS", "100")
    assert read_settings(overlap_tokens=50).overlap_tokens == 50
    with pytest.raises(UsageError, match="at most half of chunk_tokens"):
        read_settings(overlap_tokens=51)


def test_an_answer_leaves_room_for_the_question() -> None:
    assert read_settings(max_new_tokens=3840, context_tokens=4096).max_new_tokens == 3840
    with pytest.raises(UsageError, match=r"max_new_tokens \(4000\) leaves fewer than 256 of context_tokens \(4096\)"):
        read_settings(max_new_tokens=4000, context_tokens=4096)


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_EXAMPLES", '["How long, in days?", "Why?"]')
    assert read_settings().examples == ("How long, in days?", "Why?")
    monkeypatch.setenv("RAGVOICE_EXAMPLES", "How long, in days?")
    with pytest.raises(UsageError, match=r'"examples".*JSON'):
        read_settings()


@pytest.mark.parametrize("data", [b"chunk_tokens = [", b"\xff\xfe"])
def test_a_file_that_is_no_toml_is_wrong_use(data: bytes) -> None:
    Path("ragvoice.toml").write_bytes(data)
    with pytest.raises(UsageError, match=r"ragvoice\.toml"):
        read_settings()


def test_a_file_may_begin_with_the_mark_that_editors_of_windows_write() -> None:
    Path("ragvoice.toml").write_text('stt = "own"\r\n', encoding="utf-8-sig")
    assert read_settings().stt == "own"


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValidationError):
        read_settings().chunk_tokens = 5  # type: ignore[misc]


def test_other_variables_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_SOMETHING_ELSE", "1")
    monkeypatch.setenv("CHUNK_TOKENS", "1")
    assert read_settings().chunk_tokens == Settings.model_fields["chunk_tokens"].default
    assert os.environ["RAGVOICE_SOMETHING_ELSE"] == "1"


def test_a_misspelt_setting_in_a_file_is_refused_not_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ragvoice.toml").write_text('llmm = "x"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="llmm"):
        read_settings()
