"""Whatever a person gives it: one clear sentence that says what to do, the right exit code, and nothing harmed."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ragvoice.cli import main

QUESTION = "How many days of annual leave do I get?"


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_home: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Path:
    """A folder with `docs` and its `index`; copy it before you break it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "docs").mkdir()
    (folder / "docs/leave.md").write_text("# Leave\n\nEmployees get 25 days of annual leave.\n")
    assert main(["ingest", str(folder / "docs"), "--index", str(folder / "index")]) == 0
    return folder


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "index", tmp_path / "index")
    return tmp_path / "index"


def fingerprint(folder: Path) -> dict[str, str]:
    """SHA-256 of every file."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "lock")
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def sentence(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int) -> str:
    """What stderr says, which must be one line; stdout stays empty."""
    assert main(arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    [line] = said.err.splitlines()
    assert line.startswith("ragvoice: ")
    assert line.endswith((".", ")")) or "ragvoice " in line.removeprefix("ragvoice: ")
    return line


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_question(index: Path, capsys: pytest.CaptureFixture[str], command: str, text: str) -> None:
    assert "is empty" in sentence(capsys, [command, text, "--index", str(index)], 2)


@pytest.mark.parametrize("command", ["ask", "search"])
@pytest.mark.parametrize("text", ["word " * 10_000, "x" * 100_000])
def test_a_question_of_ten_thousand_words(
    index: Path, capsys: pytest.CaptureFixture[str], command: str, text: str
) -> None:
    assert "at most 300" in sentence(capsys, [command, text, "--index", str(index)], 2)


def test_a_question_of_broken_characters_is_answered_all_the_same(
    index: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "leave \udcff \x00", "--index", str(index), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["hits"]


@pytest.mark.parametrize("data", [b"", b"this is a text, not a sound", b"RIFF\x00\x00\x00\x00WAVE"])
@pytest.mark.parametrize("command", [["ask", "--audio"], ["transcribe"]])
def test_a_file_that_is_no_sound(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, command: list[str]
) -> None:
    (tmp_path / "question.wav").write_bytes(data)
    flags = ["--index", str(index)] if command[0] == "ask" else []
    assert main([*command, "question.wav", *flags]) == 1
    said = capsys.readouterr()
    [line] = said.err.splitlines()
    assert "question.wav" in line
    assert said.out == ""


def test_a_sound_that_is_not_there(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing.wav" in sentence(capsys, ["ask", "--audio", "nothing.wav", "--index", str(index)], 1)


def test_silence_is_no_question(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(32_000, dtype=np.float32), 16_000)
    assert main(["ask", "--audio", "silence.wav", "--index", str(index), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["outcome"], found["abstained"], found["citations"]) == ("no_speech", True, [])
    assert found["answer"]
    assert (found["transcription"]["text"], found["transcription"]["duration_s"]) == ("", 2.0)


@pytest.mark.parametrize("command", [["search", QUESTION], ["ask", QUESTION], ["documents", "list"]], ids=" ".join)
def test_an_index_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]) -> None:
    said = sentence(capsys, [*command, "--index", "nowhere"], 1)
    assert "ragvoice ingest FOLDER --index nowhere" in said
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("command", [["search", QUESTION], ["ask", QUESTION], ["ingest", "docs"]], ids=" ".join)
def test_an_index_of_another_embedder(
    made: Path, index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(made)
    [generation] = (index / "generations").iterdir()
    manifest = json.loads((generation / "manifest.json").read_text())
    manifest["embedder"]["fingerprint"] = "another-model"
    (generation / "manifest.json").write_text(json.dumps(manifest))
    before = fingerprint(index)
    assert "--rebuild" in sentence(capsys, [*command, "--index", str(index)], 1)
    assert fingerprint(index) == before


@pytest.mark.parametrize(
    "command",
    [["search", QUESTION], ["ask", QUESTION], ["ingest", "docs"], ["documents", "remove", "leave.md"]],
    ids=" ".join,
)
def test_a_damaged_index(
    made: Path, index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(made)
    [generation] = (index / "generations").iterdir()
    (generation / "vectors/00000.flat").write_bytes(b"broken")
    before = fingerprint(index)
    assert "--rebuild" in sentence(capsys, [*command, "--index", str(index)], 1)
    assert fingerprint(index) == before
    assert main(["ingest", "docs", "--index", str(index), "--rebuild"]) == 0
    assert main(["search", QUESTION, "--index", str(index)]) == 0


@pytest.mark.parametrize("content", [{}, {"a.xyz": b"\0\1\2", "empty.md": b""}])
def test_a_folder_without_readable_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: dict[str, bytes]
) -> None:
    (tmp_path / "docs").mkdir()
    for name, data in content.items():
        (tmp_path / "docs" / name).write_bytes(data)
    said = sentence(capsys, ["ingest", "docs", "--index", "new"], 2)
    assert "No readable document in docs" in said
    assert "Supported: " in said
    assert not (tmp_path / "new/CURRENT").exists()


def test_a_folder_that_is_not_there(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "does not exist" in sentence(capsys, ["ingest", "nowhere", "--index", "new"], 2)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["search", QUESTION, "--index", "index"],
        ["ask", QUESTION, "--index", "index"],
        ["ingest", ".", "--index", "index"],
        ["transcribe", "q.wav"],
        ["speak", "Hello.", "-o", "out.wav"],
    ],
    ids=" ".join,
)
def test_a_missing_model(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    soundfile.write(tmp_path / "q.wav", np.zeros(16_000, dtype=np.float32), 16_000)
    monkeypatch.setenv("RAGVOICE_HOME", str(tmp_path / "empty-home"))
    before = fingerprint(index)
    said = sentence(capsys, command, 1)
    assert "not installed" in said
    assert "ragvoice models pull " in said
    assert fingerprint(index) == before


def test_an_index_on_a_read_only_disk(
    made: Path, index: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:  # these tests may run as root, whom no permission stops
        raise OSError(30, "Read-only file system")

    before = fingerprint(index)
    with monkeypatch.context() as patched:
        patched.setattr("ingest.writer.shutil.copyfile", refuse)
        said = sentence(capsys, ["ingest", str(made / "docs"), "--index", str(index)], 1)
    assert "Read-only file system" in said
    assert "--index" in said
    assert fingerprint(index) == before
    assert main(["search", QUESTION, "--index", str(index)]) == 0


@pytest.mark.parametrize("place", ["file/index", "file"])
def test_an_index_where_a_file_stands(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "file").write_text("mine")
    assert "--index" in sentence(capsys, ["ingest", str(made / "docs"), "--index", place], 1)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_sound_that_cannot_be_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "out.wav" in sentence(capsys, ["speak", "Hello.", "-o", "nowhere/out.wav"], 1)
    assert not (tmp_path / "nowhere").exists()


def test_nothing_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert "empty" in sentence(capsys, ["speak", "  ", "-o", "out.wav"], 2)


@pytest.mark.parametrize("data", ["chunk_tokens = [", "chunk_tokens = 1", "llm_runtime = 'magic'"])
def test_a_settings_file_that_cannot_be_used(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str
) -> None:
    (tmp_path / "ragvoice.toml").write_text(data)
    assert "ragvoice.toml" in sentence(capsys, ["search", QUESTION, "--index", str(index)], 2)


def test_a_folder_that_is_no_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    assert "questions.jsonl" in sentence(capsys, ["evaluate", "."], 2)


def test_an_unknown_document(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("show", "remove"):
        said = sentence(capsys, ["documents", command, "nothing.md", "--index", str(index)], 2)
        assert "ragvoice documents list" in said
