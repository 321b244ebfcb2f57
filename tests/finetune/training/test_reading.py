"""One forward pass tells what greedy decoding would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from training_runs import TRAIN
from transformers import AutoModelForCausalLM

from finetune.training.encoding import Encoded, encode
from finetune.training.packing import Row, pack
from finetune.training.reading import Prediction, figures, predictions
from finetune.training.trainer import collate
from ragvoice.generation.chat_template import ChatTemplate


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).eval()


def _logits(model: Any) -> Any:
    def of(row: Row) -> torch.Tensor:
        inputs = {name: value for name, value in collate([row]).items() if name != "labels"}
        logits: torch.Tensor = model(**inputs, use_cache=False).logits[0]
        return logits

    return of


def _written(model: Any, prompt: tuple[int, ...], count: int) -> tuple[int, ...]:
    made = model.generate(
        torch.tensor([prompt]), max_new_tokens=count, min_new_tokens=count, do_sample=False, eos_token_id=None,
        pad_token_id=0,
    )  # fmt: skip
    return tuple(made[0, len(prompt) :].tolist())


def test_exact_and_refused_are_what_greedy_generation_writes(base: Path, model: Any) -> None:
    prompts = [encoded.prompt for encoded in encode(TRAIN, ChatTemplate(base), apart=False)]
    written = [_written(model, prompt, 4) for prompt in prompts]
    examples = []
    for number, (prompt, answer) in enumerate(zip(prompts, written, strict=True)):
        last = (answer[-1] + number % 2) % 256  # every other one differs in its last token
        examples.append(Encoded(prompt, (*answer[:-1], last), refuses=number % 3 == 0))
    refusal = written[0][0]
    rows = pack(examples, 2000, 3, seed=1)
    assert len(rows) < len(examples)
    with torch.inference_mode():
        made = {one: owner for row in rows for one, owner in _by_owner(model, row, examples, refusal)}
    assert sorted(made.values()) == list(range(len(examples)))
    for one, owner in made.items():
        assert one.exact == (examples[owner].answer == written[owner]) == (owner % 2 == 0)
        assert one.refused == (written[owner][0] == refusal)
        assert not one.exact_answer or not one.refused
        assert one.exact_answer == one.exact or one.refused
        assert one.refuses == examples[owner].refuses
        assert one.tokens == 4


def _by_owner(model: Any, row: Row, examples: list[Encoded], refusal: int) -> list[tuple[Prediction, int]]:
    owners = sorted(set(row.owners_a.tolist()))
    return list(zip(predictions([row], _logits(model), examples, refusal), owners, strict=True))


def _prediction(
    refuses: bool, refusal: float, exact: bool = False, loss_sum: float = 1.0, tokens: int = 2
) -> Prediction:
    refused = refusal > 0.5
    return Prediction(refuses, exact and refused == refuses, refused, exact and not refuses, refusal, loss_sum, tokens)


def test_figures_by_hand() -> None:
    made = [
        _prediction(False, 0.1, exact=True),
        _prediction(False, 0.6, exact=True, loss_sum=3.0, tokens=3),
        _prediction(False, 0.2, loss_sum=2.0, tokens=3),
        _prediction(False, 0.4, exact=True, loss_sum=0.0, tokens=1),
        _prediction(True, 0.7, exact=True, tokens=1),
        _prediction(True, 0.3, loss_sum=0.0, tokens=0),
    ]
    assert figures(made) == pytest.approx(
        {
            "loss": 0.7,  # 7 nats over 10 tokens
            "exact": 0.5,
            "answerable_refused": 0.25,
            "unanswerable_refused": 0.5,
            "separation": 0.75,  # of 8 pairs, 0.7 is above all four and 0.3 above two
            "balanced": 0.625,  # from 0.7 on it refuses half of the unanswerable, and three of four are exact
        }
    )


def test_where_nothing_is_unanswerable_balanced_is_exact() -> None:
    found = figures([_prediction(False, 0.0, exact=True)])
    assert found == {"loss": 0.5, "exact": 1.0, "answerable_refused": 0.0, "balanced": 1.0}
