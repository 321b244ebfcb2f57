from __future__ import annotations

from pathlib import Path

import jiwer
import numpy as np
import pytest
from whisper_normalizer.english import EnglishTextNormalizer

from ragvoice.errors import ModelError, SpeechError
from ragvoice.speech.faster_whisper import FasterWhisperSpeechToText
from ragvoice.speech.loudness import PEAK, SPEECH_RMS
from ragvoice.speech.piper import PiperTextToSpeech

SENTENCES = (
    "You can carry over five days of annual leave until the end of March.",
    "Please send your travel expenses to the finance department within thirty days.",
    "The office is closed on public holidays, but the reception stays open.",
    "Yes, part-time employees are covered as well.",
    "Ask your manager before you book the flight.",
)


def test_what_is_said_is_heard(voice: PiperTextToSpeech, recogniser: FasterWhisperSpeechToText) -> None:
    normalise = EnglishTextNormalizer()

    heard = [normalise(recogniser.transcribe(voice.synthesise(sentence)).text) for sentence in SENTENCES]

    assert jiwer.wer([normalise(sentence) for sentence in SENTENCES], heard) <= 0.1


def test_the_sound_ends_in_silence(voice: PiperTextToSpeech) -> None:
    audio = voice.synthesise("Good morning.")

    assert audio.samples_t.dtype == np.float32
    assert audio.sample_rate_hz == voice.sample_rate_hz == 22_050
    assert not audio.samples_t[-int(0.19 * 22_050) :].any()


def test_sentences_are_as_loud_as_one_another_and_no_peak_is_cut_off(voice: PiperTextToSpeech) -> None:
    sounds = [voice.synthesise(sentence).samples_t for sentence in SENTENCES]
    levels_db = [20 * np.log10(np.sqrt(np.mean(sound_t**2)) / SPEECH_RMS) for sound_t in sounds]

    assert np.ptp(levels_db) < 4
    assert abs(np.mean(levels_db)) < 2
    assert 0.5 < max(np.abs(sound_t).max() for sound_t in sounds) < PEAK


def test_a_sentence_begins_to_sound_before_it_is_complete(voice: PiperTextToSpeech) -> None:
    sound = voice.begin(SENTENCES[0])
    first, *others = sound.pieces

    assert 0.3 < first.duration_s < 0.8
    assert len(others) >= 2
    assert sound.samples == len(first.samples_t) + sum(len(piece.samples_t) for piece in others)


@pytest.mark.parametrize("text", ["", "  \n", "...", "?!", "**", "—"])
def test_nothing_to_say_is_no_sound(voice: PiperTextToSpeech, text: str) -> None:
    assert len(voice.synthesise(text).samples_t) == 0


def test_punctuation_goes_into_the_phonemes_and_stays_out_of_numbers(voice: PiperTextToSpeech) -> None:
    assert [clause[-1] for clause in voice.phonemes("Yes, at 10:30; is it 1,250.50?")] == [",", ";", "?"]
    assert len(voice.phonemes("Ask Dr. Smith about it.")) == 1


def test_control_characters_and_markup_do_not_reach_espeak(voice: PiperTextToSpeech) -> None:
    assert voice.phonemes("Good\x00 morn\x1bing [[k]] <break/>.") == voice.phonemes("Good  morn ing   k    break/ .")
    assert len(voice.synthesise("Good\x00 morning, all.").samples_t)


def test_a_sentence_of_many_words_is_spoken_in_parts(voice: PiperTextToSpeech) -> None:
    words = " ".join(["policy"] * 120)

    assert voice.synthesise(words).duration_s > 20


def test_a_faster_voice_takes_less_time(voice_folder: Path, voice: PiperTextToSpeech) -> None:
    fast = PiperTextToSpeech(voice_folder, speed=1.5, threads=2)

    assert fast.synthesise(SENTENCES[0]).duration_s < 0.85 * voice.synthesise(SENTENCES[0]).duration_s


def test_a_missing_espeak_is_named_with_the_command(voice: PiperTextToSpeech, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SpeechError, match="apt-get install espeak-ng"):
        voice.synthesise("Good morning.")


def test_a_missing_or_damaged_voice_is_named(tmp_path: Path, voice_folder: Path) -> None:
    with pytest.raises(ModelError, match="no readable Piper voice"):
        PiperTextToSpeech(tmp_path)
    (tmp_path / "voice.onnx.json").write_bytes((voice_folder / "voice.onnx.json").read_bytes())
    (tmp_path / "voice.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        PiperTextToSpeech(tmp_path)
