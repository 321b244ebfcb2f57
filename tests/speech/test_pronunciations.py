from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import UsageError
from ragvoice.speech.piper import PiperTextToSpeech
from ragvoice.speech.pronunciations import Pronunciations, Respelling, parts


def written(folder: Path, text: str) -> Path:
    file = folder / "pronunciations.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_whole_words_in_any_case_are_respelt_and_the_longest_counts(tmp_path: Path) -> None:
    file = written(tmp_path, 'Xylo = "zy low"\n"Xylo Cloud" = "zy low sky"\n"R&D" = "research"\nNguyen = "/wɪn/"\n')

    read = Pronunciations.read(file)

    assert read.respell("xylo's XYLO cloud, Xylophone, R and D and Nguyen.") == (
        "zy low's zy low sky, Xylophone, research and Nguyen."
    )
    assert read.ipa == {"nguyen": "wɪn"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Xylo = ", "not valid TOML"),
        ("Xylo = 3", "'Xylo' cannot be said 3"),
        ('Xylo = "//"', "'Xylo' cannot be said '//'"),
        ('"!" = "bang"', "'!' cannot be said"),
        ('[words]\nXylo = "a"', "'words' cannot be said"),
    ],
)
def test_what_is_no_pronunciation_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        Pronunciations.read(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.toml cannot be read"):
        Pronunciations.read(tmp_path / "gone.toml")


def test_a_respelling_voice_is_given_the_respelt_text() -> None:
    class Echo:
        sample_rate_hz = 8_000
        said = ""

        def synthesise(self, text: str) -> AudioChunk:
            self.said = text
            return AudioChunk(np.zeros(1, np.float32), self.sample_rate_hz)

    voice = Echo()
    respelling = Respelling(voice, Pronunciations({"xylo": "zy low"}))

    assert respelling.synthesise("Ask Xylo.").sample_rate_hz == respelling.sample_rate_hz == 8_000
    assert voice.said == "Ask zy low."
    sound = respelling.begin("Xylo!")
    assert voice.said == "zy low!"
    assert [len(piece.samples_t) for piece in sound.pieces] == [sound.samples] == [1]


def test_parts_cover_the_text_in_order() -> None:
    assert list(parts("Ask Nguyen now", {"nguyen": "wɪn"})) == [("Ask ", None), ("Nguyen", "wɪn"), (" now", None)]
    assert list(parts("Nguyen", {"nguyen": "wɪn"})) == [("Nguyen", "wɪn")]


def test_ipa_stands_among_the_phonemes_of_the_other_words(voice: PiperTextToSpeech, voice_folder: Path) -> None:
    taught = PiperTextToSpeech(voice_folder, threads=2, ipa={"nguyen": "wˈɪn"})
    ask, please = voice.phonemes("Ask"), voice.phonemes("please.")

    assert taught.phonemes("Ask Nguyen please.") == [f"{ask[0]} wˈɪn {please[0]}"]
    assert taught.phonemes("Nguyen.") == ["wˈɪn."]
    assert taught.phonemes("Good morning, all.") == voice.phonemes("Good morning, all.")


def test_a_sign_that_the_voice_does_not_know_is_named(voice_folder: Path) -> None:
    with pytest.raises(UsageError, match="'nguyen' has signs that this voice does not know: €"):
        PiperTextToSpeech(voice_folder, ipa={"nguyen": "w€n"})
