"""What an owner may do with the runs, in the name of a person: every call takes the right `finetuning`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune.proof.promotion import promote_run
from finetune.proof.runs import RunSummary, summary
from finetune.run import RUNS
from finetune.run_folder import RunFolder, all_runs, read_lines
from ragvoice.build_adapter import promoted_adapters
from ragvoice.models.promoted import Promotion
from ragvoice.people.person import Person
from ragvoice.settings import read_settings


class TuningOwner:
    def __init__(self, person: Person):
        """:raises AccessError: when the person may not fine-tune."""
        person.require("finetuning")

    def runs(self) -> list[RunSummary]:
        """As `ragvoice finetune list` shows them."""
        return [summary(run) for run in all_runs()]

    def new_runs(self) -> list[str]:
        """Run files that come with the package and have not been begun."""
        begun = {run.name for run in all_runs()}
        return [file.stem for file in sorted(RUNS.glob("*.toml")) if file.stem not in begun]

    def metrics(self, run: str) -> list[dict[str, Any]]:
        """One row a report of the training: step, and what of loss, learning_rate and eval_... it has.

        :raises UsageError: when there is no such run, or the file is damaged.
        """
        return read_lines(RunFolder.existing(run).metrics)

    def report(self, run: str) -> str | None:
        """The evaluation in Markdown; None before there is one. :raises UsageError: when there is no such run."""
        file = RunFolder.existing(run).evaluation_report
        return file.read_text(encoding="utf-8") if file.is_file() else None

    def report_plot(self, run: str) -> Path | None:
        """:raises UsageError: when there is no such run."""
        file = RunFolder.existing(run).evaluation_plot
        return file if file.is_file() else None

    def promote(self, run: str) -> Promotion:
        """:raises PromotionRefused: saying why. :raises UsageError, ModelError: as `promote_run`."""
        return promote_run(RunFolder.existing(run))

    def in_service(self) -> list[Promotion]:
        """For the configured language model: the one that answers and those before it, newest first."""
        return promoted_adapters(read_settings()).history()

    def roll_back(self) -> Promotion | None:
        """:returns: What answers now; None is the packaged adapter or the bare model.
        :raises UsageError: when nothing is promoted.
        """
        return promoted_adapters(read_settings()).rollback()
