"""An exported folder is whole, loads in what it is for, and its card says what it is; a run is found by its name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from byte_model import make_byte_model
from langchain_core.messages import HumanMessage
from tiny_models import make_lora, write_provenance
from typer.testing import CliRunner

from finetune.commands.export import export as export_command
from finetune.commands.merge import merge as merge_command
from finetune.proof.parity import Parity
from finetune.run_folder import adapter_sha256
from finetune.serving.export import ExportFormat, _licence_text, export
from finetune.serving.trained import trained
from ragvoice.build import build_store
from ragvoice.errors import ModelError, UsageError
from ragvoice.generation.ctranslate2_chat import CTranslate2ChatModel
from ragvoice.generation.transformers_chat import TransformersChatModel
from ragvoice.models import conversion
from ragvoice.models.convert import convert
from ragvoice.settings import home

FILES = {"README.md", "LICENSE", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
WORDS = [HumanMessage("the cat")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_byte_model(tmp_path_factory.mktemp("export") / "base", "qwen2")
    (folder / "LICENSE").write_text("Do as you like.")
    return folder


@pytest.fixture
def run(clean_environment: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of a finished run in an empty home; conversions are made in this process, which is quicker."""
    monkeypatch.setattr(conversion, "_run_child", convert)
    folder = home() / "finetune" / "handbook"
    adapter = make_lora(base, folder / "adapter")
    write_provenance(adapter, str(base), build_store().fingerprint(str(base)), data="da7a", prompt="9409")
    (folder / "run.toml").write_text("")
    return folder


def reply(folder: Path, adapter: Path | None = None) -> str:
    chat = TransformersChatModel(model_path=folder, adapter_path=adapter, device="cpu", max_new_tokens=6)
    return chat.invoke(WORDS).text


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        (
            "ctranslate2-int8",
            {"model.bin", "config.json", "hf_config.json", "vocabulary.json", "generation_config.json"},
        ),
        ("gguf", {"model.gguf", "generation_config.json"}),
        ("gguf-adapter", {"adapter.gguf", "generation_config.json"}),
        ("safetensors", {"model.safetensors", "config.json", "generation_config.json"}),
        ("adapter", {"adapter_config.json", "adapter_model.safetensors", "ragvoice.json", "generation_config.json"}),
    ],
)
def test_folder_has_all_that_serving_needs(
    run: Path, base: Path, tmp_path: Path, target: ExportFormat, weights: set[str]
) -> None:
    out = tmp_path / "out"
    main = export(trained("handbook"), out, target)
    assert {file.name for file in out.iterdir()} == FILES | weights
    assert main.exists()
    assert (out / "LICENSE").read_text() == "Do as you like."
    card = (out / "README.md").read_text()
    assert "base_model: base" in card
    assert "da7a" in card
    assert "Not evaluated." in card
    assert str(tmp_path) not in card
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    expected = reply(base, run / "adapter")
    assert expected != reply(base)
    if target == "safetensors":
        assert reply(out) == expected
    elif target == "adapter":
        assert reply(base, out) == expected
    elif target == "ctranslate2-int8":
        served = CTranslate2ChatModel(model_path=out, max_new_tokens=6, cpu_threads=1, compute_type="float32")
        assert served.invoke(WORDS).text[:3] == expected[:3]  # the weights have 8 bits


def test_a_folder_with_something_in_it_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    with pytest.raises(UsageError, match="not empty"):
        export(trained("handbook"), tmp_path / "mine", "adapter")


def test_an_export_that_fails_leaves_nothing(run: Path, tmp_path: Path) -> None:
    file = run / "adapter" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "use_dora": True}))
    with pytest.raises(ModelError, match="DoRA"):
        export(trained("handbook"), tmp_path / "out" / "deep", "gguf-adapter")
    assert list((tmp_path / "out").iterdir()) == []


def test_card_has_the_figures_of_the_evaluation_and_of_the_parity(run: Path, tmp_path: Path) -> None:
    change = {"before": 0.5, "after": 0.75, "value": 0.25, "low": 0.1, "high": 0.4, "n": 40}
    row = {"set": "reading", "style": "short", "measures": {"f1": change, "total_p50": change}}
    made = {"adapter_sha256": adapter_sha256(run / "adapter"), "comparisons": [row]}
    (run / "evaluation.json").write_text(json.dumps(made))
    export(trained("handbook"), tmp_path / "out", "adapter", parity=Parity(40, 0.9, 0.95, 0.7, 0.5, 0.71, 0.5))
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| reading | short | f1 | 0.500 | 0.750 | +0.250 (+0.100 to +0.400) | 40 |" in card
    assert "total" not in card
    assert "in 90%, with a token F1 of 0.950" in card
    (run / "evaluation.json").write_text(json.dumps({**made, "adapter_sha256": "of the one before"}))
    export(trained("handbook"), tmp_path / "again", "adapter")
    assert "Not evaluated." in (tmp_path / "again" / "README.md").read_text()


def test_a_run_is_found_by_name_and_folder_and_an_adapter_by_its_folder(run: Path, base: Path, tmp_path: Path) -> None:
    for named in ("handbook", "runs/handbook.toml", str(run), str(run / "adapter")):
        found = trained(named)
        assert (found.folder, found.run, found.base, found.adapter.name) == (
            run / "adapter",
            run,
            str(base),
            "handbook",
        )
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run / "adapter", elsewhere)
    assert trained(str(elsewhere)).run is None
    (elsewhere / "ragvoice.json").unlink()
    with pytest.raises(UsageError, match="--base"):
        trained(str(elsewhere))
    assert trained(str(elsewhere), str(base)).base == str(base)


def test_what_is_no_adapter_is_told(run: Path, tmp_path: Path) -> None:
    (home() / "finetune" / "begun").mkdir()
    (home() / "finetune" / "begun" / "run.toml").write_text("")
    with pytest.raises(UsageError, match="no adapter yet"):
        trained("begun")
    with pytest.raises(UsageError, match="no run in"):
        trained("nothing")


def test_apache_licence_comes_with_its_text() -> None:
    assert "TERMS AND CONDITIONS" in _licence_text("Apache-2.0", "https://example.org/model")
    assert "spdx.org/licenses/MIT" in _licence_text("MIT", "https://example.org/model")


def invoke(command: object, arguments: Sequence[str]) -> str:
    app = typer.Typer()
    app.command()(command)  # type: ignore[arg-type]
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return str(result.stdout)


def test_commands(run: Path, base: Path, tmp_path: Path) -> None:
    invoke(merge_command, ["handbook", "--out", str(tmp_path / "merged")])
    assert not (tmp_path / "merged" / "conversion.json").exists()
    assert reply(tmp_path / "merged") == reply(base, run / "adapter")
    assert not (home() / "models" / "converted").exists()
    told = invoke(
        export_command, ["handbook", "--out", str(tmp_path / "out"), "--format", "gguf", "--precision", "f16"]
    )
    assert told.splitlines() == [str(tmp_path / "out" / "model.gguf")]
