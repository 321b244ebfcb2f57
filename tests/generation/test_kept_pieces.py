"""Passages read apart or after one another, kept and put together, against transformers with the same mask."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from ragvoice.generation.apart import REST, pieces_of, positions, visible
from ragvoice.generation.int8_decoder import Int8Decoder
from ragvoice.generation.kept_pieces import KeptPieces

BEGINNING, FIRST, SECOND, REST_OF_IT = [5, 17, 33], [8, 41, 29, 60], [12, 55], [7, 23, 19]
PROMPT = [BEGINNING, FIRST, SECOND, REST_OF_IT]


def kept(decoder: Int8Decoder, *, apart: bool) -> KeptPieces:
    return KeptPieces(decoder, threading.Lock(), 1000, apart=apart)


def logits(pieces: KeptPieces, decoder: Int8Decoder, prompt: list[list[int]]) -> torch.Tensor:
    *front, rest = prompt
    cache = pieces.read(front, sum(map(len, prompt)))
    assert cache is not None
    found: torch.Tensor = decoder.read(rest, cache, len(rest))
    return found


def test_each_token_of_a_piece_has_its_number_and_the_rest_sees_everything() -> None:
    assert pieces_of(PROMPT) == [0, 0, 0, 1, 1, 1, 1, 2, 2, REST, REST, REST]
    assert positions(pieces_of(PROMPT)) == [0, 1, 2, 3, 4, 5, 6, 3, 4, 9, 10, 11]
    assert pieces_of([REST_OF_IT]) == [REST, REST, REST]
    assert positions([REST, REST, REST]) == [0, 1, 2]
    assert visible(np.array([0, 1, 2, REST])).astype(int).tolist() == [
        [1, 0, 0, 0],
        [1, 1, 0, 0],
        [1, 0, 1, 0],
        [1, 1, 1, 1],
    ]


@pytest.mark.parametrize("apart", [True, False])
def test_what_follows_the_passages_is_what_transformers_makes_of_it(
    models: tuple[Int8Decoder, torch.nn.Module], apart: bool
) -> None:
    decoder, theirs = models
    ids = torch.tensor([[id_ for piece in PROMPT for id_ in piece]])
    pieces = pieces_of(PROMPT) if apart else [REST] * ids.shape[1]
    seen = np.tril(visible(np.array(pieces)))
    with torch.inference_mode():
        expected_lv = theirs(
            ids,
            attention_mask=torch.from_numpy(seen)[None, None],
            position_ids=torch.tensor([positions(pieces)]),
        ).logits[0, -len(REST_OF_IT) :]
    found_lv = logits(kept(decoder, apart=apart), decoder, PROMPT)
    other_lv = logits(kept(decoder, apart=not apart), decoder, PROMPT)
    off, other = ((one - expected_lv).abs().mean() / expected_lv.std() for one in (found_lv, other_lv))
    assert off < 0.08  # what int8 costs
    assert other > 1.5 * off


def test_a_passage_that_was_read_in_one_place_is_of_use_in_another(
    models: tuple[Int8Decoder, torch.nn.Module],
) -> None:
    decoder, _ = models
    new = kept(decoder, apart=True)
    expected = logits(new, decoder, [BEGINNING, SECOND, FIRST, REST_OF_IT])
    assert len(new) == len([*BEGINNING, *FIRST, *SECOND])
    used = kept(decoder, apart=True)
    logits(used, decoder, PROMPT)
    assert [BEGINNING, SECOND, FIRST] in used
    assert torch.equal(logits(used, decoder, [BEGINNING, SECOND, FIRST, REST_OF_IT]), expected)
    after = kept(decoder, apart=False)
    logits(after, decoder, PROMPT)
    assert [BEGINNING, SECOND, FIRST] not in after


def test_another_beginning_is_another_reading(models: tuple[Int8Decoder, torch.nn.Module]) -> None:
    decoder, _ = models
    pieces = kept(decoder, apart=True)
    logits(pieces, decoder, PROMPT)
    assert [[6], FIRST] not in pieces
    assert [BEGINNING, FIRST] in pieces
