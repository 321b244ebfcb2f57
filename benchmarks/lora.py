"""LoRA training: ours against trl's SFTTrainer, same model, same examples, same rank and learning rate.

    pip install -e ".[bench]"
    python benchmarks/lora.py --run answers --examples 160 --rounds 3 > lora.md

Both see the same documents' examples once, prompt and answer as serving writes them, with the loss on the answer only.
trl keeps its defaults (batches of 8, padded; gradient checkpointing; bf16), except that no example is cut off. Each
training is a process of its own, in turns. Tokens are those of the examples one by one, for both: ours reads a common
beginning once, and that is its gain. Time is from the first step's begin to the last one's end. The held-out loss is
computed by the same code for both, in the model's float32 or bf16 as it was trained.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from finetune.data.examples import Example, prompt_of, read_part, write_parts
from finetune.run import RunConfig, Training, read_run
from finetune.run_folder import RunFolder

CONTENDERS = {
    "ours": "ragvoice finetune",
    "trl": "trl SFTTrainer, defaults",
    "trl-no-checkpointing": "trl SFTTrainer, gradient_checkpointing=False",
    "trl-float32": "trl SFTTrainer, bf16=False",
}
_CHANGED: dict[str, dict[str, Any]] = {
    "trl-no-checkpointing": {"gradient_checkpointing": False},
    "trl-float32": {"bf16": False},  # fairer where the processor has no bf16 of its own
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="answers", help="run whose data and settings are used")
    parser.add_argument("--base", default="smollm2-135m-instruct")
    parser.add_argument("--examples", type=int, default=160, help="of the training part, about; by whole documents")
    parser.add_argument("--held-out", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--trl-batch", type=int, default=8, help="examples of a batch; 8 is trl's default")
    parser.add_argument("--contenders", default="ours,trl", help=f"of {', '.join(CONTENDERS)}")
    parser.add_argument("--as", dest="contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        print(json.dumps(_trained(options)))
        return 0
    names = options.contenders.split(",")
    if unknown := set(names) - set(CONTENDERS):
        parser.error(f"no contender: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="lora-") as scratch:
        counts = _write_data(options, Path(scratch))
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for number in range(1, options.rounds + 1):
            for name in names:
                found[name].append(_in_child(name, Path(scratch)))
                print(f"round {number}, {name}: {found[name][-1]}", file=sys.stderr, flush=True)
    print(_table(options, counts, found))
    return 0


def _config(options: argparse.Namespace) -> RunConfig:
    return read_run(str(RunFolder.existing(options.run).run_file))[1]


def _write_data(options: argparse.Namespace, scratch: Path) -> dict[str, int]:
    """Whole documents in random order until there are enough examples; a part of one would have fewer common
    beginnings than the run has."""
    data = RunFolder.existing(options.run).data
    by_document: dict[str, list[Example]] = {}
    for example in read_part(data, "train"):
        by_document.setdefault(example.document, []).append(example)
    documents = sorted(by_document)
    random.Random(1).shuffle(documents)
    trained: list[Example] = []
    for document in documents:
        if len(trained) < options.examples:
            trained += by_document[document]
    held = read_part(data, "validation")
    (scratch / "data").mkdir()
    kept = held[:: max(1, -(-len(held) // options.held_out))]
    write_parts(scratch / "data", {"train": trained, "validation": kept})
    return {"examples": len(trained), "held_out": len(kept)}


def _in_child(name: str, scratch: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        (Path(folder) / "data").symlink_to(scratch / "data")
        command = [sys.executable, __file__, *sys.argv[1:], "--as", name, "--folder", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _trained(options: argparse.Namespace) -> dict[str, Any]:
    import torch
    from transformers import TrainerCallback

    from finetune.training.encoding import encode
    from ragvoice.build import build_store
    from ragvoice.generation.chat_template import ChatTemplate

    torch.set_num_threads(options.threads)
    config = _config(options)
    base = build_store().converted(options.base, "transformers")
    template = ChatTemplate(base)
    examples = read_part(options.folder / "data", "train")
    lengths = [len(one) for one in encode(examples, template, apart=False)]
    tokens = sum(lengths)
    changes: dict[str, Any] = {"epochs": 1, "max_steps": None, "evaluate_every": 10**6}
    # Another base may need more tokens than the run's for the same words; trl has no other attention.
    changes |= {"row_tokens": max(config.training.row_tokens, *lengths), "passages_apart": False}
    settings = config.training.model_copy(update=changes)

    class Clock(TrainerCallback):  # type: ignore[misc]
        began_s = 0.0
        ended_s = 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began_s = self.began_s or time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ended_s = time.monotonic()

    clock = Clock()
    ours = options.contender == "ours"
    make = _ours if ours else _trl
    trainer = make(options, base, template, examples, settings, config.seed)
    trainer.add_callback(clock)
    trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the held-out part
    seconds = clock.ended_s - clock.began_s
    return {
        "tokens_per_s": tokens / seconds,
        "seconds": seconds,
        "steps": trainer.state.global_step,
        "held_out_loss": _held_out_loss(options, trainer, template, settings),
        "peak_mb": peak,
        "tokens": tokens,
    }


def _ours(options: argparse.Namespace, base: Path, template: Any, examples: Any, settings: Training, seed: int) -> Any:
    from transformers import EarlyStoppingCallback

    from finetune.training.job import make_trainer

    trainer = make_trainer(options.folder, base, settings, seed, {}, lambda step: None, begins=False)
    # The last step's weights are measured, of both.
    trainer.args.eval_strategy = trainer.args.save_strategy = "no"
    trainer.args.load_best_model_at_end = False
    trainer.remove_callback(EarlyStoppingCallback)
    return trainer


def _trl(
    options: argparse.Namespace, base: Path, template: Any, examples: Sequence[Example], settings: Training, seed: int
) -> Any:
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    rows = [
        {
            "prompt": template.render(prompt_of(one)),
            "completion": f"{one.answer}{template.end_tokens[0]}",
        }
        for one in examples
    ]
    batch = {} if options.trl_batch == 8 else {"per_device_train_batch_size": options.trl_batch}
    arguments = SFTConfig(
        output_dir=str(options.folder / "trl"),
        completion_only_loss=True,
        max_length=None,
        num_train_epochs=1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.clip,
        use_cpu=True,
        seed=seed,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        **batch,
        **_CHANGED.get(options.contender, {}),
    )
    targets = settings.targets if isinstance(settings.targets, str) else list(settings.targets)
    lora = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules=targets,
        use_dora=settings.dora, use_rslora=settings.rslora, task_type="CAUSAL_LM",
    )  # fmt: skip
    return SFTTrainer(str(base), arguments, train_dataset=Dataset.from_list(rows), peft_config=lora)


def _held_out_loss(options: argparse.Namespace, trainer: Any, template: Any, settings: Training) -> float:
    import torch

    from finetune.training.encoding import encode
    from finetune.training.packing import Row, pack
    from finetune.training.reading import figures, predictions
    from finetune.training.trainer import collate

    held = encode(read_part(options.folder / "data", "validation"), template, apart=False)
    model = trainer.model.eval()

    def logits(row: Row) -> Any:
        inputs = {name: value for name, value in collate([row]).items() if name != "labels"}
        return model(**inputs, use_cache=False).logits[0]

    with torch.inference_mode():
        rows = pack(held, settings.row_tokens, settings.row_examples, 1, skip_long=True)
        return figures(predictions(rows, logits, held, -1))["loss"]


def _table(options: argparse.Namespace, counts: dict[str, int], found: dict[str, list[dict[str, Any]]]) -> str:
    def middle(name: str, key: str) -> float:
        return median(row[key] for row in found[name])

    first = next(iter(found.values()))[0]
    lines = [
        f"{options.base}, run {options.run}: {counts['examples']} examples of {first['tokens']} tokens once, "
        f"{counts['held_out']} held out, {options.threads} threads, medians of {options.rounds} rounds in turns",
        "",
        "| | tokens/s | seconds | steps | held-out loss | peak memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for name in found:
        figures = f"{middle(name, 'tokens_per_s'):.0f} | {middle(name, 'seconds'):.0f} | {middle(name, 'steps'):.0f}"
        lines.append(
            f"| {CONTENDERS[name]} | {figures} | {middle(name, 'held_out_loss'):.4f} | {middle(name, 'peak_mb'):.0f} |"
        )
    return "\n".join([*lines, "", "```json", json.dumps({**counts, "rounds": found}), "```"])


if __name__ == "__main__":
    sys.exit(main())
