"""The network of a Piper voice: phoneme ids -> sound, piece by piece where it can be cut in two.

VITS (Kim et al. 2021, arXiv 2106.06103) turns a sentence into frames of about 12 ms, and these into sound with a
convolutional generator (HiFi-GAN, Kong et al. 2020, arXiv 2010.05646), which takes most of the time. A sample depends
on the frames near it only: the first frames become sound while the others wait, and nothing of it sounds different.

Array legend: `t` samples, `b` batch (of one), `c` channels, `f` frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ragvoice.errors import SpeechError

if TYPE_CHECKING:
    import onnx

SPEAKER = "sid"
"""The network's input with a speaker's number; only a voice with several has it."""
FIRST_FRAMES = 45
"""Of the first piece, half a second. Each further one is twice as long: it is made while the one before is heard."""
CONTEXT_FRAMES = 14
"""On either side of a piece, made with it and thrown away: as far as a generator sees (its kernels and dilations added
up: 11 frames for a voice of medium quality, 14 for one of high)."""

Inputs = Mapping[str, NDArray[Any]]


class VitsNetwork:
    """The network of one voice, in ONNX. One that cannot be cut makes a sentence in one piece.

    :param threads: of one run; 0 leaves it to onnxruntime.
    :raises Exception: of onnx or onnxruntime, where the file is no network; theirs share no other root.
    """

    def __init__(self, model: Path, threads: int) -> None:
        import onnx
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3

        def session(network: str | bytes) -> Any:
            return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])

        parts = cut_in_two(onnx.load(model))
        self._generator = session(parts[1].SerializeToString()) if parts else None
        self._encoder = session(parts[0].SerializeToString() if parts else str(model))

    def begin(self, inputs: Inputs) -> tuple[int, Iterator[NDArray[np.float32]]]:
        """How many samples the sound has, and its pieces of shape (t,), each made when it is asked for.

        :raises SpeechError: now or with a piece, when onnxruntime fails.
        """
        made = _run(self._encoder, inputs)
        if self._generator is None:
            return made.size, iter([made.reshape(-1)])
        frames, *speaker = self._generator.get_inputs()
        given = {one.name: inputs[one.name] for one in speaker}

        def sound_t(frames_bcf: NDArray[np.float32]) -> NDArray[np.float32]:
            return _run(self._generator, {frames.name: np.ascontiguousarray(frames_bcf), **given}).reshape(-1)

        hop = len(sound_t(made[:, :, :1]))
        return made.shape[2] * hop, _pieces(sound_t, made, hop)


def _pieces(
    sound_t: Callable[[NDArray[np.float32]], NDArray[np.float32]], frames_bcf: NDArray[np.float32], hop: int
) -> Iterator[NDArray[np.float32]]:
    count = frames_bcf.shape[2]
    start, size = 0, FIRST_FRAMES
    while start < count:
        end = min(count, start + size)
        before = min(start, CONTEXT_FRAMES)
        made_t = sound_t(frames_bcf[:, :, start - before : end + CONTEXT_FRAMES])
        yield made_t[before * hop : (before + end - start) * hop]
        start, size = end, 2 * size


def _run(session: Any, inputs: Inputs) -> NDArray[np.float32]:
    try:
        return np.asarray(session.run(None, inputs)[0], np.float32)
    except Exception as error:  # onnxruntime's own exceptions share no root but this one
        shapes = ", ".join(f"{name} {value.shape}" for name, value in inputs.items())
        raise SpeechError(f"the voice failed on {shapes}: {error}") from error


def cut_in_two(network: onnx.ModelProto) -> tuple[onnx.ModelProto, onnx.ModelProto] | None:
    """(inputs -> frames, frames and perhaps the speaker -> sound), or None where that is not how it is made.

    The generator begins with a convolution, before the first one that makes its input longer (`ConvTranspose`).
    Names are the exporter's own and say nothing.
    """
    from onnx.utils import Extractor

    graph = network.graph
    makers = {output: node for node in graph.node for output in node.output}
    node = next((node for node in graph.node if node.op_type == "ConvTranspose"), None)
    while node is not None and node.op_type != "Conv":
        node = makers.get(node.input[0])  # an activation; the sum with what the speaker adds
    if node is None:
        return None
    frames, inputs = node.input[0], [one.name for one in graph.input]
    extractor = Extractor(network)
    if frames not in extractor.value_infos:
        return None
    generator = extractor.extract_model([frames], [graph.output[0].name])
    used = {name for node in generator.graph.node for name in node.input}
    if not used.isdisjoint(set(inputs) - {SPEAKER}):
        return None  # it needs more of the sentence than its frames
    generator.graph.input.extend(one for one in graph.input if one.name in used)
    return extractor.extract_model(inputs, [frames]), generator
