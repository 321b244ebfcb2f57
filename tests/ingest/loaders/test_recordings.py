"""Recordings become stretches of text that say when they were spoken."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from ingest.loaders import LoadOptions, load
from ingest.loaders.recordings import MAX_STRETCH_S, MIN_STRETCH_S, stretches
from ingest.sandbox import ParserPool
from ragvoice.build import build_speech_to_text
from ragvoice.datatypes import AudioChunk, Place, Transcription
from ragvoice.errors import DocumentError, ModelError
from ragvoice.settings import Settings
from ragvoice.speech.audio import SAMPLE_RATE_HZ, decode

RECORDINGS = Path(__file__).resolve().parents[3] / "data" / "recordings"
LEEDS, FRIEND, FORMAZIN = "tf-003-slt", "tf-083-kal", "tf-091-rms"


@pytest.fixture(scope="session")
def options(settings: Settings) -> LoadOptions:
    return LoadOptions(transcriber=partial(build_speech_to_text, settings))


def spoken(name: str) -> np.ndarray:
    return decode(RECORDINGS / f"{name}.flac").samples_t


def silence(duration_s: float) -> np.ndarray:
    return np.zeros(round(duration_s * SAMPLE_RATE_HZ), np.float32)


def saved(folder: Path, *parts: np.ndarray, **tags: str) -> Path:
    path = folder / "meeting.flac"
    with soundfile.SoundFile(path, "w", SAMPLE_RATE_HZ, 1) as file:
        for name, value in tags.items():
            setattr(file, name, value)
        file.write(np.concatenate(parts))
    return path


def times(path: Path, options: LoadOptions) -> list[tuple[float, str]]:
    """(place, text) of each page."""
    return [(page.metadata["place"].value, page.page_content) for page in load(path, options) if page.page_content]


def talk(duration_s: float) -> np.ndarray:
    """Questions one after the other, a pause of half a second between them."""
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) < duration_s * SAMPLE_RATE_HZ:
        for path in sorted(RECORDINGS.glob("*.flac")):
            parts += [decode(path).samples_t, silence(0.5)]
    return np.concatenate(parts)[: round(duration_s * SAMPLE_RATE_HZ)]


def test_what_is_said_after_a_long_silence_is_a_passage_with_its_own_time(tmp_path: Path, options: LoadOptions) -> None:
    path = saved(tmp_path, silence(20), spoken(LEEDS), silence(2), spoken(FRIEND), silence(150), spoken(FORMAZIN))
    begins_s = 20 + 3.47 + 2 + 3.22 + 150

    (first_s, first), (second_s, second) = times(path, options)

    assert first_s == pytest.approx(20, abs=1)
    assert "Leeds work" in first
    assert "a friend who" in first
    assert second_s == pytest.approx(begins_s, abs=1)
    assert "once it's open" in second


def test_an_hour_is_cut_in_pauses_into_stretches_of_about_a_minute(tmp_path: Path, options: LoadOptions) -> None:
    sound_t = talk(200)

    found = list(stretches(iter(np.split(sound_t, 50))))

    assert [start_s for start_s, _ in found[:1]] == [0]
    assert all(MIN_STRETCH_S <= len(samples_t) / SAMPLE_RATE_HZ <= MAX_STRETCH_S for _, samples_t in found[:-1])
    assert len(found[-1][1]) / SAMPLE_RATE_HZ >= 15
    np.testing.assert_array_equal(np.concatenate([samples_t for _, samples_t in found]), sound_t)
    for start_s, _ in found[1:]:
        around = round(start_s * SAMPLE_RATE_HZ)
        assert np.abs(sound_t[around - 800 : around + 800]).max() < 0.01


def test_speech_without_a_pause_is_cut_all_the_same() -> None:
    breathless_t = np.concatenate([spoken(LEEDS)[4_800:-4_800]] * 60)

    lengths_s = [len(samples_t) / SAMPLE_RATE_HZ for _, samples_t in stretches(iter([breathless_t]))]

    assert sum(lengths_s) == pytest.approx(len(breathless_t) / SAMPLE_RATE_HZ)
    assert all(MIN_STRETCH_S <= length_s <= MAX_STRETCH_S for length_s in lengths_s[:-1])


def test_memory_does_not_grow_with_the_recording_and_silence_shows_signs_of_life() -> None:
    def blocks() -> Iterator[np.ndarray]:
        for _ in range(23 * 60):
            yield silence(1)
        yield spoken(LEEDS)

    tracemalloc.start()
    try:
        found = [(start_s, len(samples_t)) for start_s, samples_t in stretches(blocks())]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert [length for _, length in found[:2]] == [0, 0]
    assert found[2][0] == pytest.approx(23 * 60, abs=1.1)
    assert len(found) == 3
    assert peak < 23 * 60 * SAMPLE_RATE_HZ * 4 / 2


def test_words_between_silences_are_joined_into_a_useful_passage(tmp_path: Path, options: LoadOptions) -> None:
    path = saved(tmp_path, spoken(LEEDS), silence(45), spoken(FRIEND), silence(100), spoken(FORMAZIN))

    (first_s, first), (second_s, _) = times(path, options)

    assert first_s == pytest.approx(0, abs=1)
    assert second_s == pytest.approx(3.47 + 45 + 3.22 + 100, abs=1)
    assert "How many hours a week" in first
    assert "friend" in first


def encoded(container: str, codec: str, rate_hz: int, *, picture: bool = False) -> bytes:
    """The friend's question."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        video = output.add_stream("mpeg4", rate=5) if picture else None
        stream = output.add_stream(codec, rate=rate_hz, layout="mono") if codec else None
        if video:
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            black = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            output.mux([*video.encode(black), *video.encode(None)])
        if stream:
            sound = av.AudioFrame.from_ndarray(spoken(FRIEND)[None], format="flt", layout="mono")
            sound.sample_rate = SAMPLE_RATE_HZ
            output.mux([*stream.encode(sound), *stream.encode(None)])
    return file.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "picture"),
    [
        ("wav", "pcm_s16le", 22_050, False),
        ("mp3", "libmp3lame", 44_100, False),
        ("adts", "aac", 44_100, False),
        ("ipod", "aac", 44_100, False),
        ("flac", "flac", 48_000, False),
        ("ogg", "libopus", 48_000, False),
        ("webm", "libopus", 48_000, False),
        ("mp4", "aac", 44_100, True),
        ("matroska", "libmp3lame", 44_100, True),
        ("avi", "libmp3lame", 44_100, True),
    ],
)
def test_every_container_is_known_by_its_content(
    tmp_path: Path, options: LoadOptions, container: str, codec: str, rate_hz: int, picture: bool
) -> None:
    path = tmp_path / "without-a-suffix"
    path.write_bytes(encoded(container, codec, rate_hz, picture=picture))

    [(start_s, text)] = times(path, options)

    assert start_s == pytest.approx(0, abs=1)
    assert "bringing in a friend who is hired" in text


