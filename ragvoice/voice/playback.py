"""What of an answer has been heard: the sentences handed out, their lengths, and where the player is in their sound."""

from __future__ import annotations

from ragvoice.voicebot import Said, SaidOn


class Playback:
    """Of one answer. Times `now` are of any clock that counts seconds evenly."""

    def __init__(self) -> None:
        self._said: list[tuple[str, float]] = []
        self._total_s = 0.0  # of the sound that is there; the last sentence may be longer
        self._anchor_s = 0.0
        self._anchored_at = 0.0
        self._paused_at: float | None = None

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    @property
    def begun(self) -> bool:
        """Whether there is anything to hear or to read."""
        return bool(self._said)

    def add(self, said: Said | SaidOn, now: float) -> None:
        """A sentence, or more of its sound, has been handed to the player."""
        position_s = self.position(now)
        if position_s >= self._total_s:  # it had nothing to play meanwhile
            self._anchor_s, self._anchored_at = position_s, now
        duration_s = said.audio.duration_s if said.audio else 0.0
        if isinstance(said, Said):
            self._said.append((said.text, duration_s + said.rest_s))
        self._total_s += duration_s

    def played(self, position_s: float, now: float) -> None:
        """The player reports where it is; without reports it is taken to play on from the first sentence at once."""
        self._anchor_s, self._anchored_at = min(max(0.0, position_s), self._total_s), now

    def pause(self, now: float) -> None:
        self._anchor_s, self._anchored_at, self._paused_at = self.position(now), now, now

    def resume(self, now: float) -> None:
        self._anchored_at, self._paused_at = now, None

    def paused_s(self, now: float) -> float | None:
        """For how long; None where it plays."""
        return None if self._paused_at is None else now - self._paused_at

    def position(self, now: float) -> float:
        """Seconds of the answer that have been played."""
        return min(self._total_s, self._anchor_s + self._elapsed_s(now))

    def sounding(self, now: float, tail_s: float = 0.0) -> bool:
        """Whether it is being heard, or ended less than `tail_s` ago."""
        return self._total_s > 0 and self._anchor_s + self._elapsed_s(now) < self._total_s + tail_s

    def _elapsed_s(self, now: float) -> float:
        """Played since the anchor."""
        return 0.0 if self.paused else max(0.0, now - self._anchored_at)

    def heard(self, now: float) -> str:
        """The sentences that were heard to their end, and of the next the words that were.

        A word counts when its last letter was reached, as if letters were spoken evenly. What has no sound was read.
        """
        left_s, texts = self.position(now), list[str]()
        for text, duration_s in self._said:
            if left_s >= duration_s - 1e-6:
                texts.append(text)
                left_s -= duration_s
                continue
            reached, words = left_s / duration_s * len(text), list[str]()
            for word in text.split():
                if len(" ".join([*words, word])) > reached:
                    break
                words.append(word)
            texts.append(" ".join(words))
            break
        return " ".join(text for text in texts if text)
