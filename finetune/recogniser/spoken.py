"""Questions -> recordings: spoken by a voice, clean and with noise, and a manifest of what they say."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from finetune.held_out import held_out
from finetune.recogniser.manifest import Clip, write_manifest
from ragvoice.datatypes import AudioChunk
from ragvoice.evaluation.datasets import Question
from ragvoice.evaluation.noise import add_noise
from ragvoice.evaluation.voice_parity import NoiseKind, background_voices, noise_of
from ragvoice.speech.audio import SAMPLE_RATE_HZ, resample, write_wav
from ragvoice.speech.protocols import TextToSpeech
from ragvoice.speech.speakable import speakable

CLIPS = "clips"
SNRS_DB = (20.0, 10.0, 5.0)
_OUR_NAME = re.compile(r"[0-9a-f]{16}-")
"""Recordings of people may stand beside ours."""


def build_audio(
    questions: Sequence[Question],
    folder: Path,
    tts: TextToSpeech,
    voice: str,
    *,
    snrs_db: Sequence[float] = SNRS_DB,
    noise: NoiseKind = "babble",
    held_out_share: float = 0.3,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write 16 kHz recordings (WAV, 16 bit) of each question to `folder/clips`: one without noise, one at each ratio.

    What is there already, of a job that was killed for instance, is not spoken again; recordings of questions that are
    no longer asked for go away. The manifest is written at the end. A question that leaves nothing to say has no clip.

    :param voice: What the manifest calls the voice, and what recordings of another one are told from.
    :param snrs_db: Speech over noise in dB.
    :param held_out_share: Of the questions, split by document: those of the split `test`.
    :return: the manifest.
    :raises UsageError: when the questions cannot be split. :raises SpeechError: the voice failed.
    :raises AudioError: the folder cannot be written to.
    """
    test = held_out(questions, held_out_share, seed)
    conditions: list[float | None] = [None, *snrs_db]
    (folder / CLIPS).mkdir(parents=True, exist_ok=True)
    talkers: list[AudioChunk] = []
    clips: list[Clip] = []
    for number, question in enumerate(questions):
        progress(number, len(questions))
        files = {snr_db: folder / CLIPS / _name(question, voice, noise, seed, snr_db) for snr_db in conditions}
        if not all(file.is_file() for file in files.values()):
            spoken = resample(tts.synthesise(speakable(question.text)), SAMPLE_RATE_HZ)
            if not len(spoken.samples_t):
                continue
            if noise == "babble" and snrs_db and not talkers:
                talkers = [resample(talker, SAMPLE_RATE_HZ) for talker in background_voices(tts)]
            for snr_db, file in files.items():
                write_wav(file, _in_noise(spoken, noise, talkers, snr_db, zlib.crc32(file.name.encode())))
        split = "test" if question.id in test else "train"
        clips += [
            Clip(f"{CLIPS}/{file.name}", question.text, split, snr_db, voice, question.id, question.gold_ids)  # type: ignore[arg-type]
            for snr_db, file in files.items()
        ]
    progress(len(questions), len(questions))
    manifest = write_manifest(folder, clips)
    wanted = {clip.file for clip in clips}
    for file in (folder / CLIPS).glob("*.wav"):
        if f"{CLIPS}/{file.name}" not in wanted and _OUR_NAME.match(file.name):
            file.unlink()
    return manifest


def _name(question: Question, voice: str, noise: NoiseKind, seed: int, snr_db: float | None) -> str:
    """By what the recording holds, so that one of other words, another voice or other noise is not taken for it."""
    condition = "clean" if snr_db is None else f"{noise}-{snr_db:g}dB"
    held = f"{question.id}\n{question.text}\n{voice}\n{'' if snr_db is None else seed}"
    return f"{hashlib.sha256(held.encode()).hexdigest()[:16]}-{condition}.wav"


def _in_noise(
    spoken: AudioChunk, noise: NoiseKind, talkers: Sequence[AudioChunk], snr_db: float | None, seed: int
) -> AudioChunk:
    if snr_db is None:
        return spoken
    return add_noise(spoken, noise_of(noise, talkers, len(spoken.samples_t), seed), snr_db)
