"""Ways to run one sentence-transformers model of the BERT family on a CPU: name -> what opens it.

Each is opened with a number of threads in a process of its own, so it may set what counts for a whole process. Some
need packages that the project itself does not use: `pip install onnx openvino`.

Legend: `b` texts of a batch, `l` tokens.
"""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.build import build_embeddings, build_store
from ragvoice.retrieval.embeddings import tokens_of
from ragvoice.settings import Settings

MODEL = "all-minilm-l6-v2"
Floats = NDArray[np.float32]
Embed = Callable[[list[str]], Floats]


def langchain(threads: int) -> Embed:
    import torch
    from langchain_huggingface import HuggingFaceEmbeddings

    torch.set_num_threads(threads)
    embeddings = HuggingFaceEmbeddings(model_name=str(build_store().path(MODEL)))
    return lambda texts: np.array(embeddings.embed_documents(texts), dtype=np.float32)


def ours(threads: int) -> Embed:
    embeddings: Any = build_embeddings(Settings(embedder=MODEL, threads=threads))
    return lambda texts: embeddings.embed(texts)


def ours_with_avx512(threads: int) -> Embed:
    """CTranslate2 takes AVX2 on AMD processors unless it is told otherwise, for what is not matrix products."""
    os.environ["CT2_FORCE_CPU_ISA"] = "AVX512"
    return ours(threads)


class Batched(ABC):
    """Batches of like length, padded to the longest, mean pooling, unit length."""

    def __init__(self, batch_tokens: int):
        from tokenizers import Tokenizer

        folder = build_store().path(MODEL)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(tokens_of(folder))
        self._tokenizer.no_padding()
        self._batch_tokens = batch_tokens

    def __call__(self, texts: list[str]) -> Floats:
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        batches: list[list[int]] = []
        for i in sorted(range(len(ids)), key=lambda i: len(ids[i]), reverse=True):
            if batches and (len(batches[-1]) + 1) * len(ids[batches[-1][0]]) <= self._batch_tokens:
                batches[-1].append(i)
            else:
                batches.append([i])
        found = self.means([[ids[i] for i in batch] for batch in batches])
        means = np.empty((len(ids), found[0].shape[1]), dtype=np.float32)
        for batch, rows in zip(batches, found, strict=True):
            means[batch] = rows
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def means(self, batches: list[list[list[int]]]) -> list[Floats]:
        return [self.mean(batch) for batch in batches]

    @abstractmethod
    def mean(self, batch: list[list[int]]) -> Floats: ...


