"""Strength and colour of the noise, measured on what comes out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ragvoice.datatypes import AudioChunk
from ragvoice.evaluation.noise import active_power, add_noise, babble, pink, white

RATE_HZ = 16_000


def tone(peak: float, seconds: float = 1.0, hz: float = 440.0) -> NDArray[np.float32]:
    times_t = np.arange(int(seconds * RATE_HZ), dtype=np.float64) / RATE_HZ
    return (peak * np.sin(2 * np.pi * hz * times_t)).astype(np.float32)


def test_pauses_do_not_weaken_the_speech() -> None:
    # a sine of peak 0.2 has the mean square 0.2^2 / 2 = 0.02, however long the pauses around it are
    spoken = AudioChunk(
        np.concatenate([np.zeros(RATE_HZ), tone(0.2), np.zeros(3 * RATE_HZ)]).astype(np.float32), RATE_HZ
    )
    assert active_power(spoken) == pytest.approx(0.02, rel=0.01)
    assert active_power(AudioChunk(np.zeros(RATE_HZ, np.float32), RATE_HZ)) == 0
    assert active_power(AudioChunk(np.zeros(0, np.float32), RATE_HZ)) == 0


@pytest.mark.parametrize("snr_db", [20.0, 10.0, 5.0, -5.0])
@pytest.mark.parametrize("make", [white, pink])
def test_the_measured_ratio_is_the_wanted_one(make, snr_db: float) -> None:  # type: ignore[no-untyped-def]
    clean = AudioChunk(tone(0.1), RATE_HZ)
    noisy = add_noise(clean, make(RATE_HZ, seed=3), snr_db)
    left_t = noisy.samples_t.astype(np.float64) - clean.samples_t
    assert 10 * np.log10(0.005 / np.square(left_t).mean()) == pytest.approx(snr_db, abs=0.05)  # 0.1^2 / 2
    assert noisy.samples_t.dtype == np.float32


def test_a_loud_sum_is_made_quieter_as_a_whole() -> None:
    clean = AudioChunk(tone(0.95), RATE_HZ)
    noise_t = white(RATE_HZ, seed=1)
    loud = add_noise(clean, noise_t, 0.0).samples_t
    assert np.abs(loud).max() == pytest.approx(1.0)
    # what is there is still the clean sound and the noise, each by one factor, in equal power
    factors = np.linalg.lstsq(np.stack([clean.samples_t, noise_t], axis=1), loud, rcond=None)[0]
    speech, noise = factors[0] * clean.samples_t, factors[1] * noise_t
    np.testing.assert_allclose(speech + noise, loud, atol=1e-4)
    assert np.square(speech).mean() / np.square(noise).mean() == pytest.approx(1.0, rel=0.01)


def test_silence_as_noise_changes_nothing() -> None:
    clean = AudioChunk(tone(0.5), RATE_HZ)
    assert add_noise(clean, np.zeros(RATE_HZ, np.float32), 10.0) is clean


def test_the_seed_decides() -> None:
    talkers = [AudioChunk(tone(0.3, hz=200), RATE_HZ), AudioChunk(tone(0.3, hz=300), RATE_HZ)]
    assert np.array_equal(white(100, 1), white(100, 1))
    assert not np.array_equal(white(100, 1), white(100, 2))
    assert np.array_equal(babble(talkers, 500, 1), babble(talkers, 500, 1))
    assert not np.array_equal(babble(talkers, 500, 1), babble(talkers, 500, 2))


def test_pink_noise_has_the_same_power_in_each_octave() -> None:
    power_k = np.square(np.abs(np.fft.rfft(pink(2**17, seed=5))))
    octaves = [power_k[2**i : 2 ** (i + 1)].sum() for i in range(9, 15)]
    assert max(octaves) / min(octaves) < 1.3
    white_k = np.square(np.abs(np.fft.rfft(white(2**17, seed=5))))
    assert white_k[2**14 : 2**15].sum() / white_k[2**9 : 2**10].sum() > 20  # 32 times the width


def test_talkers_are_equally_loud() -> None:
    talkers = [AudioChunk(tone(0.9, hz=400), RATE_HZ), AudioChunk(tone(0.01, hz=1000), RATE_HZ)]
    mixed_t = babble(talkers, 2 * RATE_HZ, seed=0)
    assert mixed_t.shape == (2 * RATE_HZ,)
    power_k = np.square(np.abs(np.fft.rfft(mixed_t)))
    assert power_k[780:820].sum() == pytest.approx(power_k[1980:2020].sum(), rel=0.05)  # bins of 0.5 Hz
    assert np.square(mixed_t).mean() == pytest.approx(1.0, rel=0.05)
