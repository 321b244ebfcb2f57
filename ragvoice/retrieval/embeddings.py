"""Sentence embeddings on CTranslate2: a BERT encoder, mean pooling, unit length.

Legend: `n` texts, `b` texts of a batch, `l` tokens, `d` embedding dimension.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ragvoice.errors import ModelError


class CTranslate2Embeddings(Embeddings):
    """A sentence-transformers model of the BERT family with mean pooling, run without torch.

    Pooling is the mean of the token vectors under the attention mask, then L2 normalisation
    (Reimers and Gurevych 2019, arXiv 1908.10084); models that pool otherwise need `HuggingFaceEmbeddings`.

    A batch holds texts of one length only. With padding, the sums of the attention run over another number of tokens,
    and the last bit in which they differ moves int8 roundings: a vector would depend on the texts beside it.
    """

    def __init__(self, model_path: Path, *, max_tokens: int = 256, batch_tokens: int = 1024, cpu_threads: int = 0):
        """
        :param model_path: Folder with CTranslate2's `model.bin` and the `tokenizer.json`.
        :param max_tokens: Longer texts are cut here, special tokens included.
        :param batch_tokens: Tokens in one batch, if two texts fit; the activations of much more leave the cache.
        :param cpu_threads: 0 leaves the choice to CTranslate2.
        :raises ModelError: when the folder is not such a model, or one that makes its vectors otherwise.
        """
        import ctranslate2
        from tokenizers import Tokenizer

        _require_mean_pooling(model_path)
        try:
            self._encoder = ctranslate2.Encoder(str(model_path), device="auto", intra_threads=cpu_threads)
            self._tokenizer = Tokenizer.from_file(str(model_path / "tokenizer.json"))
        except Exception as error:  # both libraries raise bare RuntimeError / Exception
            raise ModelError(
                f"{model_path.name} is not an embedding model that CTranslate2 can load ({error}). "
                "Run: ragvoice models verify"
            ) from error
        self._tokenizer.enable_truncation(max_tokens)
        self._tokenizer.no_padding()
        self._batch_tokens = batch_tokens

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed(texts).tolist()  # type: ignore[no-any-return]

    def embed_query(self, text: str) -> list[float]:
        return self.embed([text])[0].tolist()  # type: ignore[no-any-return]

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Shape (n, d), rows of unit length, in the order of `texts`."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        batches = [
            (batch, self._mean_bd([ids[i] for i in batch]))
            for batch in _batches_of_one_length([len(row) for row in ids], self._batch_tokens)
        ]
        vectors_nd = np.empty((len(ids), batches[0][1].shape[1]), dtype=np.float32)
        for batch, mean_bd in batches:
            vectors_nd[batch] = mean_bd / np.maximum(np.linalg.norm(mean_bd, axis=1, keepdims=True), 1e-12)
        return vectors_nd

    def _mean_bd(self, ids_bl: list[list[int]]) -> NDArray[np.float32]:
        from ctranslate2 import Device

        hidden_bld = self._encoder.forward_batch(ids_bl).last_hidden_state
        if hidden_bld.device != "cpu":
            hidden_bld = hidden_bld.to_device(Device.cpu)
        mean_bd: NDArray[np.float32] = np.asarray(hidden_bld).mean(axis=1)
        return mean_bd


def _batches_of_one_length(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Indices of texts of equal length, as many as fit."""
    by_length: dict[int, list[int]] = {}
    for i, length in enumerate(lengths):
        by_length.setdefault(length, []).append(i)
    for length, indices in by_length.items():
        size = max(1, batch_tokens // length)
        yield from (indices[start : start + size] for start in range(0, len(indices), size))


def _require_mean_pooling(model_path: Path) -> None:
    """Of a folder that says how its vectors are made; others would find less, and nobody would be told."""
    pooling, modules = _json(model_path / "1_Pooling" / "config.json"), _json(model_path / "modules.json")
    switches = [key for key, on in (pooling or {}).items() if key.startswith("pooling_mode_") and on]
    # One name or several since sentence-transformers 6, a switch for each before.
    modes = (pooling or {}).get("pooling_mode", switches)
    kinds = {module["type"].rpartition(".")[2] for module in modules or []}
    others = sorted(kinds - {"Transformer", "Pooling", "Normalize"})
    if others or (pooling and modes not in ("mean", ["mean"], ["pooling_mode_mean_tokens"])):
        what = f"the parts {', '.join(others)}" if others else f"the pooling {modes}"
        raise ModelError(
            f"{model_path.name} makes its vectors with {what}, which CTranslate2 does not compute here. "
            "Set embedder_runtime = 'sentence-transformers'."
        )


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def tokens_of(model_path: Path) -> int:
    """The length that a sentence-transformers folder says it was trained for; 256 when it does not say."""
    said = _json(model_path / "sentence_bert_config.json") or {}
    return int(said.get("max_seq_length") or 256)