def test_title_and_author_stand_on_the_first_stretch_only(tmp_path: Path, options: LoadOptions) -> None:
    path = saved(tmp_path, silence(3), spoken(LEEDS), silence(90), spoken(FORMAZIN), title="Town hall", artist="Ada")

    first, second = [page.metadata for page in load(path, options) if page.page_content]

    assert (first["title"], first["author"], first["language"]) == ("Town hall", "Ada", "en")
    assert not {"title", "author"} & second.keys()


def test_a_recording_in_which_nobody_speaks_says_so(tmp_path: Path, options: LoadOptions) -> None:
    noise_t = np.random.default_rng(0).normal(0, 0.05, 5 * SAMPLE_RATE_HZ).astype(np.float32)
    with pytest.raises(DocumentError, match=r"^no speech in it$"):
        list(load(saved(tmp_path, noise_t), options))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "not a recording that can be read"),
        (b"fLaC\x00" + bytes(500), "not a recording that can be read"),
        (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\0\0\0\0", "holds no sound"),
        (encoded("mp4", "", 0, picture=True), "no audio track"),
    ],
)
def test_what_cannot_be_heard_is_refused_with_the_reason(
    tmp_path: Path, options: LoadOptions, data: bytes, reason: str
) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(data)
    with pytest.raises(DocumentError, match=reason) as caught:
        list(load(path, options))
    assert "call.wav" not in str(caught.value)


def test_recordings_that_are_switched_off_name_the_setting(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"switched off \(the setting recordings\)"):
        list(load(saved(tmp_path, spoken(LEEDS)), LoadOptions()))


def missing() -> Callable[[AudioChunk], Transcription]:
    raise ModelError("whisper-base is not installed. Run: ragvoice models pull")


def test_a_missing_recogniser_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"cannot be transcribed: whisper-base is not installed. Run: ragvoice"):
        list(load(saved(tmp_path, spoken(LEEDS)), LoadOptions(transcriber=missing)))


def test_the_process_that_parses_transcribes(tmp_path: Path, options: LoadOptions) -> None:
    path = saved(tmp_path, silence(4), spoken(LEEDS))
    with ParserPool(options) as parsers:
        [parsed] = parsers.parse([path])
    assert parsed.error is None
    [page] = parsed.documents
    assert "hours a week" in page.page_content
    assert page.metadata["place"] == Place("time_s", pytest.approx(4, abs=1))
