"""Where sentences end, in finished text and in text that a model is still writing.

Rules rather than a model: an answer's first sentence must reach the voice within a token of its full stop. What
decides is always the text up to the first character after the full stop, so a stream and the whole text are cut alike.
"""

from __future__ import annotations

import re

_NEVER_FINAL = frozenset(
    "e.g i.e cf vs dr mr mrs ms prof sr jr st hon rev gen approx resp incl excl esp viz fig figs eq sec secs art "
    "para pt vol ch ext tel dept min max avg z.b bzw ca".split()
)
"""Written with a full stop in the middle of a sentence."""
_BEFORE_A_NUMBER = frozenset("no nos p pp jan feb mar apr jun jul aug sep sept oct nov dec".split())
"""Final unless a number follows: `No. 5`, but `I said no.`"""

_END = re.compile(
    r"""(?P<mark>[.!?…]+)[*_]{0,3}["'”’»)\]]*[*_]{0,3}(?=\s)   # needs a space after it: not 1,250.50, not v2.3
      | [。！？]+["'”’」』)]*                                     # needs none
      | (?=\s*\n[ \t]*\n)                                       # a paragraph ends
      | (?=[ \t]*\n[ \t]*(?:[-*+•]|\d{1,3}[.)]|\#{1,6}|\|)(?:[ \t]|(?<=\|)))  # a list item, heading or row follows
    """,
    re.VERBOSE,
)
_NEXT = re.compile(r"\s*[\"'“‘«(\[*_]*(\S)")
_LAST_WORD = re.compile(r"([\w.&]+)$")
_CLAUSE = re.compile(r"[,;:](?=\s)|\s[–—](?=\s)")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Offsets (start, end) of each sentence, without the white space between them."""
    spans: list[tuple[int, int]] = []
    start = 0
    while (end := _next_end(text, start)) is not None:
        spans.append(_trimmed(text, start, end))
        start = end
    spans.append(_trimmed(text, start, len(text)))
    return [span for span in spans if span[0] < span[1]]


class SentenceStream:
    """Collects a model's pieces and gives each sentence as soon as it is finished.

    :param first_clause_words: where the first sentence grows to so many words, its first clauses are given already, so
        that the voice can start; None waits for the full stop.
    """

    MIN_CLAUSE_WORDS = 4
    """A shorter clause would end before the voice has made the next."""

    def __init__(self, *, first_clause_words: int | None = None) -> None:
        self._first_clause_words = first_clause_words
        self._text = ""
        self._start = 0
        self._spoken = False

    @property
    def pending(self) -> str:
        """The beginning of the next sentence."""
        return self._text[self._start :]

    def feed(self, piece: str) -> list[str]:
        """Sentences that this piece finishes, in order."""
        self._text += piece
        finished: list[str] = []
        while (end := _next_end(self._text, self._start)) is not None:
            finished += self._taken(end)
        if not self._spoken and self._first_clause_words is not None:
            end = self._clause_end(self._first_clause_words)
            finished += [] if end is None else self._taken(end)
        return finished

    def flush(self) -> list[str]:
        """What is left when the model has stopped; the stream is then empty and can be used again."""
        rest = self._taken(len(self._text))
        self._text, self._start, self._spoken = "", 0, False
        return rest

    def _taken(self, end: int) -> list[str]:
        sentence = self._text[self._start : end].strip()
        self._start = end
        self._spoken = self._spoken or bool(sentence)
        return [sentence] if sentence else []

    def _clause_end(self, min_words: int) -> int | None:
        pending = self.pending
        if len(pending.split()) < min_words:
            return None
        ends = [match.end() for match in _CLAUSE.finditer(pending)]
        ends = [end for end in ends if len(pending[:end].split()) >= self.MIN_CLAUSE_WORDS]
        return self._start + ends[-1] if ends else None


def _next_end(text: str, start: int) -> int | None:
    """End of the sentence that begins at `start`; None while it may go on."""
    for match in _END.finditer(text, start):
        if not text[start : match.end()].strip():
            continue
        following = _NEXT.match(text, match.end())
        if following is None:
            return None
        if match["mark"] is None or _is_final(text, start, match, following[1]):
            return match.end()
    return None


def _is_final(text: str, start: int, match: re.Match[str], following: str) -> bool:
    if following.islower():
        return False
    if match["mark"] != ".":
        return True
    word_match = _LAST_WORD.search(text, start, match.start())
    if word_match is None:
        return True
    word = word_match[1].strip(".").lower()
    if word in _NEVER_FINAL or (word in _BEFORE_A_NUMBER and following.isdigit()):
        return False
    if word.isdigit() and not text[text.rfind("\n", 0, word_match.start()) + 1 : word_match.start()].strip(" \t>"):
        return False  # the number of a list item
    return not (len(word) == 1 and word_match[1].isupper() and word != "i" and following.isupper())  # J. Smith


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
