"""How company words are said: a TOML file of `word = "say it so"`, or of IPA in slashes, `word = "/ˈzaɪloʊ/"`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ragvoice.datatypes import AudioChunk
from ragvoice.errors import UsageError
from ragvoice.speech.pieces import begin
from ragvoice.speech.protocols import SoundInPieces, TextToSpeech
from ragvoice.speech.speakable import speakable

_IPA = re.compile(r"/(.+)/")


@dataclass(frozen=True)
class Pronunciations:
    """Whole words, in any case; of two that begin at one place, the longer counts."""

    respelt: Mapping[str, str] = field(default_factory=dict)
    """Word as `speakable` leaves it, in lower case -> what is read instead."""
    ipa: Mapping[str, str] = field(default_factory=dict)
    """Likewise -> phonemes."""

    @classmethod
    def read(cls, file: Path) -> Pronunciations:
        """:raises UsageError: no such file, no TOML, or an entry that is no word with its pronunciation."""
        try:
            entries = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"The pronunciations {file.name} cannot be read: {error.strerror}.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(
                f'{file.name} is not valid TOML: {error}. A line is: "Xylo" = "zy low", or: "Xylo" = "/ˈzaɪloʊ/"'
            ) from error
        respelt, ipa = dict[str, str](), dict[str, str]()
        for word, said in entries.items():
            if not any(sign.isalnum() for sign in word) or not isinstance(said, str) or not said.strip("/ \t\n"):
                raise UsageError(f'{file.name}: {word!r} cannot be said {said!r}; give text, or IPA in slashes: "/…/".')
            phonemes = _IPA.fullmatch(said.strip())
            (ipa if phonemes else respelt)[speakable(word).lower()] = phonemes[1] if phonemes else said.strip()
        return cls(respelt, ipa)

    def respell(self, text: str) -> str:
        """Text with its words as they are to be read; those in IPA stay."""
        return "".join(said or plain for plain, said in parts(text, self.respelt))


def parts(text: str, said: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The text in pieces, in order: (words, None), or (one word of `said`, what is said for it)."""
    position = 0
    if said:
        names = "|".join(sorted(map(re.escape, said), key=len, reverse=True))
        for match in re.finditer(rf"(?<!\w)(?:{names})(?!\w)", text, re.IGNORECASE):
            if match.start() > position:
                yield text[position : match.start()], None
            yield match[0], said[match[0].lower()]
            position = match.end()
    if position < len(text):
        yield text[position:], None


class Respelling:
    """A voice that reads words as they are respelt."""

    def __init__(self, voice: TextToSpeech, pronunciations: Pronunciations) -> None:
        self._voice = voice
        self._pronunciations = pronunciations
        self.sample_rate_hz = voice.sample_rate_hz

    def synthesise(self, text: str) -> AudioChunk:
        """See `TextToSpeech`."""
        return self._voice.synthesise(self._pronunciations.respell(text))

    def begin(self, text: str) -> SoundInPieces:
        """See `SpeaksInPieces`."""
        return begin(self._voice, self._pronunciations.respell(text))
