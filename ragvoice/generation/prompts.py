"""The one prompt: served, evaluated and trained on as it stands here.

Order: instructions, passages, conversation, question. What stays the same between two questions comes first, so
that a runtime with a prefix cache reads it once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from ragvoice.datatypes import Message, Passage, Style
from ragvoice.errors import GenerationError

_INSTRUCTIONS = {
    "spoken": (
        "Answer the question using only the passages. Reply with one short, complete sentence that states the fact."
    ),
    "short": (
        "Answer the question using only the passages. "
        "Copy the shortest exact words from the passages that answer it, not a sentence."
    ),
}
"""No word about refusing: a half-billion model that may refuse does so at the wrong questions (docs/experiments.md).
Whether to abstain is decided from the evidence, in `answering`."""

_REFUSALS = re.compile(
    r"not (?:in|mentioned in|provided in|stated in|specified in|found in|given in) the (?:documents?|passages?|text)"
    r"|(?:passages?|documents?|text) (?:do|does) not (?:contain|mention|provide|specify|state|say|give|include)"
    r"|(?:is|are|was|were) not (?:provided|specified|mentioned|stated)(?: in [^.]*)?[.]?$",
    re.IGNORECASE,
)

_FRONT = "front_chars"
"""In a message's `additional_kwargs`: how much of its text comes before the passages, before the second one, and so on,
at last before what the person says."""

_EMPTY_LINES = re.compile(r"\n{3,}")
_HISTORY_LINES = 2
"""Earlier lines shown to the model; more would cost time to first token and pull a small model off the question."""
_HISTORY_WORDS = 60
"""Of each line; the rest of a long answer is cut so that the prompt stays within the model's context."""

_TEMPLATE_TOKENS = 64
"""That a chat template adds around two messages; those that were tried add about 20."""
_LEAST_TOKENS = 100
"""Fewer are too few for a passage to be of use."""


def build_prompt(
    question: str, passages: Sequence[Passage], history: Sequence[Message] = (), style: Style = "spoken"
) -> list[BaseMessage]:
    """Messages for any chat model. Passages are quoted as data; nothing in them is an instruction to the reader."""
    texts = [quoted(passage) for passage in passages] or [""]
    parts = ["Passages:\n\n", *(f"{text}\n\n" for text in texts)]
    said = "\n".join(
        f"Earlier {'question' if line.speaker == 'user' else 'answer'}: {' '.join(line.text.split()[:_HISTORY_WORDS])}"
        for line in history[-_HISTORY_LINES:]
    )
    text = "".join(parts) + "\n\n".join(part for part in (said, f"Question: {question}") if part)
    ends = list(accumulate(map(len, parts)))
    return [SystemMessage(_INSTRUCTIONS[style]), HumanMessage(text, additional_kwargs={_FRONT: ends})]


def quoted(passage: Passage) -> str:
    """The same in any place beside any others, so that a runtime may read it once (`apart`). With no mark before the
    heading the model answers with the heading (docs/experiments.md)."""
    return f"## {_heading(passage)}\n{_body(passage)}"


def front_of(message: BaseMessage) -> str:
    """The beginning of its text that does not depend on the question, empty when that is not known."""
    return fronts_of(message)[-1]


def fronts_of(message: BaseMessage) -> list[str]:
    """Beginnings of its text that other prompts may have, too: up to the passages, to the end of each, the last is
    `front_of`."""
    return [message.text[:end] for end in message.additional_kwargs.get(_FRONT, [0])]


def fit_prompt(
    question: str,
    passages: Sequence[Passage],
    history: Sequence[Message],
    style: Style,
    count_tokens: Callable[[str], int],
    *,
    passage_tokens: int,
    context_tokens: int,
) -> tuple[list[BaseMessage], list[Passage]]:
    """The prompt within the model's context, and the passages in it; the history gives way to the passages' first.

    :param passage_tokens: Most that the passages may take.
    :param context_tokens: Most that the whole prompt may take, without the answer.
    :raises GenerationError: when the question alone does not fit.
    """
    lines: Sequence[Message] = history
    while True:
        fixed = sum(count_tokens(message.text) for message in build_prompt(question, (), lines, style))
        left = context_tokens - fixed - _TEMPLATE_TOKENS
        if left >= min(_LEAST_TOKENS, passage_tokens):
            break
        if not lines:
            raise GenerationError(f"The question takes {fixed} of {context_tokens} tokens. Ask a shorter question.")
        lines = ()
    fitting = fit_passages(passages, count_tokens, min(passage_tokens, left))
    return build_prompt(question, fitting, lines, style), fitting


def check_length(tokens: int, most: int) -> None:
    """Of a whole prompt, for a runtime that is about to read it.

    :raises GenerationError: when it leaves no room for the answer.
    """
    if tokens > most:
        raise GenerationError(f"The prompt has {tokens} tokens; the limit is {most}. Ask a shorter question.")


def prompt_hash(messages: Sequence[BaseMessage]) -> str:
    """SHA-256 of the roles and texts, in hexadecimal: equal for equal prompts."""
    return hashlib.sha256("\0".join(f"{message.type}\0{message.text}" for message in messages).encode()).hexdigest()


def fit_passages(passages: Sequence[Passage], count_tokens: Callable[[str], int], budget_tokens: int) -> list[Passage]:
    """The best passages that fit together, in their order; the first one is cut rather than left out."""
    fitting: list[Passage] = []
    left = budget_tokens
    for passage in passages:
        needed = count_tokens(f"{quoted(passage)}\n\n")
        if needed <= left:
            fitting.append(passage)
            left -= needed
        elif not fitting:
            kept = max(1, int(len(passage.text) * left / needed * 0.9))
            return [replace(passage, text=passage.text[:kept])]
    return fitting


def prompt_fingerprint() -> str:
    """Of the prompt's wording and order, whatever the question; an adapter and a confidence model belong to one.

    :returns: SHA-256 in hexadecimal.
    """
    passage = Passage("d", "s", "title", "section", None, None, "text", 0, 1.0, table_header="header")
    said = (Message("user", "before"), Message("agent", "said"))
    messages = [build_prompt("question", (passage, passage), said, style) for style in ("spoken", "short")]
    return prompt_hash([message for prompt in messages for message in prompt])


def is_refusal(text: str) -> bool:
    """Whether the model says that the passages do not hold the answer, in its instructions' words or its own."""
    return bool(_REFUSALS.search(text))


def _heading(passage: Passage) -> str:
    return " > ".join(part for part in (passage.title, passage.section) if part)


def _body(passage: Passage) -> str:
    """The rows of a split table below the names of their columns; no runs of empty lines."""
    return _EMPTY_LINES.sub("\n\n", "\n".join(part for part in (passage.table_header, passage.text) if part))
