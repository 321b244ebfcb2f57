"""Sound in and out: any recording becomes 16 kHz mono float32, and a chunk becomes a WAV file.

What people upload is hostile or broken often enough to matter: text named .wav, headers without sound, a day of
silence in a few kilobytes. Each of them ends in an `AudioError` that says what is wrong, and never in more memory than
the limit allows.

Array legend: `t` samples, `c` channels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import AudioError
from ragvoice.files import replacing

SAMPLE_RATE_HZ = 16_000
"""What Whisper and the voice activity detector want."""
MAX_DURATION_S = 2 * 3600.0
MIN_DURATION_S = 0.02
"""One window of the voice activity detector is 0.032 s; less than this is a header, not a recording."""
RATES_HZ = (2_000, 768_000)
"""A header with another rate is damaged."""
MAX_CHANNELS = 64

# Only formats that hold sound themselves: FFmpeg would follow a playlist (HLS, concat) to other files and addresses.
FORMATS = "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,amr,mov,mp4,m4a,3gp,matroska,webm,asf,avi,mpeg,mpegts"


def decode(data: bytes | Path, *, max_duration_s: float = MAX_DURATION_S) -> AudioChunk:
    """Read a recording of any container, rate and number of channels.

    Channels are averaged. Where a file breaks off, the sound up to there is returned; a damaged part within it is left
    out.

    :param data: the file's bytes, or where it lies.
    :param max_duration_s: a longer recording is refused; one hour takes 230 MB.
    :return: 16 kHz mono, range -1 to 1.
    :raises AudioError: no such file, not audio, no sound in it, or too long.
    """
    parts = list(stream(data, max_duration_s=max_duration_s))
    return AudioChunk(np.concatenate(parts), SAMPLE_RATE_HZ)


def stream(data: bytes | Path, *, max_duration_s: float = MAX_DURATION_S) -> Iterator[NDArray[np.float32]]:
    """`decode` piece by piece: blocks of shape (t,), in memory that does not grow with the recording.

    :raises AudioError: as `decode`; for a recording that is too long or holds nothing possibly after some blocks.
    """
    max_samples = int(max_duration_s * SAMPLE_RATE_HZ)
    name = "the recording" if isinstance(data, bytes) else data.name
    try:
        yield from _checked(_read_with_av(_opened(data, name), max_samples), max_samples)
    except AudioError as av_error:
        if str(av_error).startswith(_TOO_LONG):
            raise
        # Nothing has been given away yet: where a file breaks off after some sound, that is no error.
        try:
            yield from _checked(_read_with_soundfile(_opened(data, name)), max_samples)
        except AudioError as error:
            if str(error).startswith(_TOO_LONG):
                raise
            raise AudioError(f"{name}: {av_error}") from av_error


def resample(audio: AudioChunk, sample_rate_hz: int) -> AudioChunk:
    """The same sound at another rate (soxr, high quality)."""
    if audio.sample_rate_hz == sample_rate_hz or not len(audio.samples_t):
        return AudioChunk(audio.samples_t, sample_rate_hz)
    import soxr

    samples_t = soxr.resample(audio.samples_t, audio.sample_rate_hz, sample_rate_hz)
    return AudioChunk(np.asarray(samples_t, np.float32), sample_rate_hz)


class Resampler:
    """`resample` for one sound that comes in pieces: no edge is heard between them."""

    def __init__(self, from_hz: int, to_hz: int):
        import soxr

        self._to_hz = to_hz
        self._stream = None if from_hz == to_hz else soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32")

    def resample(self, piece: AudioChunk, *, last: bool) -> AudioChunk:
        """:return: what can be known of it; a few milliseconds come with the next piece, and all with the last."""
        if self._stream is None:
            return piece
        return AudioChunk(self._stream.resample_chunk(piece.samples_t, last=last), self._to_hz)


def wav_bytes(audio: AudioChunk) -> bytes:
    """16-bit PCM."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(audio.samples_t, -1, 1), audio.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def write_wav(path: Path, audio: AudioChunk) -> None:
    """Write 16-bit PCM. A reader sees the old file or the whole new one, never a half.

    :raises AudioError: the folder cannot be written to.
    """
    import soundfile

    try:
        with replacing(path) as file:
            file.write(wav_bytes(audio))
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioError(
            f"{path.name} cannot be written: {error}. Check that its folder exists and has room."
        ) from error


_TOO_LONG = "the recording is longer than"


