"""The model card of an exported folder: what it is made of, what it was measured at, how it is served."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune.proof.parity import Parity
from finetune.run_folder import adapter_sha256
from finetune.serving.trained import Trained

_SERVE = {
    "ctranslate2-int8": (
        'With ragvoice: set `llm = "{folder}"`, `llm_runtime = "ctranslate2"` and `adapter = "none"`: the adapter is '
        "in the weights. With "
        'CTranslate2 alone: `ctranslate2.Generator("{folder}", compute_type="int8")`, with the tokenizer and chat '
        "template beside it."
    ),
    "gguf": "With llama.cpp: `llama-server -m {folder}/model.gguf --jinja`. {openai}",
    "gguf-adapter": (
        "With llama.cpp, beside the base model as GGUF: `llama-server -m BASE.gguf --lora {folder}/adapter.gguf "
        "--jinja`. {openai}"
    ),
    "safetensors": (
        "With vLLM: `vllm serve {folder} --served-model-name {name}`; with transformers: "
        '`AutoModelForCausalLM.from_pretrained("{folder}")`. {openai}'
    ),
    "adapter": (
        "With vLLM, beside the base model: `vllm serve BASE --enable-lora --lora-modules {name}={folder} "
        '--max-lora-rank {rank}`; then in ragvoice `llm_runtime = "openai"`, `llm_url = "http://HOST:8000/v1"`, '
        '`adapter = "{name}"`. In ragvoice itself: `adapter = "{folder}"`.'
    ),
}
_OPENAI = 'Then in ragvoice: `llm_runtime = "openai"`, `llm_url = "http://HOST:PORT/v1"`, `llm = "{name}"`.'
_USE = (
    "It was trained on ragvoice's prompt and answers from passages that are in the prompt; alone it knows nothing of "
    "the documents."
)
_LISTED = ("f1", "exact_match", "right", "refused_answerable", "refused_unanswerable", "grounded", "contains")
"""Measures of an evaluation that a card shows."""


def model_card(trained: Trained, target: str, main: str, licence: str, parity: Parity | None) -> str:
    """Markdown with the header that model hubs read. Names no folder of this machine and quotes no document.

    :param main: The file that a server is given; empty for the folder.
    :param licence: Short name; empty when the base does not say it.
    """
    adapter, told = trained.adapter, trained.adapter.provenance
    base = Path(trained.base).name if Path(trained.base).is_dir() else trained.base
    rank = json.loads((trained.folder / "adapter_config.json").read_text(encoding="utf-8")).get("r", "")
    lines = ["---", f"base_model: {base}", f"license: {licence or 'unknown'}", "pipeline_tag: text-generation"]
    lines += ["library_name: peft" if target == "adapter" else "tags: [ragvoice, lora]", "---", ""]
    lines += [f"# {adapter.name}", "", _about(target, base, main), "", "| | |", "|---|---|"]
    facts = {
        "base model": f"{base} ({told.base_fingerprint})" if told else base,
        "licence of the base": licence or "not stated with its files: find out before you pass this on",
        "adapter (SHA-256, first 16)": adapter.fingerprint,
        "training data (SHA-256)": told.data if told else "unknown: trained elsewhere",
        "prompt (SHA-256)": told.prompt if told else "unknown",
    }
    lines += [f"| {name} | {value or 'not recorded'} |" for name, value in facts.items()]
    lines += ["", "## Serve it", ""]
    openai = _OPENAI.format(name=adapter.name)
    lines += [_SERVE[target].format(folder="FOLDER", name=adapter.name, rank=rank, openai=openai)]
    lines += ["", _USE, "", "## Figures", ""]
    lines += list(_figures(trained)) or ["Not evaluated."]
    if parity:
        lines += ["", "## Served against trained", "", parity.sentence]
    return "\n".join(lines) + "\n"


def _about(target: str, base: str, main: str) -> str:
    what = {
        "ctranslate2-int8": "merged into it, quantised to 8 bits for CTranslate2",
        "gguf": f"merged into it, as one file for llama.cpp (`{main}`)",
        "gguf-adapter": f"as a file that llama.cpp loads beside it (`{main}`)",
        "safetensors": "merged into it, 16-bit weights in the format of transformers",
        "adapter": "in the format of PEFT",
    }[target]
    return f"A LoRA adapter for {base}, fine-tuned with ragvoice to answer from a company's documents; here {what}."


def _figures(trained: Trained) -> Iterator[str]:
    """Rows of the run's evaluation.json, if it is of this very adapter: base and adapter over the same questions."""
    file = trained.run / "evaluation.json" if trained.run else None
    if file is None or not file.is_file() or trained.adapter.provenance is None:
        return
    evaluation = json.loads(file.read_text(encoding="utf-8"))
    if evaluation.get("adapter_sha256") != adapter_sha256(trained.folder):
        return
    rows = [
        (comparison, name, value)
        for comparison in evaluation.get("comparisons", [])
        for name, value in comparison["measures"].items()
        if name in _LISTED
    ]
    if not rows:
        return
    yield "| set | style | measure | base | adapter | difference, 95 % interval | questions |"
    yield "|---|---|---|---|---|---|---|"
    for comparison, name, value in rows:
        cells = (comparison["set"], comparison["style"], name.replace("_", " "), *_numbers(value))
        yield f"| {' | '.join(cells)} |"


def _numbers(value: dict[str, Any]) -> tuple[str, ...]:
    span = "" if value.get("low") is None else f" ({value['low']:+.3f} to {value['high']:+.3f})"
    return f"{value['before']:.3f}", f"{value['after']:.3f}", f"{value['value']:+.3f}{span}", str(value["n"])
