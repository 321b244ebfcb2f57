from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import AudioError
from ragvoice.speech.audio import decode, resample, write_wav


def encoded(samples: np.ndarray, rate_hz: int, container: str, subtype: str | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate_hz, format=container, subtype=subtype)
    return buffer.getvalue()


def sine(rate_hz: int, frequency_hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(rate_hz) / rate_hz)).astype(np.float32)


def loudest_hz(audio: AudioChunk) -> float:
    spectrum = np.abs(np.fft.rfft(audio.samples_t))
    return float(spectrum.argmax() * audio.sample_rate_hz / len(audio.samples_t))


@pytest.mark.parametrize(
    ("container", "subtype", "rate_hz"),
    [
        ("WAV", "PCM_U8", 44_100),
        ("WAV", "PCM_16", 16_000),
        ("WAV", "PCM_24", 48_000),
        ("WAV", "PCM_32", 44_100),
        ("WAV", "FLOAT", 16_000),
        ("WAV", "ULAW", 8_000),
        ("WAV", "ALAW", 8_000),
        ("AIFF", "PCM_16", 22_050),
        ("FLAC", "PCM_24", 44_100),
        ("OGG", "VORBIS", 48_000),
        ("OGG", "OPUS", 48_000),
        ("MP3", "MPEG_LAYER_III", 44_100),
        ("CAF", "PCM_16", 16_000),
        ("VOC", "PCM_16", 11_025),  # only soundfile reads it
    ],
)
def test_every_format_becomes_16_khz_mono_float32(container: str, subtype: str, rate_hz: int) -> None:
    audio = decode(encoded(sine(rate_hz), rate_hz, container, subtype))

    assert audio.sample_rate_hz == 16_000
    assert audio.samples_t.dtype == np.float32
    assert audio.samples_t.ndim == 1
    assert audio.duration_s == pytest.approx(1.0, abs=0.08)
    assert loudest_hz(audio) == pytest.approx(440, abs=5)
    assert np.abs(audio.samples_t).max() == pytest.approx(0.5, abs=0.12)


def test_stereo_is_averaged() -> None:
    left, right = sine(16_000, 300), sine(16_000, 1_000)

    audio = decode(encoded(np.stack([left, right], axis=1), 16_000, "WAV", "FLOAT"))

    np.testing.assert_allclose(audio.samples_t, (left + right) / 2, atol=1e-3)


def test_eight_channels_are_read() -> None:
    samples = np.zeros((16_000, 8), np.float32)
    samples[:, 5] = sine(16_000)

    assert np.abs(decode(encoded(samples, 16_000, "WAV", "FLOAT")).samples_t).max() == pytest.approx(0.5 / 8, abs=1e-3)


def test_samples_that_are_no_numbers_become_silence_and_loud_ones_are_clipped() -> None:
    samples = np.asarray([np.nan, np.inf, -np.inf, 9.0] * 1_000, np.float32)

    decoded = decode(encoded(samples, 16_000, "WAV", "FLOAT")).samples_t

    np.testing.assert_array_equal(decoded[:4], [0, 1, -1, 1])


def test_a_file_that_breaks_off_gives_the_sound_up_to_there() -> None:
    whole = encoded(sine(16_000), 16_000, "WAV", "PCM_16")

    assert decode(whole[: len(whole) // 2]).duration_s == pytest.approx(0.5, abs=0.05)


def test_a_recording_is_heard_beyond_a_damaged_part() -> None:
    whole = encoded(np.tile(sine(16_000), 10), 16_000, "MP3")
    third = len(whole) // 3
    damaged = whole[:third] + bytes(500) + whole[third + 500 :]

    assert 9 < decode(damaged).duration_s < 10


WAV = encoded(sine(16_000), 16_000, "WAV", "PCM_16")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"x", "not a recording"),
        (b"This is a text file. " * 500, "not a recording"),
        (b"<!DOCTYPE html><html><body>502</body></html>" * 20, "not a recording"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n", "not a recording"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "not a recording"),
        (bytes(50_000), "not a recording"),
        (WAV[:20], "not a recording"),
        (WAV[:44], "no sound"),
        (WAV[:24] + (1).to_bytes(4, "little") + WAV[28:], "1 Hz"),
        (WAV[:22] + (0).to_bytes(2, "little") + WAV[24:], "channels"),
    ],
)
def test_what_is_no_recording_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        decode(data)


def test_a_playlist_opens_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would play the neighbour."""
    (tmp_path / "secret.wav").write_bytes(WAV)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(AudioError, match="not a recording"):
        decode(b"ffconcat version 1.0\nfile secret.wav\n")


def test_files_are_refused_with_their_name_and_not_their_folder(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav") as missing:
        decode(tmp_path / "gone.wav")
    assert str(tmp_path) not in str(missing.value)
    with pytest.raises(AudioError, match="a folder"):
        decode(tmp_path)


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    import av

    path = tmp_path / "mute.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode())

    with pytest.raises(AudioError, match="no audio track"):
        decode(path)


def test_a_recording_over_the_limit_is_refused_even_when_it_is_small_on_disk() -> None:
    silence = encoded(np.zeros(16_000 * 120, np.int16), 16_000, "FLAC", "PCM_16")
    assert len(silence) < 100_000

    with pytest.raises(AudioError, match="longer than 60 s"):
        decode(silence, max_duration_s=60)


def test_writing_and_reading_give_the_same_sound(tmp_path: Path, tone: AudioChunk) -> None:
    write_wav(tmp_path / "tone.wav", tone)

    np.testing.assert_allclose(decode(tmp_path / "tone.wav").samples_t, tone.samples_t, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["tone.wav"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, tone: AudioChunk) -> None:
    path = tmp_path / "tone.wav"
    path.write_bytes(b"old")

    with pytest.raises(AudioError, match="cannot be written"):
        write_wav(path, AudioChunk(tone.samples_t, -1))

    assert path.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["tone.wav"]


def test_resampling_keeps_pitch_and_duration(tone: AudioChunk) -> None:
    slow = resample(tone, 8_000)

    assert slow.duration_s == pytest.approx(1.0, abs=0.01)
    assert loudest_hz(slow) == pytest.approx(440, abs=2)
