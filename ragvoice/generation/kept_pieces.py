"""What the decoder has read of prompts that begin alike, so that it is read once.

A prompt's front is read in its own pieces (the instructions, then each passage) whether any of them was kept or not:
the same sums in the same order, so the answer is the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any

from ragvoice.generation.int8_decoder import Cache, Int8Decoder


@dataclass
class _Reading:
    """A piece that is being read, or was given up between two layers."""

    ids: tuple[int, ...]
    """Its own and all before."""
    cache: Cache
    layers: Iterator[Any]


class KeptPieces:
    """For any thread."""

    def __init__(self, decoder: Int8Decoder, passes: threading.Lock, most_tokens: int):
        """:param passes: Is held during a forward pass: two at a time would each take twice as long.
        :param most_tokens: That are kept; what was not used for longest goes first.
        """
        self._decoder = decoder
        self._passes = passes
        self._most_tokens = most_tokens
        self._kept: OrderedDict[tuple[int, ...], Cache] = OrderedDict()
        self._given_up: _Reading | None = None

    def __contains__(self, pieces: Sequence[Sequence[int]]) -> bool:
        return all(ids in self._kept for ids in _beginnings(pieces))

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
        beginnings = _beginnings(pieces)
        for ids in beginnings:
            piece = self._kept.get(ids) or self._read(ids, cache, wanted)
            if piece is None:
                return None
            cache.add(piece)
        with self._passes:
            for ids in reversed(beginnings):  # the first piece is of use to more prompts than the last
                if ids in self._kept:
                    self._kept.move_to_end(ids)
        return cache

    def _read(self, ids: tuple[int, ...], before: Cache, wanted: Callable[[], bool]) -> Cache | None:
        with self._passes:
            if ids in self._kept:  # somebody else has read it meanwhile
                return self._kept[ids]
            reading, self._given_up = self._given_up, None
            if reading is None or reading.ids != ids:
                cache = self._decoder.cache(len(ids))
                cache.add(before.since(0))
                reading = _Reading(ids, cache, self._decoder.layer_by_layer(ids[before.length :], cache))
            while wanted():
                if next(reading.layers, None) is None:
                    return self._keep(ids, reading.cache.since(before.length))
            self._given_up = reading
            return None

    def _keep(self, ids: tuple[int, ...], piece: Cache) -> Cache:
        self._kept[ids] = piece
        while len(self) > self._most_tokens:
            self._kept.popitem(last=False)
        return piece


def _beginnings(pieces: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    ids = tuple(chain.from_iterable(pieces))
    return [ids[:end] for end in accumulate(map(len, pieces))]
