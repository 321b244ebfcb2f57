"""Models for these tests: a tiny random Llama of a few kilobytes, and real ones out of the store of RAGVOICE_HOME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_models import make_lora, make_tiny_llama, make_tiny_qwen
from transformers import AutoModelForCausalLM

from ragvoice.errors import ModelError
from ragvoice.generation.int8_decoder import Int8Decoder
from ragvoice.models import ModelStore
from ragvoice.models.to_torch_int8 import convert
from ragvoice.settings import home

DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"
SMALL_MODEL = "smollm2-135m-instruct"
STORE = ModelStore.open(home())


def converted(name: str, target_format: str) -> Path:
    """Fails, rather than skips, when the model was not pulled: a skipped test protects nothing."""
    try:
        return STORE.converted(name, target_format)
    except ModelError as error:
        pytest.fail(f"{error} (in {STORE.root}; RAGVOICE_HOME names another place)")


@pytest.fixture(scope="session")
def small_gguf() -> Path:
    try:
        return STORE.path(SMALL_MODEL) / "model.gguf"
    except ModelError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def small_transformers() -> Path:
    return converted(SMALL_MODEL, "transformers")


@pytest.fixture(scope="session")
def small_ctranslate2() -> Path:
    return converted(SMALL_MODEL, "ctranslate2-int8")


@pytest.fixture(scope="session")
def default_ctranslate2() -> Path:
    return converted(DEFAULT_MODEL, "ctranslate2-int8")


@pytest.fixture(scope="session")
def default_torch() -> Path:
    return converted(DEFAULT_MODEL, "torch-int8")


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture
def make_adapter(tmp_path: Path) -> Callable[[Path, bool], Path]:
    """(base model, random or zero) -> folder of a PEFT LoRA adapter."""
    return lambda base, random: make_lora(base, tmp_path / f"adapter-{base.name}-{random}", random=random)


@pytest.fixture(scope="module", params=["llama", "qwen2", "llama, other head size"])
def models(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Int8Decoder, torch.nn.Module]:
    """A tiny random model in int8, and as transformers has it."""
    folder = tmp_path_factory.mktemp("models")
    if request.param == "qwen2":
        source = make_tiny_qwen(folder / "source")
    else:
        options = {"head_dim": 16} if "other" in request.param else {}
        source = make_tiny_llama(folder / "source", **options)
    (folder / "int8").mkdir()
    convert(source, folder / "int8")
    return Int8Decoder(folder / "int8", 64), AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
