"""Models for these tests: a tiny random Llama of a few kilobytes, and real ones out of the store of RAGVOICE_HOME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_models import make_lora, make_tiny_llama

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore
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
