"""The reader's training on tiny data and a tiny random BERT: what is read, kept, resumed and written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from finetune.cross_encoder.data import data_hash, read_examples
from finetune.cross_encoder.figures import auroc, figures, folds, refused
from ragvoice.build import build_store
from ragvoice.errors import UsageError
from ragvoice.retrieval.pairs import PairEncoder

CORPUS = [
    {"id": "a0", "title": "Leave", "text": "Annual leave is 25 days. It lapses in March."},
    {"id": "a1", "title": "Leave", "text": "Parental leave is 16 weeks. Ask HR for the form."},
    {"id": "b0", "title": "Canteen", "text": "The canteen closes at three. It is cash only."},
]
ASKED = [
    ("How long is annual leave?", ["25 days"], ["a0"], True),
    ("How long is sick leave?", [], ["a0"], False),
    ("When does the canteen close?", ["three"], ["b0"], True),
    ("Who is the cook?", [], [], False),
]
QUESTIONS = [
    {"id": str(number), "question": question, "answers": answers, "gold_ids": gold_ids, "answerable": answerable}
    for number, (question, answers, gold_ids, answerable) in enumerate(ASKED, start=1)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    folder.mkdir()
    for name, rows in (("corpus", CORPUS), ("questions", QUESTIONS)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return folder


@pytest.fixture
def encoder(model_home: Path) -> PairEncoder:
    return PairEncoder(build_store().path("all-minilm-l6-v2") / "tokenizer.json", window_tokens=16, max_tokens=48)


def test_examples_of_a_set(folder: Path, encoder: PairEncoder) -> None:
    first, second, third = read_examples([folder], encoder, wrong_share=0, seed=0)
    assert [first.answers, second.answers, third.answers] == [True, False, True]
    assert first.relevant
    assert second.relevant
    assert [first.group, third.group] == ["Leave", "Canteen"]
    assert first.span is not None
    words = first.offsets_l[first.span[0] : first.span[1] + 1]
    assert CORPUS[0]["text"][words[0][0] : words[-1][1]] == "25 days"
    assert second.span is None


def test_wrong_passages_are_no_answer_and_no_figure(folder: Path, encoder: PairEncoder) -> None:
    examples = read_examples([folder], encoder, wrong_share=1, seed=0)
    drawn = [example for example in examples if example.drawn]
    assert len(drawn) == 3
    assert not any(example.answers or example.relevant or example.span for example in drawn)
    assert {example.id: example.group for example in drawn}["1"] == "Leave"
    assert figures(examples, np.zeros(6), np.zeros(6), [""] * 6)["set questions"] == 3


def test_an_answer_outside_the_window_is_marked(folder: Path, model_home: Path) -> None:
    narrow = PairEncoder(build_store().path("all-minilm-l6-v2") / "tokenizer.json", window_tokens=4, max_tokens=48)
    (folder / "questions.jsonl").write_text(
        json.dumps({**QUESTIONS[0], "question": "In which March does it lapse, and after how long?"})
    )
    (example,) = read_examples([folder], narrow, wrong_share=0, seed=0)
    assert example.missed
    assert example.answers


def test_the_hash_is_of_the_data(folder: Path) -> None:
    before = data_hash([folder])
    (folder / "corpus.jsonl").write_text(json.dumps(CORPUS[0]))
    assert data_hash([folder]) != before


def test_a_folder_without_questions(tmp_path: Path, encoder: PairEncoder) -> None:
    with pytest.raises(UsageError, match=r"needs corpus\.jsonl"):
        read_examples([tmp_path], encoder, wrong_share=0, seed=0)


def test_folds_never_tear_a_group_apart() -> None:
    groups = ["a", "a", "b", "c", "c", "d"]
    held = folds(groups, 2)
    assert sorted(i for fold in held for i in fold) == list(range(6))
    assert not {groups[i] for i in held[0]} & {groups[i] for i in held[1]}


def test_figures_by_hand() -> None:
    answerable = np.array([True, True, False, False])
    # Of the four pairs (answerable, not) three are in order.
    assert auroc(answerable, np.array([0.9, 0.4, 0.5, 0.1], dtype=np.float32)) == 0.75
    scores = np.concatenate([np.arange(10.0, 20.0), [5.0, 10.5, 11.0, 30.0]]).astype(np.float32)
    # A tenth of the answerable, 10.0, lies below 11; 5 and 10.5 of the four others do.
    assert refused(np.arange(14) < 10, scores) == 0.5


@pytest.fixture
def base(tmp_path: Path) -> Path:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def test_training_learns_and_goes_on_where_it_stopped(
    folder: Path, encoder: PairEncoder, base: Path, tmp_path: Path
) -> None:
    import torch

    from finetune.cross_encoder.train import Recipe, predict, train

    examples = read_examples([folder], encoder, wrong_share=1, seed=0)
    recipe = Recipe(epochs=30, batch=3, learning_rate=1e-2, rank=2, alpha=4, frozen_layers=1)
    lines: list[str] = []
    reader = train(examples, base, recipe, tmp_path / "once.pt", lines.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in lines]
    assert losses[-1] < 0.5 * losses[0]
    names = set(reader.trained())
    assert "encoder.layer.1.attention.self.query.lora_A" in names
    assert not any(name.startswith("encoder.layer.0.") for name in names)

    again: list[str] = []
    same = train(examples, base, recipe, tmp_path / "once.pt", again.append)
    assert again == []  # nothing was left to do
    assert all(torch.equal(weights, reader.trained()[name]) for name, weights in same.trained().items())
    assert np.array_equal(predict(same, examples).answers_n, predict(reader, examples).answers_n)


def test_a_checkpoint_of_other_data_is_not_used(folder: Path, encoder: PairEncoder, base: Path, tmp_path: Path) -> None:
    from finetune.cross_encoder.train import Recipe, train

    recipe = Recipe(epochs=1, batch=3, rank=2, alpha=4, frozen_layers=1)
    examples = read_examples([folder], encoder, wrong_share=0, seed=0)
    lines: list[str] = []
    train(examples, base, recipe, tmp_path / "one.pt", lines.append)
    train(examples[:2], base, recipe, tmp_path / "one.pt", lines.append)
    assert len(lines) == 2
