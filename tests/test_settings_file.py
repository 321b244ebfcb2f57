from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saved_settings import settings_in_file

from ragvoice.errors import AccessError, UsageError
from ragvoice.people.person import Person
from ragvoice.settings import read_settings
from ragvoice.settings_file import changed_text, save_settings, set_elsewhere

ADMIN = Person("Ada", "admin")
FILE = """# Our assistant
speed = 1.0          # a little slow

groups = [
  "hr",   # speed = 9
]
tts = '''
speed = 3'''
"""


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("SPEED", "LANGUAGE", "TTS"):
        monkeypatch.delenv(f"RAGVOICE_{name}", raising=False)


def test_a_value_is_changed_and_every_other_line_stays() -> None:
    assert (
        changed_text(FILE, {"speed": 1.2, "language": "de"})
        == FILE.replace("speed = 1.0          # a little slow", "speed = 1.2") + 'language = "de"\n'
    )


def test_a_value_that_is_none_leaves_the_file() -> None:
    assert changed_text(FILE, {"groups": None}) == FILE.replace('groups = [\n  "hr",   # speed = 9\n]\n', "")
    assert changed_text("speed = 1.0\n", {"speed": None, "tts": None}) == ""


TEXTS = st.text("aé\"'\\\n\r\t#=[]\x00\x7f\u2028", max_size=6)
VALUES = st.one_of(TEXTS, st.integers(-10, 10**9), st.booleans(), st.lists(TEXTS, max_size=3))


@given(before=st.dictionaries(st.sampled_from("abc"), VALUES), changes=st.dictionaries(st.sampled_from("bcd"), VALUES))
def test_what_is_written_is_what_is_read(before: dict[str, object], changes: dict[str, object]) -> None:
    text = changed_text(changed_text("", before), changes)

    assert tomllib.loads(text) == {**before, **changes}


def test_a_file_of_another_system_is_read() -> None:
    assert changed_text("speed = 1.0\r\n# a note\r\n", {"speed": 2.0}) == "speed = 2.0\n# a note\n"


def test_saved_settings_are_those_of_the_next_start(tmp_path: Path) -> None:
    file = save_settings(ADMIN, {"speed": 1.25, "language": "auto", "groups": ("hr",)})

    assert file == tmp_path / "home" / "config.toml"
    settings = read_settings()
    assert (settings.speed, settings.language, settings.groups) == (1.25, "auto", ("hr",))
    save_settings(ADMIN, {"speed": None})
    assert settings_in_file() == {"language": "auto", "groups": ["hr"]}
    assert [path.name for path in file.parent.iterdir() if ".lock" not in path.name] == ["config.toml"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"speed": 9.0}, "speed cannot be 9.0"),
        ({"no_such_setting": 1}, "no_such_setting"),
        ({"chunk_tokens": 100, "overlap_tokens": 80}, "do not go together"),
        ({"llm_runtime": "guesswork"}, "llm_runtime"),
    ],
)
def test_a_value_that_cannot_be_is_refused_and_nothing_is_written(changes: dict[str, object], reason: str) -> None:
    file = save_settings(ADMIN, {"language": "de"})
    before = file.read_bytes()

    with pytest.raises(UsageError, match=reason):
        save_settings(ADMIN, changes)

    assert file.read_bytes() == before


def test_a_value_is_checked_whatever_the_environment_says_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGVOICE_CHUNK_TOKENS", "220")

    with pytest.raises(UsageError, match="do not go together"):
        save_settings(ADMIN, {"overlap_tokens": 200})


def test_a_setting_that_this_file_does_not_decide_is_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGVOICE_SPEED", "1.1")
    with pytest.raises(UsageError, match="RAGVOICE_SPEED"):
        save_settings(ADMIN, {"speed": 1.2})
    assert set_elsewhere("language") is None

    (tmp_path / "ragvoice.toml").touch()

    with pytest.raises(UsageError, match=r"ragvoice\.toml in the working folder"):
        save_settings(ADMIN, {"language": "de"})


def test_a_file_that_is_no_toml_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "home" / "config.toml"
    file.parent.mkdir()
    file.write_text("speed = \n")

    with pytest.raises(UsageError, match="not valid TOML"):
        save_settings(ADMIN, {"language": "de"})

    assert file.read_text() == "speed = \n"


def test_who_may_not_change_settings_changes_none() -> None:
    for person in (Person("Bo", "owner"), Person("Cy")):
        with pytest.raises(AccessError):
            save_settings(person, {"speed": 1.1})
    assert settings_in_file() == {}


def test_a_file_for_its_owner_alone_stays_so(tmp_path: Path) -> None:
    file = save_settings(ADMIN, {"speed": 1.1})
    file.chmod(0o600)
    save_settings(ADMIN, {"speed": 1.2})

    assert file.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_said_in_words_and_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = save_settings(ADMIN, {"speed": 1.1})
    before = file.read_bytes()

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ragvoice.settings_file.os.replace", full)
    with pytest.raises(UsageError, match="No space left"):
        save_settings(ADMIN, {"speed": 1.2})

    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir() if ".lock" not in path.name] == ["config.toml"]
