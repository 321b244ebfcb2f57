"""The commands as a program meets them: output on stdout, words for people on stderr, and the exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ragvoice.cli import main

COMMANDS = [
    ["ingest"], ["search"], ["ask"], ["transcribe"], ["speak"], ["evaluate"],
    ["documents", "list"], ["documents", "show"], ["documents", "remove"], ["status"],
    ["index", "verify"], ["index", "compact"], ["index", "export"], ["index", "import"], ["index", "forget"],
    ["models", "pull"], ["models", "list"], ["models", "verify"], ["models", "prune"], ["models", "path"],
    ["replay"],
    ["turns", "list"], ["turns", "show"], ["turns", "rate"], ["turns", "forget"], ["turns", "export"],
    ["conversations", "list"], ["conversations", "show"], ["conversations", "delete"], ["conversations", "export"],
    ["people", "list"], ["people", "add"], ["people", "role"], ["people", "password"], ["people", "remove"],
]  # fmt: skip
HIT = {"doc_id", "source", "title", "section", "page", "place", "score", "text", "start_index"}
ANSWER = {
    "id", "turn_id", "question", "standalone_question", "transcription", "outcome", "abstained", "answer", "confidence",
    "citations", "passages", "index_generation", "models", "timings_s",
}  # fmt: skip
EASY = "How many days of annual leave do employees get?"


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory, model_home: Path) -> Path:
    """Three small documents, one of them restricted; `index` is made from them by the command itself."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "hr").mkdir()
    (folder / "leave.md").write_text(
        "# Leave policy\n\n## Annual leave\n\nEmployees get 25 days of annual leave per year.\n\n"
        "## Sick leave\n\nCall your team lead before nine.\n"
    )
    (folder / "parking.md").write_text("# Parking\n\nVisitors park in lot four behind the warehouse.\n")
    (folder / "hr/pay.md").write_text("# Pay bands\n\nA senior engineer earns between 61,000 and 74,000 pounds.\n")
    (folder / "access.toml").write_text('[[rule]]\npath = "hr/**"\ngroups = ["hr"]\n')
    assert main(["ingest", str(folder), "--index", str(folder.parent / f"{folder.name}-index")]) == 0
    return folder


