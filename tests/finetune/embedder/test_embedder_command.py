"""The whole command on a tiny random embedder: what it leaves, that it goes on, and that nothing is switched."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from finetune.alone import alone
from finetune.commands.embedder import embedder
from ingest.command import ingest_command
from ragvoice.build import embedder_identity, open_index
from ragvoice.errors import UsageError
from ragvoice.settings import Settings, read_settings

APP = typer.Typer()
APP.command()(embedder)
WORDS = "leave pay travel laptop badge parking training pension holiday illness overtime canteen".split()
OPTIONS = ["--batch", "4", "--epochs", "2", "--learning-rate", "1e-3"]


@pytest.fixture
def company(clean_environment: Path, tiny_embedder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set of 12 documents with two questions each, ingested with the tiny embedder, which is configured."""
    folder = clean_environment / "company"
    folder.mkdir()
    drawn = random.Random(1)
    texts = {word: " ".join(drawn.choices(WORDS, k=8)) + f" {word} rule {i}." for i, word in enumerate(WORDS)}
    rows = [{"id": word, "title": word, "text": text} for word, text in texts.items()]
    asked = [
        {"id": f"{word}{n}", "question": f"{ask} {word}?", "answers": ["rule"], "gold_ids": [word], "answerable": True}
        for word in WORDS
        for n, ask in enumerate(("What about", "Who decides on"))
    ]
    for name, lines in (("corpus.jsonl", rows), ("questions.jsonl", asked)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.setenv("RAGVOICE_EMBEDDER", str(tiny_embedder))
    monkeypatch.setenv("RAGVOICE_THREADS", "1")
    ingest_command([folder], index=None)
    return folder


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(APP, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_a_run_is_proven_and_indexed_beside_and_goes_on(company: Path, tmp_path: Path) -> None:
    settings = read_settings()
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text(
        json.dumps({"id": 1, "question": "Why?", "answers": [], "gold_ids": ["x.md"], "answerable": True})
    )
    with pytest.raises(UsageError, match="Of the 1 questions none names a document of the index"):
        run(str(foreign))
    with pytest.raises(UsageError, match="The embedder in service lies in"):
        run(str(company), "--out", settings.embedder)

    with alone(settings.index_path.parent / "embedders" / "tuned"), pytest.raises(UsageError, match="another process"):
        run(str(company), *OPTIONS)

    served = (settings.index_path / "CURRENT").read_text()
    code, said = run(str(company), *OPTIONS)
    folder = settings.index_path.parent / "embedders" / "tuned"
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert evaluation["held_out"] == 8  # four documents of twelve reach a share of .3 of the 24 questions
    assert evaluation["trained_on"] + evaluation["not_trained_on"] == 16
    assert code == (0 if evaluation["better"] else 1)
    assert ('embedder = "' in said) is evaluation["better"]

    assert (settings.index_path / "CURRENT").read_text() == served
    assert settings.embedder == read_settings().embedder
    beside = Settings(embedder=str(folder / "model"), index=settings.index_path.with_name("index-tuned"))
    tuned = open_index(beside)
    assert tuned.manifest.embedder == embedder_identity(beside)
    assert len(tuned.documents()) == len(open_index(settings).documents()) == 12

    unseen = {json.loads(line)["document"] for line in (folder / "pairs.jsonl").read_text().splitlines()}
    assert len(unseen) <= 8

    weights = folder / "model" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    (folder / "evaluation.json").unlink()
    again, _ = run(str(company), *OPTIONS)
    assert again == code
    assert json.loads((folder / "evaluation.json").read_text())["measures"] == evaluation["measures"]
    assert weights.stat().st_mtime_ns == written

    with pytest.raises(UsageError, match="with another training"):
        run(str(company), *OPTIONS, "--epochs", "3")


@pytest.mark.slow
def test_a_fresh_run_embeds_the_index_beside_anew(company: Path) -> None:
    run(str(company), *OPTIONS)
    settings = read_settings()
    folder, index = settings.index_path.parent / "embedders" / "tuned", settings.index_path
    beside = Settings(embedder=str(folder / "model"), index=index.with_name("index-tuned"))
    before = open_index(beside).manifest
    run(str(company), *OPTIONS, "--learning-rate", "2e-3", "--fresh")
    after = open_index(beside).manifest
    assert after.embedder == embedder_identity(beside) != before.embedder
    assert after.chunks == before.chunks
