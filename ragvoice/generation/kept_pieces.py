"""What the decoder has read of prompts that have pieces in common, so that it is read once.

A prompt's front is read in its own pieces (what stands before the passages, then each passage) whether any of them was
kept or not: the same sums in the same order, so the answer is the same. Where passages are read `apart`, each is of
use in any place beside any others.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ragvoice.generation.int8_decoder import Cache, Int8Decoder

_Key = tuple[tuple[int, ...], ...]
"""The pieces that a piece sees, in order, itself the last one."""


@dataclass
class _Reading:
    """A piece that is being read, or was given up between two layers."""

    key: _Key
    cache: Cache
    """Of all the pieces in the key."""
    layers: Iterator[Any]


class KeptPieces:
    """For any thread."""

    def __init__(self, decoder: Int8Decoder, passes: threading.Lock, most_tokens: int, *, apart: bool):
        """:param passes: Is held during a forward pass: two at a time would each take twice as long.
        :param most_tokens: That are kept; what was not used for longest goes first.
        :param apart: Whether no passage sees another one; otherwise each sees those before it.
        """
        self._decoder = decoder
        self._passes = passes
        self._most_tokens = most_tokens
        self._apart = apart
        self._kept: OrderedDict[_Key, Cache] = OrderedDict()
        self._given_up: _Reading | None = None

    def __contains__(self, pieces: Sequence[Sequence[int]]) -> bool:
        return all(key in self._kept for key in self._keys(pieces))

    def __len__(self) -> int:
        """Tokens that are kept."""
        return sum(piece.length for piece in self._kept.values())

    def clear(self) -> None:
        with self._passes:
            self._kept.clear()
            self._given_up = None

    def read(
        self, pieces: Sequence[Sequence[int]], capacity: int, wanted: Callable[[], bool] = lambda: True
    ) -> Cache | None:
        """A cache that holds these pieces, of which only the new ones are read.

        :param wanted: Asked before each layer. Where it says no, None is returned; what was read so far is kept, so
            who wants the rest goes on from there.
        """
        cache = self._decoder.cache(capacity)
        keys = self._keys(pieces)
        for key in keys:
            piece = self._kept.get(key) or self._read(key, cache, wanted)
            if piece is None:
                return None
            cache.add(piece)
        with self._passes:
            for key in reversed(keys):  # the first piece is of use to more prompts than the last
                if key in self._kept:
                    self._kept.move_to_end(key)
        return cache

    def _read(self, key: _Key, before: Cache, wanted: Callable[[], bool]) -> Cache | None:
        """:param before: Begins with the pieces before the last one of the key."""
        *seen, own = key
        start = sum(map(len, seen))
        with self._passes:
            if key in self._kept:  # somebody else has read it meanwhile
                return self._kept[key]
            reading, self._given_up = self._given_up, None
            if reading is None or reading.key != key:
                cache = self._decoder.cache(start + len(own))
                cache.add(before.part(0, start))
                reading = _Reading(key, cache, self._decoder.layer_by_layer(own, cache))
            while wanted():
                if next(reading.layers, None) is None:
                    return self._keep(key, reading.cache.part(start, reading.cache.length))
            self._given_up = reading
            return None

    def _keep(self, key: _Key, piece: Cache) -> Cache:
        self._kept[key] = piece
        while len(self) > self._most_tokens:
            self._kept.popitem(last=False)
        return piece

    def _keys(self, pieces: Sequence[Sequence[int]]) -> list[_Key]:
        all_ = tuple(map(tuple, pieces))
        if self._apart:
            return [(*all_[: min(1, number)], piece) for number, piece in enumerate(all_)]
        return [all_[: number + 1] for number in range(len(all_))]
