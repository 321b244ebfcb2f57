"""The child process of a conversion: `python -m ragvoice.models.convert SOURCE TARGET FORMAT [ADAPTER]`.

`TARGET` is an empty folder. The last line on standard error says what went wrong; the exit code is then not 0.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ragvoice.errors import ModelError
from ragvoice.models.layout import Layout, layout_of

PARENT_CHECK_S = 1.0


def convert(source: Path, target: Path, target_format: str, adapter: Path | None = None) -> None:
    """Write `source` in `target_format` into the empty folder `target`.

    :param adapter: Folder of a LoRA adapter that is merged into it before.

    Raises:
        ModelError: there is no way from this kind of model to that format, or the adapter does not fit the model.
    """
    if adapter is not None:
        _merged(source, target, target_format, adapter)
        return
    layout = layout_of(source)
    if layout is Layout.ADAPTER:
        raise ModelError(f"{source} is an adapter without its base model: merge it into the base model first.")
    if target_format == "openai-whisper":
        from ragvoice.models.whisper_weights import to_openai

        to_openai(source, target)
    elif target_format == "transformers":
        _to_transformers(source, target, layout)
    elif layout is Layout.TRANSFORMERS:
        _quantised(source, target, target_format)
    else:
        # The 16-bit folder in between is needed for this only: several times the size of either end.
        with tempfile.TemporaryDirectory(prefix="transformers-", dir=target.parent) as between:
            _to_transformers(source, Path(between), layout)
            _quantised(Path(between), target, target_format)


def _merged(source: Path, target: Path, target_format: str, adapter: Path) -> None:
    layout = layout_of(source)
    if layout not in (Layout.TRANSFORMERS, Layout.GGUF):
        raise ModelError(
            f"an adapter cannot be merged into {source}, which is a {layout.value} model: take the same model as "
            "safetensors or GGUF."
        )
    if target_format == "openai-whisper":
        raise ModelError(f"a model with an adapter cannot become {target_format}.")
    from ragvoice.models.merge import merge

    # What lies in between is needed for this only: several times the size of either end.
    with tempfile.TemporaryDirectory(prefix="merging-", dir=target.parent) as between:
        base = source
        if layout is Layout.GGUF:
            base = Path(between) / "base"
            base.mkdir()
            _to_transformers(source, base, layout)
        if target_format == "transformers":
            merge(base, adapter, target)
            return
        whole = Path(between) / "merged"
        whole.mkdir()
        merge(base, adapter, whole)
        if base is not source:
            shutil.rmtree(base)
        _quantised(whole, target, target_format)


def _to_transformers(source: Path, target: Path, layout: Layout) -> None:
    if layout is Layout.GGUF:
        from ragvoice.models import gguf_to_transformers

        gguf_to_transformers.convert(source, target)
    elif layout is Layout.CTRANSLATE2:
        from ragvoice.models.whisper_weights import to_transformers

        to_transformers(source, target)
    else:
        raise ModelError(f"{source} holds neither a GGUF, nor safetensors with a config.json, nor a CTranslate2 model.")


def _quantised(source: Path, target: Path, target_format: str) -> None:
    from ragvoice.models import to_ctranslate2, to_torch_int8

    if target_format == "torch-int8":
        to_torch_int8.convert(source, target)
        return
    to_ctranslate2.convert(source, target, target_format.removeprefix("ctranslate2-"))


def _end_with_parent(parent: int) -> None:
    """A killed parent must not leave a process behind that goes on filling the disk."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(1)


def main(arguments: Sequence[str]) -> int:
    source, target, target_format, *adapter = arguments
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        convert(Path(source), Path(target), target_format, Path(adapter[0]) if adapter else None)
    except ModelError as error:
        sys.stderr.write(f"\n{' '.join(str(error).split())}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
