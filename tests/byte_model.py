"""Random models of a few hundred kB that llama.cpp can read: a byte-level vocabulary, three families."""

from __future__ import annotations

from pathlib import Path

from finetune.serving.gguf_tokenizer import _QWEN2

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_byte_model(folder: Path, family: str, intermediate_size: int = 96) -> Path:
    """:param family: llama, qwen2 or qwen3; the first splits like SmolLM2, the others like Qwen2. It writes letters."""
    import torch
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the")]
    vocabulary = {text: number for number, text in enumerate([*letters, *(a + b for a, b in merges)])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=family == "llama")
    first = (
        pre_tokenizers.Digits(individual_digits=True)
        if family == "llama"
        else pre_tokenizers.Split(Regex(_QWEN2), "isolated")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<|im_start|>", "<|im_end|>")])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, vocab_size=288, hidden_size=64, intermediate_size=intermediate_size, num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2, head_dim=16, max_position_embeddings=256, tie_word_embeddings=False,
        bos_token_id=len(vocabulary), eos_token_id=len(vocabulary) + 1, initializer_range=0.3,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_config(config)
    kept = torch.zeros(288, 1)
    kept[[vocabulary[letter] for letter in "abcdefghijklmnop"]] = 1
    model.lm_head.weight.data *= kept
    model.to(torch.float16).save_pretrained(folder)
    return folder
