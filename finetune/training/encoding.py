"""Examples -> tokens, by the prompt and the chat template of serving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage

from finetune.data.examples import Example, prompt_of
from ragvoice.errors import UsageError
from ragvoice.generation.apart import pieces_of
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.control_tokens import breaker


@dataclass(frozen=True)
class Encoded:
    """Token ids of one example; the loss is on `answer` alone."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    """With the token that ends a turn."""
    refuses: bool = False
    source: str = ""
    pieces: tuple[int, ...] = ()
    """For each token of the prompt the number of its piece (`ragvoice.generation.apart`); empty: each token sees all
    before it."""

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def encode(examples: Sequence[Example], template: ChatTemplate, *, apart: bool) -> list[Encoded]:
    """:param apart: Whether the passages are read apart, as serving is to read them.
    :raises UsageError: when the template does not write an answer right after the prompt of serving."""
    added = template.tokenizer.get_added_tokens_decoder().values()
    as_text = breaker((token.content, token.special) for token in added)
    return [_encoded(example, as_text(example.answer.strip()), template, apart) for example in examples]


def _encoded(example: Example, said: str, template: ChatTemplate, apart: bool) -> Encoded:
    """:param said: The answer, control tokens that it spells out as text."""
    messages = prompt_of(example)
    prompt = template.render(messages)
    whole = template.render([*messages, AIMessage(said)], add_generation_prompt=False)
    if not template.end_tokens:
        raise UsageError("The model names no token that ends a turn, so an answer would have no end.")
    end = next((end for end in template.end_tokens if whole.startswith(f"{prompt}{said}{end}")), None)
    if end is None:
        raise UsageError(
            "The chat template of the model does not write an answer where serving lets the model begin one, so what "
            f"is trained would not be what is asked. It writes {whole[-80:]!r} after {prompt[-40:]!r}. Use a model "
            "whose template ends a prompt the way it begins an answer."
        )
    tokenizer = template.tokenizer
    answer = tokenizer.encode(f"{said}{end}", add_special_tokens=False).ids
    pieces = template.prompt_pieces(messages)
    ids = template.ids([token for piece in pieces for token in piece])
    numbers = tuple(pieces_of(pieces)) if apart else ()
    return Encoded(tuple(ids), tuple(answer), example.refuses, example.source, numbers)