def _opened(data: bytes | Path, name: str) -> BinaryIO:
    if isinstance(data, bytes):
        if not data:
            raise AudioError("the file is empty (0 bytes); record again.")
        return io.BytesIO(data)
    try:
        if not data.is_file() and data.exists():
            raise AudioError("this is a folder or a device, not a file.")
        if data.stat().st_size == 0:
            raise AudioError("the file is empty (0 bytes); record again.")
        return data.open("rb")
    except FileNotFoundError as error:
        raise AudioError(f"there is no file {name}; check the path.") from error
    except OSError as error:
        raise AudioError(f"the file cannot be opened: {error.strerror}.") from error


def _checked(blocks: Iterator[NDArray[np.float32]], max_samples: int) -> Iterator[NDArray[np.float32]]:
    """Range and length; the blocks of the first moment come together, so that an error comes before any of them."""
    first: list[NDArray[np.float32]] = []
    count, least = 0, MIN_DURATION_S * SAMPLE_RATE_HZ
    for block_t in blocks:
        count += len(block_t)
        if count > max_samples:
            raise _too_long(max_samples)
        # A float WAV may hold anything; one NaN would silence the recogniser for the whole recording.
        np.nan_to_num(block_t, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)
        first.append(np.clip(block_t, -1, 1, out=block_t))
        if count >= least:
            yield from first
            first.clear()
    if count < least:
        raise AudioError("the file holds no sound; record again, or send WAV, FLAC, MP3, M4A, OGG or WebM.")


def _too_long(max_samples: int) -> AudioError:
    return AudioError(f"{_TOO_LONG} {max_samples / SAMPLE_RATE_HZ:,.0f} s, the limit here; send a shorter one.")


def _check_header(rate_hz: int, channels: int) -> None:
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1] or not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"the header says {rate_hz} Hz and {channels} channels, which no recording has; record again.")


def _read_with_av(file: BinaryIO, max_samples: int) -> Iterator[NDArray[np.float32]]:
    import av

    heard = False
    try:
        with file, av.open(file, options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise AudioError("the file has no audio track; send one that has.")
            stream = container.streams.audio[0]
            _check_header(stream.rate or 0, stream.channels)
            if container.duration and container.duration / av.time_base > 1.05 * max_samples / SAMPLE_RATE_HZ:
                # Said before an hour of decoding, where the header knows; `_checked` counts in any case.
                raise _too_long(max_samples)
            for block_tc in _resampled(_frames(container, stream)):
                heard = True
                yield block_tc.mean(axis=1, dtype=np.float32)
    except (av.FFmpegError, ValueError, OverflowError, MemoryError) as error:
        if not heard:
            raise AudioError(
                "this is not a recording that can be read; send WAV, FLAC, MP3, M4A, OGG or WebM."
            ) from error


def _frames(container: Any, stream: Any) -> Iterator[Any]:
    """Without what is damaged: the recording goes on after it."""
    import av

    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:  # decoders say in several ways that they cannot read it
            if isinstance(error, MemoryError):
                raise
            continue
        yield from frames


def _resampled(frames: Any) -> Iterator[NDArray[np.float32]]:
    """Blocks of shape (t, c) at 16 kHz.

    FFmpeg's own mix to mono overshoots 1.0 on float sound, so channels are kept; and interleaved, because PyAV 18 reads
    past the end of eight separate planes.
    """
    import av

    resampler, shape = None, None
    for frame in frames:
        if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
            shape = (frame.format.name, frame.layout.name, frame.sample_rate)
            resampler = av.AudioResampler("flt", frame.layout, SAMPLE_RATE_HZ)
        # Files joined by hand have jumps in their time stamps, which the resampler would fill or refuse.
        frame.pts = None
        for block in resampler.resample(frame) if resampler else ():
            yield block.to_ndarray().reshape(-1, block.layout.nb_channels)
    if resampler is not None:
        for block in resampler.resample(None):
            yield block.to_ndarray().reshape(-1, block.layout.nb_channels)


def _read_with_soundfile(file: BinaryIO) -> Iterator[NDArray[np.float32]]:
    import soundfile
    import soxr

    try:
        with file, soundfile.SoundFile(file) as sound:
            _check_header(sound.samplerate, sound.channels)
            stream = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE_HZ, 1, dtype="float32")
            for block_tc in sound.blocks(sound.samplerate, dtype="float32", always_2d=True):
                yield stream.resample_chunk(block_tc.mean(axis=1, dtype=np.float32))
            yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
    except (soundfile.SoundFileError, ValueError, RuntimeError) as error:
        raise AudioError("this is not a recording that can be read.") from error
