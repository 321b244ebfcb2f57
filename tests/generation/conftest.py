"""Models for these tests: a tiny random Llama of a few kilobytes, and real ones out of the store of RAGVOICE_HOME."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ragvoice.errors import ModelError
from ragvoice.models import ModelStore
from ragvoice.settings import home

DEFAULT_MODEL = "qwen2.5-coder-0.5b-instruct"
SMALL_MODEL = "smollm2-135m-instruct"
STORE = ModelStore.open(home())

TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} {{ message.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


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
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", layers=2)


def make_tiny_llama(folder: Path, *, layers: int) -> Path:
    """A Llama with random weights and a vocabulary of words `w0` to `w59`."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    special = ["<unk>", "<|im_start|>", "<|im_end|>", "assistant"]
    vocabulary = {word: number for number, word in enumerate([*special, *(f"w{n}" for n in range(60))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        clean_up_tokenization_spaces=False,
    )
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=layers, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, initializer_range=0.5,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    # The words are far more likely than the special tokens, so that a reply has a length.
    model.lm_head.weight.data[:4] = 0
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def make_adapter(tmp_path: Path) -> Callable[[Path, bool], Path]:
    """(base model, random or zero) -> folder of a PEFT LoRA adapter."""

    def make(base: Path, random: bool) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        # `init_lora_weights=True` leaves B at zero: an adapter that does nothing yet.
        config = LoraConfig(
            r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=not random, task_type="CAUSAL_LM"
        )
        folder = tmp_path / f"adapter-{base.name}-{random}"
        adapted = get_peft_model(model, config)
        if random:
            for name, weights in adapted.named_parameters():
                if "lora_B" in name:
                    weights.data.normal_(0, 1.0)
        adapted.save_pretrained(folder, save_embedding_layers=False)
        return folder

    return make
