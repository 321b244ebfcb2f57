"""Sentence embeddings on CTranslate2: a BERT encoder, mean pooling, unit length.

Legend: `n` texts, `l` tokens, `d` embedding dimension.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ragvoice.errors import ModelError


class CTranslate2Embeddings(Embeddings):
    """A sentence-transformers model of the BERT family with mean pooling, run without torch.

    Pooling is the mean of the token vectors under the attention mask, then L2 normalisation
    (Reimers and Gurevych 2019, arXiv 1908.10084); models that pool otherwise need `HuggingFaceEmbeddings`.
    """

    def __init__(self, model_path: Path, *, max_tokens: int = 256, batch_tokens: int = 4096, cpu_threads: int = 0):
        """
        :param model_path: Folder with CTranslate2's `model.bin` and the `tokenizer.json`.
        :param max_tokens: Longer texts are cut here, special tokens included.
        :param batch_tokens: Padded tokens in one batch; bounds the memory.
        :param cpu_threads: 0 leaves the choice to CTranslate2.
        :raises ModelError: when the folder is not such a model.
        """
        import ctranslate2
        from tokenizers import Tokenizer

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
        rows: list[NDArray[np.float32] | None] = [None] * len(ids)
        for batch in _length_sorted_batches([len(row) for row in ids], self._batch_tokens):
            hidden_nld = np.array(self._encoder.forward_batch([ids[i] for i in batch]).last_hidden_state)
            for row, i in enumerate(batch):
                mean_d = hidden_nld[row, : len(ids[i])].mean(axis=0)
                rows[i] = mean_d / max(float(np.linalg.norm(mean_d)), 1e-12)
        return np.stack([row for row in rows if row is not None]).astype(np.float32)


def _length_sorted_batches(lengths: list[int], batch_tokens: int) -> list[list[int]]:
    """Indices grouped so that texts of like length share a batch: little padding, so little waste."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: lengths[i], reverse=True):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= batch_tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def tokens_of(model_path: Path) -> int:
    """The length that a sentence-transformers folder says it was trained for; 256 when it does not say."""
    file = model_path / "sentence_bert_config.json"
    return int(json.loads(file.read_text()).get("max_seq_length", 256)) if file.is_file() else 256
