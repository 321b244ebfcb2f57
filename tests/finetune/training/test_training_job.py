"""A run that is stopped, wherever, comes to the same end; what fails says so and leaves the last checkpoint."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from training_runs import FAST, HELD, PROVENANCE, TRAIN, example, make_run, passage, trained
from transformers import Trainer

from finetune.alone import alone
from finetune.data.examples import write_parts
from finetune.run import Training
from finetune.training import callbacks, finished
from finetune.training.callbacks import Step, read_metrics
from finetune.training.checkpoints import last_complete
from finetune.training.job import train
from ragvoice.errors import TrainingError, UsageError


@pytest.fixture(autouse=True)
def _no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of a small run's time; test_callbacks.py draws one."""
    for module in (callbacks, finished):
        monkeypatch.setattr(module, "plot", lambda folder, kept=None: None)


class Stopped(Exception):
    """Ends a run in the middle, as Ctrl-C does."""


def _stop_after(step: int) -> Any:
    def progress(shown: Step) -> None:
        if shown.step >= step and "eval_loss" in shown.figures:
            raise Stopped

    return progress


def _train_until(folder: Path, base: Path, step: int, **options: Any) -> None:
    settings = Training.model_validate({**FAST.model_dump(), **options})
    with pytest.raises(Stopped):
        train(folder, base, settings, 1, {}, PROVENANCE, resume=False, progress=_stop_after(step))


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = load_file(folder / "adapter" / "adapter_model.safetensors")
    return loaded


def _assert_equal_runs(one: Path, other: Path) -> None:
    expected, found = _weights(one), _weights(other)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        torch.testing.assert_close(found[name], values, atol=0, rtol=0)
    losses = [
        [(row["step"], row["eval_loss"]) for row in read_metrics(run) if "eval_loss" in row] for run in (one, other)
    ]
    assert losses[0] == losses[1]


LONGER = {"max_steps": 8, "dropout": 0.1, "pretrain": True, "learning_rate": 1e-3}
"""The random numbers of the dropout go on, too; with the loss as the measure, the last step is the best."""


