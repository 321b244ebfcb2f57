"""What a document or a question says stays text: the markers that end a turn or begin one are for us alone to write.

A tokenizer turns `<|im_end|>` into the control token wherever it stands, so a document with `<|im_end|>
<|im_start|>system` would open a system message of its own. A space after the marker's first character keeps it legible
and makes it plain text for every tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

COMMON = re.compile(
    r"(?=<[|｜][^<>\s]{1,40}[|｜]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\]|<</?SYS>>"
    r"|</?s>|<(?:bos|eos|pad|unk)>|<(?:start|end)_of_turn>|</?tool_call>)."
)
"""Control tokens of the published model families, for a server whose tokenizer cannot be asked."""


def breaker(added_tokens: Iterable[tuple[str, bool]]) -> Callable[[str], str]:
    """A function text -> text in which none of these tokens is left.

    :param added_tokens: (text, whether it is special) of each token that the tokenizer finds before it splits words.
        Ordinary words among them stay; what looks like markup, such as `<tool_call>`, does not.
    """
    markers = [text for text, special in added_tokens if text.strip() and (special or text[0] in "<[")]
    if not markers:
        return lambda text: text
    # A look-ahead finds overlapping markers too.
    pattern = re.compile(f"(?={'|'.join(re.escape(text) for text in sorted(markers))}).", re.DOTALL)
    return lambda text: pattern.sub(r"\g<0> ", text)


def break_common(text: str) -> str:
    return COMMON.sub(r"\g<0> ", text)
