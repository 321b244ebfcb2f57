"""Where an answer comes from: the quote in its context, and the document at that place. Documents are hostile: all of
their text goes through `html.escape`, never through Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.contract import place_json, place_words
from ragvoice.errors import RagVoiceError
from ragvoice.ui.exchange import Spot
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person

CARD_CONTEXT = 160
"""Characters before and behind the quote on its card."""
PAGE_CONTEXT = 3000
"""Of the opened document around the place."""
LEAD_IN = 200
"""Of it, what stands directly before the place; the rest before it is folded away, so that the place is in view."""

_HEADING = re.compile(r"^#{1,6}[ \t]+(.*)$", re.MULTILINE)
_TABLE_RULE = re.compile(r"^\|?[ \t]*:?-{3,}:?[ \t]*(\|[ \t]*:?-{3,}:?[ \t]*)*\|?[ \t]*$\n?", re.MULTILINE)
_ROW = re.compile(r"^\|.*$", re.MULTILINE)


@dataclass(frozen=True)
class Excerpt:
    before: str
    quote: str
    """Empty when the document does not hold it any more."""
    after: str
    starts_inside: bool
    ends_inside: bool
    """Whether the document has more before and behind."""


def excerpt(text: str, spot: Spot, around: int) -> Excerpt:
    """The place in its context, cut between words.

    Where the document has changed since, the quote is looked for; if it is gone, the context of its old place is shown.
    """
    start, end = spot.start_index, spot.start_index + spot.length
    quote = spot.quote or text[start:end]
    if text[start:end] != quote:
        found = text.find(quote)
        start, end = (found, found + len(quote)) if found >= 0 else (min(start, len(text)),) * 2
    first, last = max(0, start - around), min(len(text), end + around)
    if first:
        first += _to_a_word(text[first:start])
    if last < len(text):
        last -= _to_a_word(text[end:last][::-1])
    return Excerpt(text[first:start], text[start:end], text[end:last], first > 0, last < len(text))


def _to_a_word(text: str) -> int:
    """Characters up to the first white space, if there is one near."""
    space = re.search(r"\s", text[:40])
    return space.end() if space else 0


def on_few_lines(part: Excerpt) -> Excerpt:
    """Without its empty lines."""
    before, quote, after = (re.sub(r"\n\s*\n", "\n", text) for text in (part.before, part.quote, part.after))
    return Excerpt(before, quote, after, part.starts_inside, part.ends_inside)


def folded(part: Excerpt, lead_in: int) -> tuple[Excerpt, Excerpt]:
    """What stands before it, and the same excerpt with at most so many characters before its quote, from a new line."""
    cut = max(0, len(part.before) - lead_in)
    line = part.before.find("\n", cut)
    cut = 0 if cut == 0 else line + 1 if line >= 0 else cut
    earlier = Excerpt(part.before[:cut], "", "", part.starts_inside, False)
    return earlier, Excerpt(part.before[cut:], part.quote, part.after, part.starts_inside and not cut, part.ends_inside)


def excerpt_html(part: Excerpt) -> str:
    """Escaped; the quote in `<mark>`."""
    quote = f"<mark>{_plain(part.quote)}</mark>" if part.quote.strip() else ""
    before, after = _plain(part.before).lstrip("\n"), _plain(part.after).rstrip()
    return f"{'… ' if part.starts_inside else ''}{before}{quote}{after}{' …' if part.ends_inside else ''}"


def _plain(text: str) -> str:
    """Escaped text with bold headings and without the lines of Markdown's tables."""
    shown = _ROW.sub(lambda row: row[0].strip("| ").replace("|", "·"), _TABLE_RULE.sub("", text))
    return _HEADING.sub(r"<strong>\1</strong>", escape(re.sub(r"\n{3,}", "\n\n", shown)))


def where_html(spot: Spot) -> str:
    """Title, place and section; the file's name where it is not the title."""
    name = spot.title or spot.source
    details = [place_words(place_json(spot.place)), spot.section.replace(" > ", " › ")]
    line = " · ".join(escape(part) for part in details if part)
    file = f'<div class="rv-file">{escape(spot.source)}</div>' if name != spot.source else ""
    return f'<div class="rv-title">{escape(name)}</div><div class="rv-where">{line}</div>{file}'


def draw_cards(desk: Desk, person: Person, spots: tuple[Spot, ...], key: str) -> None:
    """:param key: Of the exchange."""
    for number, spot in enumerate(spots, start=1):
        with st.container(border=True, key=f"source-{key}-{number}", gap="small"):
            try:
                part = excerpt(desk.document(person, spot.doc_id).text, spot, CARD_CONTEXT)
            except RagVoiceError:
                st.html(f'<div class="rv-source">{where_html(spot)}<p>This document is not there any more.</p></div>')
                continue
            part = on_few_lines(part)
            st.html(
                f'<div class="rv-source" role="group" aria-label="Source {number}">{where_html(spot)}'
                f"<blockquote>{excerpt_html(part)}</blockquote></div>"
            )
            if st.button(
                "Open",
                key=f"open-{key}-{number}",
                icon=":material/open_in_new:",
                type="tertiary",
                help="Read the document at this place",
            ):
                _open(desk, person, spot)


@st.dialog("In the document", width="medium", icon=":material/description:")
def _open(desk: Desk, person: Person, spot: Spot) -> None:
    try:
        text = desk.document(person, spot.doc_id).text
    except RagVoiceError as error:
        st.error(label(str(error), 300), icon=":material/lock:")
        return
    part = excerpt(text, spot, PAGE_CONTEXT)
    earlier, part = folded(part, LEAD_IN)
    if not part.quote:
        st.info("The document has changed since: the quoted words are not in it any more.", icon=":material/update:")
    st.html(f'<div class="rv-source">{where_html(spot)}</div>')
    if earlier.before.strip():
        with st.expander("The text before"):
            st.html(f'<div class="rv-document">{excerpt_html(earlier)}</div>')
    with st.container(height=420, border=True):
        st.html(f'<div class="rv-document" tabindex="0">{excerpt_html(part)}</div>')