@pytest.fixture(scope="module")
def never_stopped(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Path:
    folder = make_run(tmp_path_factory.mktemp("whole") / "tiny")
    assert trained(folder, base, **LONGER).step == 8
    return folder


@pytest.mark.parametrize("step", [4, 6, 8])
def test_a_stopped_run_goes_on_to_the_same_weights_and_held_out_losses(
    run: Path, base: Path, never_stopped: Path, step: int
) -> None:
    _train_until(run, base, step, **LONGER)
    assert not (run / "adapter").exists()
    resumed = trained(run, base, resume=True, **LONGER)
    assert (resumed.step, resumed.stopped_early) == (8, False)
    _assert_equal_runs(never_stopped, run)


def test_a_resumed_run_stops_early_where_the_other_one_did_and_a_run_that_ended_is_not_trained_on(
    run: Path, base: Path
) -> None:
    # `exact` stays 0 on this model: no look is better than the first one, at step 2
    options = {"max_steps": 20, "patience": 2, "learning_rate": 1e-5}
    never_stopped = make_run(run.parent / "whole")
    whole = trained(never_stopped, base, **options)
    assert (whole.step, whole.ended, whole.planned, whole.stopped_early) == (2, 6, 20, True)
    assert read_metrics(never_stopped)[-1]["step"] == 6
    _train_until(run, base, 6, **options)
    trained(run, base, resume=True, **options)
    _assert_equal_runs(never_stopped, run)
    weights = (run / "adapter" / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(run / "adapter")
    steps: list[Step] = []
    again = trained(run, base, resume=True, steps=steps, **options)
    assert (again.step, again.ended, again.planned, steps) == (2, 6, 20, [])
    assert (run / "adapter" / "adapter_model.safetensors").read_bytes() == weights


@pytest.mark.parametrize("planned", ["max_steps", "epochs"])
def test_a_run_that_came_to_its_last_step_goes_on_when_more_are_planned(run: Path, base: Path, planned: str) -> None:
    options = {"max_steps": None, "pretrain": True, "learning_rate": 1e-3}
    before = trained(run, base, **{**options, planned: 4})
    steps: list[Step] = []
    further = trained(run, base, resume=True, steps=steps, **{**options, planned: 8})
    assert (further.ended, further.planned) == (2 * before.ended, 2 * before.planned)
    assert {shown.step > before.ended for shown in steps} == {True}
    assert further.step > before.step  # and it has learned something there


def test_a_checkpoint_without_its_mark_is_removed_and_not_used(run: Path, base: Path) -> None:
    expected = trained(run, base, pretrain=True)
    weights = (run / "adapter" / "adapter_model.safetensors").read_bytes()
    (run / "checkpoints" / "checkpoint-4" / "complete").unlink()
    (run / "checkpoints" / "checkpoint-4" / "optimizer.pt").write_bytes(b"half of")
    steps: list[Step] = []
    assert trained(run, base, resume=True, steps=steps, pretrain=True).figures == expected.figures
    assert [shown.step for shown in steps] == [4]
    assert (run / "adapter" / "adapter_model.safetensors").read_bytes() == weights


def test_the_newest_checkpoints_and_the_best_one_are_kept(run: Path, base: Path) -> None:
    trained(run, base, max_steps=10, keep_checkpoints=2)
    kept = sorted(folder.name for folder in (run / "checkpoints").iterdir())
    assert kept == ["checkpoint-10", "checkpoint-2", "checkpoint-8"]  # `balanced` was never better than at step 2
    assert last_complete(run / "checkpoints") == run / "checkpoints" / "checkpoint-10"


def test_a_run_that_has_checkpoints_is_not_begun_over(run: Path, base: Path) -> None:
    _train_until(run, base, 4)
    before = (run / "checkpoints" / "checkpoint-2" / "optimizer.pt").read_bytes()
    with pytest.raises(UsageError, match=r"tiny has been trained to step 2 already. Go on with --resume, or .*--fresh"):
        trained(run, base)
    assert (run / "checkpoints" / "checkpoint-2" / "optimizer.pt").read_bytes() == before


def test_the_confidence_goes_with_the_adapter_that_it_was_fitted_on(run: Path, base: Path) -> None:
    trained(run, base, max_steps=2)
    (run / "confidence.json").write_text("{}")
    trained(run, base, resume=True, max_steps=2)
    assert (run / "confidence.json").is_file()
    shutil.rmtree(run / "checkpoints")
    trained(run, base, max_steps=2, learning_rate=0.02)
    assert not (run / "confidence.json").exists()


def test_two_trainings_of_one_run_at_a_time_are_refused(run: Path, base: Path) -> None:
    with alone(run), pytest.raises(UsageError, match="is being trained, or its data made, by another process"):
        trained(run, base)
    trained(run, base)


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_empty_part_is_named(run: Path, base: Path, part: str) -> None:
    (run / "data" / f"{part}.jsonl").write_text("")
    with pytest.raises(UsageError, match=f"The part '{part}' has no example"):
        trained(run, base)


def test_an_example_longer_than_a_row_is_an_error_or_left_out(run: Path, base: Path) -> None:
    with pytest.raises(UsageError, match=r"of 6 examples are longer than row_tokens = 256"):
        trained(run, base, row_tokens=256)
    with pytest.raises(UsageError, match=r"Every example is longer than row_tokens = 64"):
        trained(run, base, row_tokens=64, skip_long=True)
    long = example("9", "How much?", "9 euro", passage("fee", "A fee of 9 euro is due. " * 60))
    write_parts(run / "data", {"train": (*TRAIN, long), "validation": HELD})
    assert trained(run, base, row_tokens=1000, skip_long=True).step == 2


def test_a_loss_that_is_no_number_ends_the_run_and_the_last_checkpoint_stays(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from finetune.training import trainer

    right, calls = torch.nn.functional.cross_entropy, []

    def broken(*given: Any, **how: Any) -> Any:
        if how["reduction"] == "sum":
            calls.append(1)
        return right(*given, **how) * (float("nan") if len(calls) > 3 else 1)

    monkeypatch.setattr(trainer.torch.nn.functional, "cross_entropy", broken)
    with pytest.raises(TrainingError, match=r"The loss is nan. The last checkpoint is kept"):
        trained(run, base)
    assert last_complete(run / "checkpoints") == run / "checkpoints" / "checkpoint-2"
    assert not (run / "adapter").exists()
    monkeypatch.undo()
    assert trained(run, base, resume=True).step == 2
    assert (run / "adapter" / "adapter_model.safetensors").is_file()


def test_a_learning_rate_far_too_high_makes_such_a_loss(run: Path, base: Path) -> None:
    with pytest.raises(TrainingError, match=r"The loss is (nan|inf)"):
        trained(run, base, learning_rate=1e30, clip=1e30, max_steps=40, pretrain=True)


class _FullDisk:
    """Writing a checkpoint fails as each library says it, from the second one on."""

    def __init__(self, error: Exception, monkeypatch: pytest.MonkeyPatch):
        right, written = Trainer._save_optimizer_and_scheduler, []

        def write(trainer: Trainer, folder: str) -> None:
            written.append(folder)
            if len(written) > 1:
                (Path(folder) / "optimizer.pt").write_bytes(b"half of")
                raise error
            right(trainer, folder)

        monkeypatch.setattr(Trainer, "_save_optimizer_and_scheduler", write)


def _safetensors_error() -> Exception:
    from safetensors import SafetensorError

    return SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        _safetensors_error(),
        RuntimeError("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0"),
    ],
    ids=["python", "safetensors", "torch"],
)
def test_a_full_disk_is_said_and_the_run_goes_on_afterwards(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch, never_stopped: Path, error: Exception
) -> None:
    with monkeypatch.context() as patch:
        _FullDisk(error, patch)
        with pytest.raises(TrainingError, match=r"while writing to the folder of the run tiny.*free some space"):
            trained(run, base, **LONGER)
    trained(run, base, resume=True, **LONGER)
    _assert_equal_runs(never_stopped, run)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_too_little_memory_names_the_settings_that_need_less(
    run: Path, base: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr("finetune.training.trainer.collate", fail)
    with pytest.raises(TrainingError, match=r"not enough memory for a row. Lower row_tokens.*gradient_checkpointing"):
        trained(run, base)


def test_an_error_in_our_own_code_is_not_dressed_up(run: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr("finetune.training.trainer.collate", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trained(run, base)


def test_the_adapter_says_what_it_was_made_from_and_nothing_of_this_machine(run: Path, base: Path) -> None:
    adapter = trained(run, base).folder
    assert json.loads((adapter / "ragvoice.json").read_text()) == PROVENANCE
    config = (adapter / "adapter_config.json").read_text()
    assert json.loads(config)["base_model_name_or_path"] == "tiny-model"
    assert str(base.parent) not in config
    assert {values.dtype for values in _weights(run).values()} == {torch.float16}
    assert sorted(file.name for file in adapter.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "ragvoice.json",
    ]  # fmt: skip


def test_sources_are_seen_as_often_as_their_weight_says(run: Path, base: Path) -> None:
    def tokens(weight: float) -> int:
        from finetune.training.encoding import encode
        from finetune.training.job import _weighted
        from ragvoice.generation.chat_template import ChatTemplate

        return len(encode(_weighted(TRAIN, {"hand": weight}, seed=1), ChatTemplate(base), apart=False))

    assert (tokens(1), tokens(2)) == (6, 12)
    assert 0 < tokens(0.5) < 6
    assert 6 < tokens(1.5) < 12


def test_plain_text_of_held_out_documents_is_looked_at_and_not_trained_on(base: Path) -> None:
    from finetune.training.job import _texts
    from ragvoice.generation.chat_template import ChatTemplate

    template = ChatTemplate(base)
    pieces, held = _texts(TRAIN, HELD, template, FAST.model_copy(update={"row_tokens": 20}))

    def said(of: Any) -> list[str]:
        return [template.tokenizer.decode([*piece.prompt, *piece.answer]) for piece in of]

    assert said(pieces) == ["You have 25 days of ", "leave.", "Trains are booked in", " second class."]
    assert said(held) == ["A permit costs 9 eur", "o."]
    assert all(len(piece.prompt) == 1 for piece in pieces)
