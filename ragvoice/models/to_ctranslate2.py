"""transformers folder -> CTranslate2 folder. Heavy imports stay inside: runs in the conversion's child process only."""

from __future__ import annotations

import shutil
from pathlib import Path

from ragvoice.errors import ModelError

BESIDE = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
    "preprocessor_config.json",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)
"""What a runtime reads besides the weights: tokens, chat format, end tokens, pooling."""

FIRST_WITH_NEW_ROPE = (4, 8)
"""transformers 5 moved `rope_theta` into `rope_parameters`; older converters would silently take 10,000 instead."""


def convert(source: Path, target: Path, quantisation: str) -> None:
    """Write `source` for CTranslate2 into the empty folder `target`; its `config.json` becomes `hf_config.json`.

    Raises:
        ModelError: CTranslate2 is too old or does not know the architecture.
    """
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    version = tuple(int(part) for part in ctranslate2.__version__.split(".")[:2])
    if version < FIRST_WITH_NEW_ROPE:
        raise ModelError(f"ctranslate2 {ctranslate2.__version__} misreads models saved by transformers 5: use >=4.8.")
    try:
        TransformersConverter(str(source)).convert(str(target), quantization=quantisation, force=True)
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelError(f"CTranslate2 cannot convert {source}: {' '.join(str(error).split())}") from error
    shutil.copyfile(source / "config.json", target / "hf_config.json")
    for name in BESIDE:
        if (source / name).is_file():
            (target / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, target / name)