def padded(batch: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids and attention mask, each (b, l)."""
    ids_bl = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask_bl = np.zeros_like(ids_bl)
    for row, ids in enumerate(batch):
        ids_bl[row, : len(ids)] = ids
        mask_bl[row, : len(ids)] = 1
    return ids_bl, mask_bl


class CTranslate2(Batched):
    def __init__(self, threads: int, *, batch_tokens: int, quantisation: str = "int8", replicas: int = 1):
        """:param replicas: Workers that share the threads, each with a batch of its own."""
        import ctranslate2

        super().__init__(batch_tokens)
        folder = build_store().converted(MODEL, f"ctranslate2-{quantisation}")
        self._encoder = ctranslate2.Encoder(
            str(folder), inter_threads=replicas, intra_threads=max(1, threads // replicas)
        )
        self._pool = ThreadPoolExecutor(replicas)

    def means(self, batches: list[list[list[int]]]) -> list[Floats]:
        return list(self._pool.map(self.mean, batches))

    def mean(self, batch: list[list[int]]) -> Floats:
        hidden = np.asarray(self._encoder.forward_batch(batch).last_hidden_state)
        return np.stack([hidden[row, : len(ids)].mean(axis=0) for row, ids in enumerate(batch)])


class Torch(Batched):
    def __init__(self, threads: int, dtype: str, batch_tokens: int = 4096):
        import torch
        from transformers import AutoModel

        super().__init__(batch_tokens)
        torch.set_num_threads(threads)
        self._torch = torch
        self._model: Any = AutoModel.from_pretrained(build_store().path(MODEL), dtype=getattr(torch, dtype)).eval()

    def mean(self, batch: list[list[int]]) -> Floats:
        ids_bl, mask_bl = map(self._torch.from_numpy, padded(batch))
        with self._torch.inference_mode():
            hidden = self._model(input_ids=ids_bl, attention_mask=mask_bl).last_hidden_state.float()
            weights = mask_bl.unsqueeze(-1).float()
            mean: Floats = ((hidden * weights).sum(1) / weights.sum(1)).numpy()
        return mean


def export_onnx(folder: Path) -> Path:
    """The encoder with the pooling in its graph."""
    import torch
    from transformers import AutoModel

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model: Any = AutoModel.from_pretrained(build_store().path(MODEL), attn_implementation="eager").eval()

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            weights = attention_mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * weights).sum(1) / weights.sum(1)

    ids, mask = map(torch.from_numpy, padded([[101, 2023, 2003, 102], [101, 102]]))
    axes = {0: "texts", 1: "tokens"}
    torch.onnx.export(
        Pooled(), (ids, mask), str(folder / "model.onnx"), dynamo=False, opset_version=17,
        input_names=["input_ids", "attention_mask"], output_names=["mean"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "mean": {0: "texts"}},
    )  # fmt: skip
    return folder / "model.onnx"


class OnnxRuntime(Batched):
    def __init__(self, threads: int, *, int8: bool, batch_tokens: int = 1024):
        """:param int8: Weights by channel; activations by the range that they have in the batch."""
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.transformers import optimizer

        super().__init__(batch_tokens)
        with tempfile.TemporaryDirectory() as folder:
            file = str(export_onnx(Path(folder)))
            fused = optimizer.optimize_model(file, model_type="bert", num_heads=12, hidden_size=384, opt_level=0)
            fused.save_model_to_file(file)
            if int8:
                quantize_dynamic(
                    file, file, per_channel=True, weight_type=QuantType.QInt8,
                    op_types_to_quantize=["MatMul", "Attention"],
                    extra_options={"MatMulConstBOnly": True, "DefaultTensorType": 1},
                )  # fmt: skip
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = threads
            self._session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def mean(self, batch: list[list[int]]) -> Floats:
        ids_bl, mask_bl = padded(batch)
        mean: Floats = self._session.run(None, {"input_ids": ids_bl, "attention_mask": mask_bl})[0]
        return mean


class OpenVino(Batched):
    def __init__(self, threads: int, precision: str, batch_tokens: int = 1024):
        import openvino

        super().__init__(batch_tokens)
        with tempfile.TemporaryDirectory() as folder:
            compiled = openvino.Core().compile_model(
                str(export_onnx(Path(folder))),
                "CPU",
                {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1},
            )
        self._request = compiled.create_infer_request()

    def mean(self, batch: list[list[int]]) -> Floats:
        mean: Floats = self._request.infer(dict(enumerate(padded(batch))))[0].copy()
        return mean


CANDIDATES: dict[str, Callable[[int], Embed]] = {
    "LangChain, defaults": langchain,
    "ours": ours,
    "ours, AVX512 forced": ours_with_avx512,
    "CTranslate2 int8, padded batches of 4096": lambda threads: CTranslate2(threads, batch_tokens=4096),
    "CTranslate2 int8, padded batches of 1024": lambda threads: CTranslate2(threads, batch_tokens=1024),
    "CTranslate2 int8, padded, 2 replicas": lambda threads: CTranslate2(threads, batch_tokens=1024, replicas=2),
    "CTranslate2 float32": lambda threads: CTranslate2(threads, batch_tokens=1024, quantisation="float32"),
    "torch float32": lambda threads: Torch(threads, "float32"),
    "torch bfloat16": lambda threads: Torch(threads, "bfloat16"),
    "onnxruntime float32": lambda threads: OnnxRuntime(threads, int8=False),
    "onnxruntime int8": lambda threads: OnnxRuntime(threads, int8=True),
    "OpenVINO float32": lambda threads: OpenVino(threads, "f32"),
    "OpenVINO bfloat16": lambda threads: OpenVino(threads, "bf16"),
}
