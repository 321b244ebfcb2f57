"""Reading `model.bin`, on a file written here byte by byte after the layout."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from ragvoice.errors import ModelError
from ragvoice.models.whisper_weights import read_model_bin, to_openai


def string(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def variable(name: str, values: np.ndarray, dtype_id: int) -> bytes:
    shape = b"".join(struct.pack("<I", size) for size in values.shape)
    header = string(name) + struct.pack("<B", values.ndim) + shape
    return header + struct.pack("<BI", dtype_id, values.nbytes) + values.tobytes()


HALVES = np.arange(6, dtype=np.float16).reshape(2, 3)
START = struct.pack("<I", 6) + string("WhisperSpec") + struct.pack("<I", 3)
FILE = (
    START
    + struct.pack("<I", 2)
    + variable("a/weight", HALVES, 4)
    + variable("a/heads", np.asarray(8, np.int16), 2)
    + struct.pack("<I", 1)
    + string("b/weight")
    + string("a/weight")
)


def test_variables_and_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(FILE)

    weights = read_model_bin(path)

    assert sorted(weights) == ["a/heads", "a/weight", "b/weight"]
    np.testing.assert_array_equal(weights["b/weight"], HALVES)
    assert weights["a/weight"].dtype == np.float16
    assert int(weights["a/heads"]) == 8


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (FILE[:-20], "damaged"),
        (FILE[:50], "damaged"),
        (b"", "damaged"),
        (START.replace(b"WhisperSpec", b"WhateveSpec"), "WhateveSpec"),
        (struct.pack("<I", 5) + START[4:], "format 5"),
        (START + struct.pack("<I", 1) + variable("w", np.zeros((2, 2), np.int8), 1), "quantised"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(data)

    with pytest.raises(ModelError, match=said):
        read_model_bin(path)


@pytest.mark.slow
def test_the_state_dict_is_the_published_one(whisper_folder: Path, tmp_path: Path) -> None:
    import torch

    checkpoint = torch.load(to_openai(whisper_folder, tmp_path), weights_only=True)
    state = checkpoint["model_state_dict"]

    # OpenAI's "base": 245 tensors; keys have no bias; the encoder's positions are sinusoids.
    assert len(state) == 245
    assert "encoder.blocks.0.attn.key.bias" not in state
    assert checkpoint["dims"]["n_vocab"] == 51_865
    assert {values.dtype for values in state.values()} == {torch.float16}
    first_s = np.exp(-np.log(10_000) / 255 * np.arange(256))
    expected = np.concatenate([np.sin(first_s), np.cos(first_s)])
    np.testing.assert_allclose(state["encoder.positional_embedding"][1].numpy(), expected, atol=1e-3)
