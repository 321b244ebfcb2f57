"""A model's own chat template and tokenizer, without transformers (its import takes seconds)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from ragvoice.errors import ModelError
from ragvoice.generation.control_tokens import breaker
from ragvoice.generation.prompts import fronts_of

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


class ChatTemplate:
    """Messages -> tokens, by the tokenizer and the chat template in a model's folder."""

    def __init__(self, model_path: Path):
        """:raises ModelError: when the folder has no tokenizer or no chat template."""
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment
        from tokenizers import Tokenizer

        try:
            self.tokenizer = Tokenizer.from_file(str(model_path / "tokenizer.json"))
            config = json.loads((model_path / "tokenizer_config.json").read_text(encoding="utf-8"))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"{model_path.name} has no readable tokenizer ({error}).") from error
        # A file may say what its training cut and padded texts to; of a prompt it would be the question that is cut.
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        template_file = model_path / "chat_template.jinja"
        source = _default(config.get("chat_template"))
        if template_file.is_file():
            source = template_file.read_text(encoding="utf-8")
        if not source:
            raise ModelError(f"{model_path.name} has no chat template; use an instruction-tuned model.")
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.globals["raise_exception"] = _refuse
        environment.globals["strftime_now"] = lambda pattern: datetime.now().strftime(pattern)
        try:
            self._template = environment.from_string(source)
        except TemplateError as error:
            raise ModelError(f"{model_path.name} has a chat template that cannot be read ({error}).") from error
        self._special = {name: _token_text(config.get(name)) for name in ("bos_token", "eos_token")}
        self.end_tokens = self._ends(model_path)
        added = self.tokenizer.get_added_tokens_decoder().values()
        self._as_text = breaker((token.content, token.special) for token in added)

    def render(self, messages: Sequence[BaseMessage], *, add_generation_prompt: bool = True) -> str:
        """The only control tokens in it are the template's own; those that a message spells out stay text.

        :raises ModelError: when the template does not take these messages.
        """
        from jinja2 import TemplateError

        rows = [
            {"role": _ROLES.get(message.type, message.type), "content": self._as_text(message.text)}
            for message in messages
        ]
        # Templates test `tools is none`: they expect these two names to be there, as transformers passes them.
        known = {"tools": None, "documents": None, **self._special}
        try:
            return self._template.render(messages=rows, add_generation_prompt=add_generation_prompt, **known)
        except TemplateError as error:
            raise ModelError(f"The model's chat template cannot take this conversation ({error}).") from error

    def split_prompt(self, messages: Sequence[BaseMessage]) -> tuple[list[str], list[str]]:
        """Tokens of the front part, which is the same for another question, and of the rest; together the whole prompt.

        The front reaches to the end of the passages; it is empty when the last message does not say where that is
        (`prompts.front_of`).
        """
        *front, rest = self.prompt_pieces(messages)
        return [token for piece in front for token in piece], rest

    def prompt_pieces(self, messages: Sequence[BaseMessage]) -> list[list[str]]:
        """Tokens of the prompt, cut after each of the beginnings that another prompt may have, too
        (`prompts.fronts_of`); the last piece is the rest.

        They are cut from the tokens of the whole, so where they are cut changes nothing about them.
        """
        whole = self.render(messages)
        encoding = self.tokenizer.encode(whole, add_special_tokens=False)
        fronts = [self._as_text(front) for front in fronts_of(messages[-1])]
        start = whole.rfind(fronts[-1]) if fronts[-1] else -1
        if start < 0:
            return [encoding.tokens]
        token_ends = [token_end for _, token_end in encoding.offsets]
        cuts = [sum(token_end <= start + len(front) for token_end in token_ends) for front in fronts]
        return [encoding.tokens[a:b] for a, b in pairwise([0, *cuts, len(token_ends)])]

    def ids(self, tokens: Sequence[str]) -> list[int]:
        found = map(self.tokenizer.token_to_id, tokens)
        return [id_ for id_ in found if id_ is not None]

    def count_tokens(self, text: str) -> int:
        return len(self.tokenizer.encode(text, add_special_tokens=False))

    def _ends(self, model_path: Path) -> list[str]:
        """Every token that ends a turn: generation_config.json may name more of them than the tokenizer."""
        ends = [self._special["eos_token"]] if self._special["eos_token"] else []
        file = model_path / "generation_config.json"
        if file.is_file():
            ids = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id") or []
            named = (self.tokenizer.id_to_token(id_) for id_ in ([ids] if isinstance(ids, int) else ids))
            ends += [token for token in named if token and token not in ends]
        return ends


def _default(source: Any) -> Any:
    """Older configurations hold a list of templates with names."""
    if isinstance(source, list):
        return {row.get("name"): row.get("template") for row in source}.get("default")
    return source


def _token_text(value: Any) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value or "")


def _refuse(message: str) -> None:
    raise ModelError(f"The model's chat template refuses this conversation: {message}")
