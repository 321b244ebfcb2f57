"""Each way of training changes the model, and what it writes can be served."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from langchain_core.messages import BaseMessage, HumanMessage
from training_runs import FAST, make_run, trained
from transformers import AutoModelForCausalLM

from finetune.run import Training
from finetune.training import callbacks, finished
from finetune.training.model import load_trainable, trained_parameters, uses_bf16
from ragvoice.errors import ModelError, TrainingError, UsageError
from ragvoice.generation.transformers_chat import TransformersChatModel
from ragvoice.lora import load_lora

SAID: list[BaseMessage] = [HumanMessage("How many days?")]


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (callbacks, finished):
        monkeypatch.setattr(module, "plot", lambda folder, kept=None: None)


def _logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        logits: torch.Tensor = model.eval()(torch.arange(40, 60)[None]).logits
    return logits


METHODS: dict[str, dict[str, Any]] = {
    "lora": {},
    "dora": {"dora": True},
    "rslora": {"rslora": True},
    "pretrain": {"pretrain": True},
    "checkpointing": {"gradient_checkpointing": True},
    "bf16": {"precision": "bf16"},
    "dora in bf16": {"precision": "bf16", "dora": True},
    "accumulated": {"rows_per_step": 2},
    "some layers": {"targets": ("q_proj", "down_proj")},
    "quantised": {"quantised": True},
    "quantised with checkpointing": {"quantised": True, "gradient_checkpointing": True},
}


@pytest.mark.parametrize("options", METHODS.values(), ids=METHODS.keys())
def test_an_adapter_is_trained_and_loads_where_it_is_served(run: Path, base: Path, options: dict[str, Any]) -> None:
    made = trained(run, base, max_steps=2, learning_rate=0.05, **options)
    assert made.folder == run / "adapter"
    bare = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    before = _logits(bare)
    adapted = load_lora(bare, made.folder)
    assert (_logits(adapted) - before).abs().max() > 1e-3
    config = json.loads((made.folder / "adapter_config.json").read_text())
    assert (config["use_dora"], config["use_rslora"]) == (options.get("dora", False), options.get("rslora", False))
    TransformersChatModel(model_path=base, adapter_path=made.folder, device="cpu", max_new_tokens=2).invoke(SAID)


def test_a_weaker_adapter_lies_between_the_base_and_the_whole_one(run: Path, base: Path) -> None:
    settings = {"max_steps": 2, "learning_rate": 0.05}
    bare = _logits(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32))
    whole = trained(run, base, **settings).folder
    weak = trained(make_run(run.with_name("weak")), base, strength=0.1, **settings).folder
    moved = [
        (_logits(load_lora(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), folder)) - bare).norm()
        for folder in (weak, whole)
    ]
    assert 0.02 < moved[0] / moved[1] < 0.5


def test_gradient_checkpointing_changes_nothing_but_time_and_memory(run: Path, base: Path) -> None:
    settings = {"max_steps": 2, "learning_rate": 0.05}
    plain = trained(run, base, **settings)
    made = trained(make_run(run.with_name("other")), base, gradient_checkpointing=True, **settings)
    assert made.figures["loss"] == pytest.approx(plain.figures["loss"], abs=1e-5)


def test_a_look_at_the_held_out_part_does_not_stop_the_gradients_of_4_bit_layers(base: Path) -> None:
    model = load_trainable(base, Training(quantised=True, rank=4, dropout=0, precision="fp32"))
    for name, weights in model.named_parameters():
        if "lora_B" in name:
            weights.data.normal_(0, 0.05)
    tokens = torch.arange(40, 60)[None]

    def gradient() -> torch.Tensor:
        model.zero_grad()
        model.train()
        model(input_ids=tokens, labels=tokens).loss.backward()
        lowest = next(values for name, values in model.named_parameters() if "layers.0.self_attn.q_proj.lora_A" in name)
        assert lowest.grad is not None
        return lowest.grad.clone()

    before = gradient()
    _logits(model)
    assert before.abs().max() > 0
    torch.testing.assert_close(gradient(), before)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_whole_model_is_trained_and_can_be_named_as_the_model(run: Path, base: Path, precision: str) -> None:
    made = trained(run, base, method="full", max_steps=2, learning_rate=1e-3, precision=precision)
    assert made.folder == run / "model"
    assert not (run / "adapter").exists()
    config = json.loads((made.folder / "config.json").read_text())
    assert (config["use_cache"], config["dtype"]) == (True, "float32")
    bare, tuned = (AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32) for folder in (base, made.folder))
    changed = [name for name, values in tuned.named_parameters() if (values - bare.get_parameter(name)).abs().max() > 0]
    assert len(changed) > len(list(bare.named_parameters())) / 2
    assert (made.folder / "chat_template.jinja").read_text() == (base / "chat_template.jinja").read_text()
    TransformersChatModel(model_path=made.folder, device="cpu", max_new_tokens=2).invoke(SAID)


def test_in_bf16_the_adapter_is_kept_in_float32_and_takes_its_inputs_as_they_are(base: Path) -> None:
    model = load_trainable(base, Training(precision="bf16", rank=4, dropout=0))
    assert {values.dtype for name, values in model.named_parameters() if "lora_" in name} == {torch.float32}
    seen = set()
    for name, module in model.named_modules():
        if name.endswith("lora_A.default"):
            module.register_forward_hook(lambda module, inputs, output: seen.add((inputs[0].dtype, output.dtype)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(input_ids=torch.arange(40, 60)[None])
    assert seen == {(torch.bfloat16, torch.bfloat16)}


def test_bf16_reaches_nearly_the_loss_of_float32(run: Path, base: Path) -> None:
    settings = {"max_steps": 20, "evaluate_every": 20, "pretrain": True}
    full = trained(run, base, **settings).figures["loss"]
    half = trained(make_run(run.with_name("half")), base, precision="bf16", **settings).figures["loss"]
    assert half == pytest.approx(full, rel=0.02)


def test_only_the_adapters_matrices_are_trained(base: Path) -> None:
    model = load_trainable(base, Training(rank=2, targets=("q_proj",), precision="fp32"))
    # two layers; 64 inputs, 4 heads of 16: (64 + 64) * 2 each
    assert trained_parameters(model) == 2 * (64 + 64) * 2


def test_settings_that_do_not_go_together(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not go with method = 'full'"):
        load_trainable(base, Training(method="full", quantised=True))
    with pytest.raises(TrainingError, match="Change `targets`"):
        load_trainable(base, Training(targets=("nothing",), precision="fp32"))
    with pytest.raises(ModelError, match="cannot be loaded for training"):
        load_trainable(tmp_path, FAST)


def test_the_precision_of_a_processor_without_native_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {"text": "flags : fpu sse avx512f"}
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: flags["text"])
    assert not uses_bf16("auto", "cpu")
    flags["text"] += " avx512_bf16"
    assert uses_bf16("auto", "cpu")
    assert (uses_bf16("bf16", "cpu"), uses_bf16("fp32", "cpu")) == (True, False)
