from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ragvoice.speech import vits
from ragvoice.speech.piper import PiperTextToSpeech
from ragvoice.speech.vits import CONTEXT_FRAMES, FIRST_FRAMES, VitsNetwork, cut_in_two

SENTENCE = "You can carry over five days of annual leave until the end of March, and three more in Poland."
IDS = {
    "input": np.arange(300, dtype=np.int64)[None] % 7,
    "input_lengths": np.asarray([300], np.int64),
    "scales": np.asarray([0.5, 1.0, 0.5], np.float32),
    "sid": np.asarray([1], np.int64),
}


@pytest.fixture
def noiseless_voice(voice_folder: Path, tmp_path: Path) -> Path:
    """The default voice, which then says a sentence twice in the same way."""
    settings = json.loads((voice_folder / "voice.onnx.json").read_text(encoding="utf-8"))
    settings["inference"] |= {"noise_scale": 0.0, "noise_w": 0.0}
    (tmp_path / "voice.onnx.json").write_text(json.dumps(settings), encoding="utf-8")
    (tmp_path / "voice.onnx").symlink_to(voice_folder / "voice.onnx")
    return tmp_path


def test_the_pieces_are_the_sound_that_the_whole_network_makes(
    noiseless_voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_pieces = PiperTextToSpeech(noiseless_voice, threads=1)
    sound = in_pieces.begin(SENTENCE)
    pieces = [piece.samples_t for piece in sound.pieces]
    monkeypatch.setattr(vits, "cut_in_two", lambda network: None)
    whole = PiperTextToSpeech(noiseless_voice, threads=1).begin(SENTENCE)
    (whole_t, whole_pause_t) = [piece.samples_t for piece in whole.pieces]

    assert [len(piece_t) for piece_t in pieces[:2]] == [256 * FIRST_FRAMES, 512 * FIRST_FRAMES]
    assert sum(map(len, pieces)) == sound.samples == whole.samples
    np.testing.assert_allclose(np.concatenate(pieces), np.concatenate([whole_t, whole_pause_t]), atol=1e-5)


def test_a_generator_that_needs_the_speaker_is_cut_all_the_same(tmp_path: Path) -> None:
    model = save(tmp_path, speaker_first=False)
    whole_t = onnxruntime.InferenceSession(model).run(None, IDS)[0].reshape(-1)

    samples, pieces = VitsNetwork(model, 1).begin(IDS)
    made = list(pieces)

    assert [len(piece_t) // 4 for piece_t in made] == [45, 90, 165]
    assert samples == len(whole_t) == 1200
    np.testing.assert_allclose(np.concatenate(made), whole_t, atol=1e-6)


def test_a_network_without_a_generator_to_be_found_speaks_in_one_piece(tmp_path: Path) -> None:
    model = save(tmp_path, speaker_first=True)
    whole_t = onnxruntime.InferenceSession(model).run(None, IDS)[0].reshape(-1)

    assert cut_in_two(onnx.load(model)) is None
    samples, (sound_t,) = VitsNetwork(model, 1).begin(IDS)
    assert samples == 1200
    np.testing.assert_array_equal(sound_t, whole_t)
    assert cut_in_two(onnx.load(save(tmp_path, longer="Conv"))) is None


def test_the_context_is_what_a_sample_depends_on(voice_folder: Path) -> None:
    """A change of one frame is heard within the context and nowhere else."""
    parts = cut_in_two(onnx.load(voice_folder / "voice.onnx"))
    assert parts is not None
    generator = onnxruntime.InferenceSession(parts[1].SerializeToString())
    frames_bcf = np.random.default_rng(0).standard_normal((1, 192, 60)).astype(np.float32)
    before_t, changed_bcf = generate(generator, frames_bcf), frames_bcf.copy()
    changed_bcf[:, :, 30] += 1
    (differs,) = np.nonzero(np.abs(generate(generator, changed_bcf) - before_t) > 1e-6)

    assert 30 - CONTEXT_FRAMES <= differs.min() / 256 < 25
    assert 36 < differs.max() / 256 <= 31 + CONTEXT_FRAMES


def generate(session: onnxruntime.InferenceSession, frames_bcf: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(session.run(None, {session.get_inputs()[0].name: frames_bcf})[0]).reshape(-1)


def save(folder: Path, *, speaker_first: bool = False, longer: str = "ConvTranspose") -> Path:
    """A network of the shape of a Piper voice with two speakers: 300 ids -> 300 frames of 2 channels -> 1200 samples.

    :param speaker_first: Of the sum of the speaker's part and the frames', the speaker's comes first.
    :param longer: What makes the sound longer than the frames.
    """
    random = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    added = ["of_speaker", "first"] if speaker_first else ["first", "of_speaker"]
    nodes = [
        helper.make_node("Gather", ["words", "input"], ["found"]),
        helper.make_node("Transpose", ["found"], ["channels"], perm=[0, 2, 1]),
        helper.make_node("ReduceMax", ["scales"], ["scale"], keepdims=0),
        helper.make_node("Mul", ["channels", "scale"], ["frames"]),
        helper.make_node("Conv", ["frames", "pre"], ["first"], pads=[1, 1]),
        helper.make_node("Gather", ["speakers", "sid"], ["speaker"]),
        helper.make_node("Unsqueeze", ["speaker", "last"], ["speaker_frame"]),
        helper.make_node("Conv", ["speaker_frame", "cond"], ["of_speaker"]),
        helper.make_node("Add", added, ["both"]),
        helper.make_node("LeakyRelu", ["both"], ["active"]),
        helper.make_node("ConvTranspose", ["active", "up"], ["long"], strides=[4], pads=[2, 2])
        if longer == "ConvTranspose"
        else helper.make_node("Conv", ["active", "up"], ["long"], pads=[2, 2]),
        helper.make_node("Tanh", ["long"], ["output"]),
    ]
    shapes = {
        "input": (TensorProto.INT64, [1, "ids"]),
        "input_lengths": (TensorProto.INT64, [1]),
        "scales": (TensorProto.FLOAT, [3]),
        "sid": (TensorProto.INT64, [1]),
        "frames": (TensorProto.FLOAT, [1, 2, "time"]),
        "speaker_frame": (TensorProto.FLOAT, [1, 2, 1]),
        "output": (TensorProto.FLOAT, [1, 1, "samples"]),
    }
    info = {name: helper.make_tensor_value_info(name, *shape) for name, shape in shapes.items()}
    graph = helper.make_graph(
        nodes,
        "voice",
        [info[name] for name in IDS],
        [info["output"]],
        [
            weights("words", 7, 2),
            weights("speakers", 2, 2),
            weights("pre", 2, 2, 3),
            weights("cond", 2, 2, 1),
            weights("up", 2, 1, 8) if longer == "ConvTranspose" else weights("up", 1, 2, 5),
            numpy_helper.from_array(np.asarray([2], np.int64), "last"),
        ],
        value_info=[info["frames"], info["speaker_frame"]],
    )
    model = folder / f"{longer}-{speaker_first}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8), model)
    return model
