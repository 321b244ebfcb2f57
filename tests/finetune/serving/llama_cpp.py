"""llama.cpp on one thread, greedy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path


def answers(model: Path, prompts: Sequence[str], tokens: int, adapter: Path | None = None) -> list[tuple[str, int]]:
    """Text of each answer and the number of tokens of its prompt, by llama.cpp's own tokenizer."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.n_ctx, params.n_parallel, params.verbosity = str(model), 512, 1, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib, params.warmup = 0, False
    if adapter:
        info = xllamacpp.CommonAdapterLoraInfo()
        info.path, info.scale = str(adapter), 1.0
        params.lora_adapters = [info]
    server = xllamacpp.Server(params)
    found = []
    for prompt in prompts:
        request = {"prompt": prompt, "n_predict": tokens, "temperature": 0, "cache_prompt": False}
        reply = server.handle_completions(request)
        reply = reply if isinstance(reply, dict) else json.loads(reply)
        found.append((reply["choices"][0]["text"], reply["usage"]["prompt_tokens"]))
    return found
