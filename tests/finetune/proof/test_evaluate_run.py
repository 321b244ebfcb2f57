"""The whole proof on a model of a few hundred kB: merged, quantised, asked, compared, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tiny_models import make_lora, make_tiny_llama, write_provenance
from typer.testing import CliRunner

from finetune.commands.ask import ask
from finetune.commands.evaluate import evaluate
from finetune.commands.promote import promote
from finetune.data.examples import Example, write_parts
from finetune.proof.promotion import PromotionRefused
from finetune.run_folder import RunFolder
from ragvoice.build import build_store
from ragvoice.datatypes import Passage
from ragvoice.generation.answering import ABSTENTION

QUESTIONS = [
    {"id": "leave", "question": "How many days of leave are there?", "answers": ["25 days"], "gold_ids": ["leave.md"],
     "answerable": True},
    {"id": "bowl", "question": "Where is the bowl held?", "answers": ["Camping World"], "gold_ids": [],
     "answerable": False},
]  # fmt: skip


@pytest.fixture
def run(model_home: Path, clean_environment: Path) -> RunFolder:
    """A tiny random model, an adapter for it that is no better, 24 examples and a set of two questions."""
    (clean_environment.parent / "home" / "models").mkdir()
    name = "all-minilm-l6-v2"
    (clean_environment.parent / "home" / "models" / name).symlink_to(model_home / "models" / name)
    base = make_tiny_llama(clean_environment / "tiny")
    run = RunFolder.named("shuffled")
    run.data.mkdir(parents=True)
    make_lora(base, run.adapter)
    write_provenance(run.adapter, str(base), build_store().fingerprint(str(base)))
    passage = Passage("d", "d", "Title", "", None, None, "w1 w2 w3", 0, 1.0)
    examples = [
        Example(
            str(n), f"w{n} w4", (passage,), ABSTENTION if n % 2 else "w2", "short", refuses=bool(n % 2),
            accepted=() if n % 2 else ("w2",),
        )
        for n in range(24)
    ]  # fmt: skip
    write_parts(run.data, {"train": [], "validation": [], "test": examples})
    run.run_file.write_text(f"base = {str(base)!r}\n")
    company = clean_environment / "company"
    (company / "documents").mkdir(parents=True)
    (company / "documents" / "leave.md").write_text("# Leave\n\nThere are 25 days of leave a year.")
    (company / "questions.jsonl").write_text("\n".join(json.dumps(question) for question in QUESTIONS))
    return run


@pytest.mark.slow
def test_an_adapter_that_is_no_better_is_measured_and_refused(
    run: RunFolder, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    app = typer.Typer()
    app.command("evaluate")(evaluate)
    app.command("promote")(promote)
    app.command("ask")(ask)

    def invoke(*arguments: str) -> str:
        found = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert found.exit_code == 0
        return found.output

    said = invoke("evaluate", "shuffled", "--dataset", "company")
    assert "It would not be promoted" in said
    made = json.loads(run.evaluation.read_text())
    asked = {row["set"]: row["common"] for row in made["comparisons"]}
    assert asked == {"reading": 24, "general": 30, "company": 2, "off-topic": 12}
    [reading] = [row["measures"] for row in made["comparisons"] if row["set"] == "reading"]
    assert reading["failed"]["after"] == 0
    assert made["adapter_sha256"] == run.adapter_sha256()
    assert made["made_by"]["models"]["adapter"]["name"].startswith("handbook (")
    home = clean_environment.parent / "home"
    journals = sorted((home / "evaluation").rglob("journals/*.jsonl"))
    assert len(journals) == 2 * len(asked) + 1  # one a model and set, and one of the trained model
    assert made["parity"]["n"] == 20
    assert "the served model (int8) gives the same answer as the trained one" in said
    before = [journal.read_bytes() for journal in journals]
    replies = [{json.loads(line)["answer"]["answer"] for line in text.splitlines()} for text in before]
    assert len(set(map(frozenset, replies))) > 4  # base and adapter do not write the same
    invoke("evaluate", "shuffled", "--dataset", "company")
    assert [journal.read_bytes() for journal in journals] == before
    index = home / "evaluation" / "company"
    both = json.loads(invoke("ask", "shuffled", QUESTIONS[0]["question"], "--index", str(index), "--json"))
    assert both["base"]["models"]["adapter"] is None
    assert both["adapter"]["models"]["adapter"].startswith("handbook (")
    assert both["base"]["passages"] == both["adapter"]["passages"] != []
    with pytest.raises(PromotionRefused, match="balanced"):
        invoke("promote", "shuffled")
    assert not (home / "adapters").exists() or not list((home / "adapters").glob("*.json"))
