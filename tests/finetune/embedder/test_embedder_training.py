"""Training on a tiny random model: it learns, a killed run ends the same, and what comes out can be served."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file

from finetune.embedder.mining import Pair
from finetune.embedder.training import EmbedderTraining, train
from finetune.transformers_trainer import Schedule
from ragvoice.errors import ModelError, TrainingError
from ragvoice.models import ModelStore
from ragvoice.retrieval.embeddings import CTranslate2Embeddings, tokens_of

WORDS = "leave pay travel laptop badge parking training pension holiday illness overtime canteen".split()
PAIRS = [
    Pair(str(i), f"Tell me of {word}!", f"Section {i} of the handbook: {100 + i}", (f"Nothing {i}",), f"d{i}")
    for i, word in enumerate(WORDS)
]
SCHEDULE = Schedule(batch=4, learning_rate=5e-3, save_steps=3)


def test_the_loss_falls_and_the_model_serves(tiny_embedder: Path, tmp_path: Path) -> None:
    losses = train(PAIRS, tiny_embedder, tmp_path, EmbedderTraining(epochs=8, max_tokens=32), SCHEDULE)
    assert losses[-1][1] < losses[0][1] / 2
    assert tokens_of(tmp_path / "model") == 64  # training on shorter texts leaves it as it was
    store = ModelStore.open(tmp_path / "home")
    served = CTranslate2Embeddings(store.converted(str(tmp_path / "model"), "ctranslate2-int8"))
    questions, passages = served.embed([p.question for p in PAIRS]), served.embed([p.positive for p in PAIRS])
    found = (questions @ passages.T).argmax(axis=1)
    assert np.mean(found == np.arange(len(PAIRS))) > 0.9


def test_gradient_caching_gives_the_same_first_step(tiny_embedder: Path, tmp_path: Path) -> None:
    base = shutil.copytree(tiny_embedder, tmp_path / "without-dropout")
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(
        json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})
    )
    one = Schedule(batch=4, learning_rate=5e-3, save_steps=1)
    whole = train(PAIRS[:4], base, tmp_path / "a", EmbedderTraining(), one)
    cached = train(PAIRS[:4], base, tmp_path / "b", EmbedderTraining(mini_batch=2), one)
    assert cached[0][1] == pytest.approx(whole[0][1], rel=1e-4)


def test_a_killed_run_ends_the_same(tiny_embedder: Path, tmp_path: Path) -> None:
    def killed(stage: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    training = EmbedderTraining(epochs=2)
    through = train(PAIRS, tiny_embedder, tmp_path / "through", training, SCHEDULE)
    with pytest.raises(KeyboardInterrupt):
        train(PAIRS, tiny_embedder, tmp_path / "killed", training, SCHEDULE, killed)
    assert not (tmp_path / "killed" / "model").exists()
    half = tmp_path / "killed" / "checkpoints" / "checkpoint-4"
    half.mkdir()  # the kill came while this one was written
    steps: list[int] = []
    resumed = train(
        PAIRS, tiny_embedder, tmp_path / "killed", training, SCHEDULE, lambda stage, done, total: steps.append(done)
    )
    assert steps == [4, 5, 6]
    assert resumed == through
    a, b = (load_file(tmp_path / name / "model" / "model.safetensors") for name in ("through", "killed"))
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_a_loss_that_is_no_number_ends_it(tiny_embedder: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"The loss is nan at step \d+"):
        train(PAIRS, tiny_embedder, tmp_path, EmbedderTraining(epochs=8), Schedule(4, 1e30, save_steps=1))
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
    ids=["python", "safetensors"],
)
def test_a_full_disk_keeps_the_last_checkpoint(
    tiny_embedder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from transformers import Trainer

    save = Trainer._save_rng_state

    def full(self: Trainer, output_dir: str) -> None:
        if output_dir.endswith("-4"):
            raise error
        save(self, output_dir)

    monkeypatch.setattr(Trainer, "_save_rng_state", full)
    with pytest.raises(TrainingError, match="No space left on device while writing to"):
        train(PAIRS, tiny_embedder, tmp_path, EmbedderTraining(epochs=2), Schedule(4, 5e-3, save_steps=2))
    monkeypatch.undo()
    steps: list[int] = []
    schedule = Schedule(4, 5e-3, save_steps=2)
    train(
        PAIRS, tiny_embedder, tmp_path, EmbedderTraining(epochs=2), schedule, lambda stage, done, _: steps.append(done)
    )
    assert steps == [3, 4, 5, 6]


def test_another_kind_of_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelError, match="cannot be loaded as a sentence-transformers model"):
        train(PAIRS, tmp_path, tmp_path, EmbedderTraining(), SCHEDULE)
