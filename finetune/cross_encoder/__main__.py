"""`python -m finetune.cross_encoder`: cross-validates the reader, trains it on everything, writes what is shipped."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ragvoice.build import build_store
from ragvoice.models.checksums import file_sha256
from ragvoice.retrieval.pairs import PairEncoder

BASE = "all-minilm-l6-v2"
HELP = """Train the reader: a small cross-encoder that says whether a passage answers a question.

SETS are folders with corpus.jsonl and questions.jsonl (questions_full.jsonl where there is one): a question's
`gold_ids` name its passage; `answerable: false` with gold_ids is a near miss, the most useful kind.

  python -m finetune.cross_encoder ../shared/data/squad2 ../shared/data/clapnq --out out/reader

First it is trained once for each fold without that fold's articles, and the figures of all of them together are
printed: what to expect of documents it has never seen. Then it is trained on everything. `--out` gets
adapter.safetensors, heads.safetensors and card.json; copy them to ragvoice/models/reader/, raise FORMAT in
ragvoice/models/reader.py, and `ragvoice models pull` makes the runtime's files of them.

Killed? The same command goes on after the last finished epoch."""

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(help=HELP)
def main(
    sets: Annotated[list[Path], typer.Argument(exists=True, file_okay=False, help="Folders with questions.")],
    out: Annotated[Path, typer.Option(help="Folder for the result and the checkpoints.")],
    folds: Annotated[int, typer.Option(min=0, help="Of the cross-validation; 0 leaves it out.")] = 4,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 8e-4,
    rank: Annotated[int, typer.Option(min=1, help="Of the LoRA; alpha is twice as much.")] = 16,
    frozen_layers: Annotated[int, typer.Option(min=0, help="Layers from below that stay as they are.")] = 3,
    wrong_share: Annotated[float, typer.Option(min=0, max=1, help="Questions shown with a wrong passage too.")] = 0.25,
    window_tokens: Annotated[int, typer.Option(min=16, help="Of the passage's sentences.")] = 64,
    max_tokens: Annotated[int, typer.Option(min=32, help="Of question and window.")] = 200,
    threads: Annotated[int, typer.Option(min=1)] = 1,
    seed: int = 0,
) -> None:
    import torch

    from finetune.cross_encoder.data import data_hash, read_examples
    from finetune.cross_encoder.train import Recipe, train

    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    base = build_store().path(BASE)
    encoder = PairEncoder(base / "tokenizer.json", window_tokens=window_tokens, max_tokens=max_tokens)
    examples = read_examples(sets, encoder, wrong_share, seed)
    recipe = Recipe(
        epochs=epochs,
        learning_rate=learning_rate,
        rank=rank,
        alpha=2 * rank,
        frozen_layers=frozen_layers,
        seed=seed,
    )
    typer.echo(f"{len(examples)} examples from {', '.join(folder.name for folder in sets)}", err=True)
    found = _cross_validate(examples, base, recipe, folds, out) if folds else {}
    reader = train(examples, base, recipe, out / "checkpoints" / "all.pt", _tell("everything"))
    _write(
        reader,
        out,
        {
            "base": BASE,
            "base_sha256": file_sha256(base / "model.safetensors"),
            "rank": rank,
            "alpha": 2 * rank,
            "window_tokens": window_tokens,
            "max_tokens": max_tokens,
            "sets": [folder.name for folder in sets],
            "data_sha256": data_hash(sets),
            "command": shlex.join(["python", "-m", "finetune.cross_encoder", *sys.argv[1:]]),
            "figures_out_of_fold": found,
        },
    )


def _cross_validate(examples: list[Any], base: Path, recipe: Any, count: int, out: Path) -> dict[str, float]:
    """Figures over all examples, each predicted by a reader that has not seen its article."""
    import numpy as np

    from finetune.cross_encoder.figures import figures, folds
    from finetune.cross_encoder.train import predict, train

    answers_n, margin_n = np.zeros(len(examples)), np.zeros(len(examples))
    spans = [""] * len(examples)
    for number, held in enumerate(folds([example.group for example in examples], count), start=1):
        outside = set(held.tolist())
        seen = [example for i, example in enumerate(examples) if i not in outside]
        reader = train(seen, base, recipe, out / "checkpoints" / f"fold{number}.pt", _tell(f"fold {number}"))
        unseen = [examples[i] for i in held]
        predictions = predict(reader, unseen)
        answers_n[held], margin_n[held] = predictions.answers_n, predictions.span_margin_n
        for i, span in zip(held, predictions.spans, strict=True):
            spans[i] = span
        found = figures(unseen, predictions.answers_n, predictions.span_margin_n, predictions.spans)
        typer.echo(f"fold {number}: {json.dumps(found)}", err=True)
    total = figures(examples, answers_n, margin_n, spans)
    for name, value in total.items():
        typer.echo(f"{name}: {value}")
    with (out / "out_of_fold.jsonl").open("w", encoding="utf-8") as file:
        for i, example in enumerate(examples):
            row = {"id": example.id, "source": example.source, "answerable": example.answers, "drawn": example.drawn}
            file.write(json.dumps({**row, "answers": answers_n[i], "margin": margin_n[i], "span": spans[i]}) + "\n")
    return total


def _write(reader: Any, out: Path, card: dict[str, Any]) -> None:
    """Adapter in float16, heads in float32, and the card with their hashes."""
    from safetensors.torch import save_file

    trained = reader.trained()
    adapter = {name: weights.half().contiguous() for name, weights in trained.items() if ".lora_" in name}
    heads = {name: weights.contiguous() for name, weights in trained.items() if ".lora_" not in name}
    files = {"adapter.safetensors": adapter, "heads.safetensors": heads}
    for name, weights in files.items():
        save_file(weights, out / name)
    card["files"] = {name: file_sha256(out / name) for name in files}
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"Written: {out}", err=True)


def _tell(what: str) -> Any:
    return lambda line: typer.echo(f"{what}: {line}", err=True)


if __name__ == "__main__":
    app()
