"""What the embedder and the lexical index see of a chunk. Pure functions."""

from __future__ import annotations

import re

FILLER = re.compile(r"([^\w\s]|_)\1{3,}")
"""The dots of a table of contents, the dashes of a rule: each would be a token."""
KEPT_OF_FILLER = 3


def context(title: str, section: str, table_header: str = "") -> str:
    """What a chunk's words stand under, as it is embedded with them: heading path, title, header row of the table."""
    return "\n".join(part for part in (section, title, table_header.partition("\n")[0]) if part)


def embedded_text(title: str, section: str, text: str, table_header: str = "") -> str:
    """The chunk's words, then their context.

    An embedder cuts the end of what is too long for it. The words come first so that it never cuts them: the splitter
    leaves room for the whole context, but counts one that takes more than half as half.
    """
    whole = f"{text}\n{context(title, section, table_header)}"
    return FILLER.sub(lambda run: run[1] * KEPT_OF_FILLER, whole).strip()
