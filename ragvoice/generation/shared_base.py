"""One base model in memory, several LoRA adapters beside one another on it, one of them at work at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from ragvoice.lora import load_lora


class SharedBase:
    """For any thread: a generation keeps its adapter to its end, and one with another adapter waits until then."""

    def __init__(self, model: Any):
        self.model = model
        """transformers' class, and PEFT's once there is an adapter."""
        self._changed = threading.Condition()
        self._at_work = 0
        self._active: str | None = None
        self._given_up = set[str]()
        self._names = (f"adapter{number}" for number in count())

    def add(self, folder: Path) -> str:
        """Load an adapter beside the others; returns the name to `use` it by.

        :raises ValueError, OSError, KeyError, TypeError, RuntimeError, SafetensorError: as `load_lora`.
        """
        with self._idle():
            name = next(self._names)
            try:
                self.model = load_lora(self.model, folder, name)
                self.model.eval()
            finally:
                self._activate(self._active)
        return name

    def give_up(self, name: str) -> None:
        """Nobody will use this adapter any more; its memory is freed before the next generation without others."""
        self._given_up.add(name)

    @contextmanager
    def use(self, adapter: str | None) -> Iterator[Any]:
        """The model with this adapter, or bare."""
        with self._changed:
            self._changed.wait_for(lambda: self._at_work == 0 or self._active == adapter)
            if self._at_work == 0:
                self._activate(adapter)
                self._forget()
            self._at_work += 1
        try:
            yield self.model
        finally:
            with self._changed:
                self._at_work -= 1
                self._changed.notify_all()

    @contextmanager
    def _idle(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: self._at_work == 0)
            yield

    def _activate(self, adapter: str | None) -> None:
        self._active = adapter
        if adapter is not None:
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(adapter, inference_mode=True)
        elif hasattr(self.model, "peft_config"):
            self.model.base_model.disable_adapter_layers()

    def _forget(self) -> None:
        """The one that peft still holds as the active one, though switched off, goes after the next change."""
        for name in [name for name in self._given_up if name not in self.model.active_adapters]:
            self.model.delete_adapter(name)
            self._given_up.discard(name)
