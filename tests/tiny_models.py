"""Models of a few hundred kB with random weights, and LoRA adapters for them."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{% for message in messages %}<|im_start|> {{ message.role }} {{ message.content }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)


def make_tiny_llama(folder: Path, *, layers: int = 2, **config_options: Any) -> Path:
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
        **config_options,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    # The words are far more likely than the special tokens, so that a reply has a length.
    model.lm_head.weight.data[:4] = 0
    model.save_pretrained(folder)
    return folder


def make_tiny_qwen(folder: Path) -> Path:
    """As `make_tiny_llama`; with biases of query, key and value, embeddings that are the head as well."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    make_tiny_llama(folder)
    torch.manual_seed(1)
    config = Qwen2Config(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, initializer_range=0.5, tie_word_embeddings=True,
    )  # fmt: skip
    model = Qwen2ForCausalLM(config)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    model.save_pretrained(folder)
    return folder


def make_lora(base: Path, folder: Path, *, random: bool = True, seed: int = 1, **config: Any) -> Path:
    """Folder of an adapter in PEFT's format that does something, or nothing.

    :param config: Of peft's `LoraConfig`.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    options = {"r": 4, "target_modules": ["q_proj", "v_proj"], "init_lora_weights": not random, **config}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Model has `tie_word_embeddings=True`")
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated")
        adapted = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **options))
    if random:  # B is zero in a fresh adapter
        for name, weights in adapted.named_parameters():
            if "lora_B" in name:
                weights.data.normal_(0, 1.0)
    adapted.save_pretrained(folder, save_embedding_layers=False)
    return folder


def write_provenance(adapter: Path, base: str, base_fingerprint: str, **more: str) -> None:
    """What a training run says of its adapter."""
    about = {"base": base, "base_fingerprint": base_fingerprint, "data": "d", "prompt": "", "run": "handbook", **more}
    (adapter / "ragvoice.json").write_text(json.dumps(about), encoding="utf-8")