@pytest.fixture
def index(company: Path) -> str:
    return str(company.parent / f"{company.name}-index")


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings file of the checkout."""
    monkeypatch.chdir(tmp_path)
    return


def lines(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_help_has_an_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    assert f"Example: ragvoice {' '.join(command)}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["ingest", "--help"]])
def test_help_is_quick_and_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ragvoice.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        "heavy = {'torch', 'transformers', 'faiss', 'numpy', 'ctranslate2', 'langchain_core'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert time.perf_counter() - started < 5  # about 0.3 s on a free machine


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["ask", "--nonsense"],
        ["search", "x", "-k", "0"],
        ["search", "x", "-k", "many"],
        ["search", "x", "--since", "yesterday"],
        ["search"],
        ["search", "x", "--input", "y"],
        ["ask"],
        ["ask", "x", "--audio", "y.wav"],
        ["ask", "x", "--style", "loud"],
        ["ask", "--input", "x", "--speak", "y.wav"],
        ["documents", "show"],
        ["speak", "x"],
        ["ingest"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_2_without_a_traceback(
    arguments: list[str], capsys: pytest.CaptureFixture[str], model_home: Path
) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.strip() or said.out.strip()


def test_the_console_script_and_the_modules_run(company: Path, index: str) -> None:
    script = Path(sys.executable).with_name("ragvoice")
    for command in ([str(script)], [sys.executable, "-m", "ragvoice"]):
        done = subprocess.run(
            [*command, "documents", "list", "--index", index], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[0].startswith("hr/pay.md  [hr]")
    done = subprocess.run([sys.executable, "-m", "ingest", "nothing"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def test_ingest_prints_its_summary_as_json(company: Path, index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", str(company), "--index", index, "--json"]) == 0
    [summary] = lines(capsys.readouterr().out)
    assert summary.keys() >= {"added", "changed", "removed", "unchanged", "skipped", "chunks", "seconds"}
    assert (summary["added"], summary["unchanged"], summary["skipped"], summary["chunks"]) == (0, 3, [], 4)


def test_search_prints_hits(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "Where may visitors park?", "--index", index, "-k", "2", "--json"]) == 0
    [found] = lines(capsys.readouterr().out)
    assert found.keys() == {"id", "query", "hits"}
    assert (found["id"], found["query"], len(found["hits"])) == (None, "Where may visitors park?", 2)
    assert all(hit.keys() == HIT for hit in found["hits"])
    assert found["hits"][0]["doc_id"] == "parking.md"
    assert main(["search", "Where may visitors park?", "--index", index]) == 0
    assert capsys.readouterr().out.splitlines()[0].endswith("parking.md")


def test_groups_say_who_asks(index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def found(*flags: str) -> set[str]:
        assert main(["search", "senior engineer pay", "--index", index, "--json", *flags]) == 0
        return {hit["doc_id"] for hit in lines(capsys.readouterr().out)[0]["hits"]}

    assert "hr/pay.md" not in found()
    assert "hr/pay.md" not in found("--groups", "it,everyone")
    assert "hr/pay.md" in found("--groups", "it, hr")
    monkeypatch.setenv("RAGVOICE_GROUPS", "hr")
    assert "hr/pay.md" in found()
    assert "hr/pay.md" not in found("--groups", "it")


def test_search_looks_only_where_it_is_told(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    def found(*flags: str) -> set[str]:
        assert main(["search", "annual leave", "--index", index, "--json", *flags]) == 0
        return {hit["doc_id"] for hit in lines(capsys.readouterr().out)[0]["hits"]}

    assert found() == {"leave.md", "parking.md"}
    assert found("--source", "parking.md") == {"parking.md"}
    assert found("--source", "park*", "--source", "leave.md") == {"leave.md", "parking.md"}
    assert found("--source", "hr") == set()  # a scope opens nothing
    assert found("--since", "2020-01-01") == found("--until", "2099-01-01") == found("--tag", "pay") == set()


def test_ask_knows_nothing_outside_its_scope(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", EASY, "--index", index, "--json", "--source", "parking.md"]) == 0
    answer = lines(capsys.readouterr().out)[0]
    assert {hit["doc_id"] for hit in answer["passages"]} == {"parking.md"}
    assert "25" not in answer["answer"]


def test_search_takes_lines_in_order_and_goes_on_after_a_bad_one(
    index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = [{"speaker": "user", "text": "Where may visitors park?"}]
    rows = [
        {"id": "a", "question": "sick leave"},
        {"id": "b"},
        {"id": "c", "question": " "},
        {"id": "d", "question": "And who else?", "history": history},
        {"id": "e", "audio": "nothing.wav"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert main(["search", "--input", "in.jsonl", "--index", index, "-k", "1"]) == 1
    found = lines(capsys.readouterr().out)
    assert [row["id"] for row in found] == ["a", "b", "c", "d", "e"]
    assert [row.get("error", {}).get("code") for row in found] == [None, "usage", "usage", None, "audio"]
    assert found[0]["hits"][0]["section"] == "Sick leave"
    assert found[3]["hits"][0]["doc_id"] == "parking.md"


def test_lines_may_come_through_a_pipe(index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(json.dumps({"question": "sick leave"}),), daemon=True)
    writer.start()
    assert main(["search", "--input", str(pipe), "--index", index, "-k", "1"]) == 0
    assert [row["hits"][0]["section"] for row in lines(capsys.readouterr().out)] == ["Sick leave"]


def test_documents_list_and_show(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["documents", "list", "--index", index, "--json"]) == 0
    listed = lines(capsys.readouterr().out)
    assert [row["doc_id"] for row in listed] == ["hr/pay.md", "leave.md", "parking.md"]
    assert listed[0]["allowed_groups"] == ["hr"]
    assert main(["documents", "show", "leave.md", "--index", index, "--json"]) == 0
    [shown] = lines(capsys.readouterr().out)
    assert shown.keys() == {"doc_id", "source", "title", "text", "chunks", "allowed_groups", "content_hash"}
    assert (shown["title"], shown["allowed_groups"]) == ("Leave policy", ["everyone"])
    assert all(chunk.keys() == {"start_index", "end_index", "section", "page", "place"} for chunk in shown["chunks"])
    pieces = {chunk["section"]: shown["text"][chunk["start_index"] : chunk["end_index"]] for chunk in shown["chunks"]}
    assert pieces["Annual leave"] == "Employees get 25 days of annual leave per year."
    assert main(["search", "annual leave", "--index", index, "-k", "1", "--json"]) == 0
    hit = lines(capsys.readouterr().out)[0]["hits"][0]
    assert shown["text"][hit["start_index"] :].startswith(hit["text"])


def test_documents_remove(tmp_path: Path, model_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"docs/{name}.md").write_text(f"Document {name}.")
    main(["ingest", "docs", "--index", "index"])
    capsys.readouterr()
    assert main(["documents", "remove", "a.md", "--index", "index", "--json"]) == 0
    assert lines(capsys.readouterr().out) == [{"removed": "a.md"}]
    main(["documents", "list", "--index", "index"])
    assert capsys.readouterr().out.split()[0] == "b.md"


def test_ask_answers_an_easy_question_with_a_quote(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", EASY, "--index", index, "--json"]) == 0
    [found] = lines(capsys.readouterr().out)
    assert found.keys() == ANSWER
    assert (found["question"], found["standalone_question"], found["transcription"]) == (EASY, EASY, None)
    assert found["outcome"] == "answered"
    assert found["abstained"] is False
    assert "25" in found["answer"]
    assert 0 <= found["confidence"] <= 1
    assert main(["documents", "show", "leave.md", "--index", index, "--json"]) == 0
    text = lines(capsys.readouterr().out)[0]["text"]
    citation = found["citations"][0]
    assert citation.keys() == {"doc_id", "source", "title", "section", "page", "place", "quote", "start_index"}
    assert text[citation["start_index"] : citation["start_index"] + len(citation["quote"])] == citation["quote"]
    assert found["passages"][0].keys() == {"doc_id", "source", "section", "page", "score", "text", "start_index"}
    assert found["models"].keys() == {"embedder", "llm", "adapter", "stt", "tts"}
    assert (found["models"]["stt"], found["models"]["tts"]) == (None, None)
    assert found["timings_s"].keys() == {"transcribe", "retrieve", "first_token", "first_audio", "total"}
    assert found["timings_s"]["total"] >= found["timings_s"]["first_token"] > 0
    assert not {passage["doc_id"] for passage in found["passages"]} & {"hr/pay.md"}


def test_ask_takes_lines_in_order_and_goes_on_after_a_bad_one(
    index: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "noise.wav").write_text("this is no sound")
    rows = [
        {"id": "a", "question": EASY},
        {"id": "b", "audio": "noise.wav"},
        {"id": "c", "question": "How deep is the Mariana Trench?"},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert main(["ask", "--input", "in.jsonl", "--index", index, "--style", "short"]) == 1
    found = lines(capsys.readouterr().out)
    assert [row["id"] for row in found] == ["a", "b", "c"]
    assert found[1].keys() == {"id", "error"}
    assert found[1]["error"].keys() == {"code", "message"}
    assert found[1]["error"]["code"] == "audio"
    for row in (found[0], found[2]):
        assert row.keys() == ANSWER
        assert row["abstained"] == (row["outcome"] != "answered")
        assert bool(row["citations"]) == (not row["abstained"])
        assert row["answer"]


def test_ask_shows_the_answer_and_then_numbered_sources(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", EASY, "--index", index]) == 0
    said = capsys.readouterr()
    answer, sources = said.out.split("[1] ", 1)
    assert "25" in answer
    assert sources.startswith("leave.md, Annual leave")
    assert said.err == ""


def test_ctrl_c_is_one_sentence_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ragvoice.settings.read_settings", interrupted)
    assert main(["status"]) == 130
    assert "interrupted; nothing that was there is changed" in capsys.readouterr().err
