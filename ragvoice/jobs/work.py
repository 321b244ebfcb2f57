"""What can be done as a job: for each kind the right that it takes and the command line that it is.

Arguments are built here from typed values, never by a page and never through a shell; what people name stands behind
`--`, so that it cannot be taken for a flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from ragvoice.errors import AccessError, UsageError
from ragvoice.people.person import Right

UPLOADS = "documents"
"""All that an ingest may name of RAGVOICE_HOME: the rest is passwords, turns and jobs."""


@dataclass(frozen=True)
class Place:
    """Where a job works."""

    index: Path
    reports: Path
    """Folder for evaluation reports."""
    id: str
    """Of the job."""
    groups: tuple[str, ...] = ()
    """Of who starts it."""
    home: Path | None = None
    """RAGVOICE_HOME; None where it has no place among the documents anyway."""
    folders: tuple[Path, ...] | None = None
    """Whose documents may be ingested, besides the uploads; None: any."""
    datasets: tuple[Path, ...] | None = None
    """Whose sets of questions may be evaluated; None: any, and any run file may be named."""


class Work(Protocol):
    kind: ClassVar[str]
    right: ClassVar[Right]
    private: ClassVar[bool]
    """Only who started it may see it: its result depends on their groups."""

    @property
    def title(self) -> str:
        """For a list of jobs."""
        ...

    def alone(self, place: Place) -> str | None:
        """Of the jobs that name the same thing only one runs at a time; None: any number."""
        ...

    def arguments(self, place: Place) -> list[str]:
        """Of `ragvoice`.

        :raises UsageError: for what can be no such work.
        :raises AccessError: for what is not theirs to name who start it.
        """
        ...


@dataclass(frozen=True)
class Ingest:
    """Bring the index in step with folders."""

    paths: tuple[Path, ...]
    prefix: str = ""
    """Put before the documents' ids."""
    rebuild: bool = False
    retry_skipped: bool = False
    kind: ClassVar[str] = "ingest"
    right: ClassVar[Right] = "documents"
    private: ClassVar[bool] = False

    @property
    def title(self) -> str:
        names = ", ".join(path.name or str(path) for path in self.paths)
        return f"{'Rebuild' if self.rebuild else 'Ingest'} {names}"

    def alone(self, place: Place) -> str | None:
        return f"the index {place.index}"

    def arguments(self, place: Place) -> list[str]:
        if not self.paths:
            raise UsageError("Name at least one folder or file.")
        for path in self.paths:
            if place.home is not None and _reads(path, place.home):
                raise UsageError(f"{path} holds ragvoice's own files, which are no documents. Name other folders.")
            named = path.expanduser().resolve()
            if place.home is not None and named.is_relative_to(place.home.resolve() / UPLOADS):
                continue
            if any(part.startswith(".") for part in named.parts):
                raise UsageError(f"{path} is hidden. Such folders hold keys and settings, not documents.")
            if not _is_below(path, place.folders):
                folders = _listed(place.folders, "the uploads alone")
                raise AccessError(
                    f"{path} is not among the folders that you may ingest: {folders}. Upload its files, or ask an "
                    "administrator to ingest it once or to add it to the setting document_folders."
                )
        flags = [f"--index={place.index}", "--json"]
        flags += [f"--name={self.prefix}"] if self.prefix else []
        flags += ["--rebuild"] if self.rebuild else []
        flags += ["--retry-skipped"] if self.retry_skipped else []
        return ["ingest", *flags, "--", *map(str, self.paths)]


@dataclass(frozen=True)
class Verify:
    """Is the index whole?"""

    kind: ClassVar[str] = "verify"
    right: ClassVar[Right] = "documents"
    private: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return "Verify the index"

    def alone(self, place: Place) -> str | None:
        return f"the verification of {place.index}"

    def arguments(self, place: Place) -> list[str]:
        return ["index", "verify", f"--index={place.index}", "--json"]


@dataclass(frozen=True)
class Evaluate:
    """Ask a set of questions; the report goes to the folder of the reports under the job's id."""

    dataset: Path
    limit: int | None = None
    style: Literal["short", "spoken", "both"] = "short"
    voice: int | None = None
    """Questions that are spoken too."""
    kind: ClassVar[str] = "evaluate"
    right: ClassVar[Right] = "quality"
    private: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return f"Evaluate {self.dataset.name}" + (f", {self.limit} questions" if self.limit else "")

    def alone(self, place: Place) -> str | None:
        return f"the evaluation of {self.dataset.name}"

    def arguments(self, place: Place) -> list[str]:
        if not _is_below(self.dataset, place.datasets):
            raise AccessError(
                f"{self.dataset} is not among the folders whose questions you may evaluate: "
                f"{_listed(place.datasets, 'there is none')}. Ask an administrator to add it to the setting "
                "evaluation_folders."
            )
        if not (self.dataset.expanduser() / "questions.jsonl").is_file():
            raise UsageError(f"{self.dataset} is no set of questions: it has no questions.jsonl.")
        report = place.reports / place.id
        flags = [f"--style={self.style}", f"--json={report}.json", f"--html={report}.html"]
        flags += [f"--limit={self.limit}"] if self.limit else []
        flags += [f"--voice={self.voice}"] if self.voice else []
        return ["evaluate", *flags, "--", str(self.dataset.expanduser())]


@dataclass(frozen=True)
class Finetune:
    """One step of a run."""

    step: Literal["data", "train", "calibrate", "evaluate"]
    run: str
    """Its name, or its file."""
    resume: bool = False
    """Go on from the last checkpoint of a training."""
    fresh: bool = False
    """Forget what this step has made before."""
    kind: ClassVar[str] = "finetune"
    right: ClassVar[Right] = "finetuning"
    private: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return f"Fine-tuning {Path(self.run).stem}: {self.step}"

    def alone(self, place: Place) -> str | None:
        return f"the run {Path(self.run).stem}"

    def arguments(self, place: Place) -> list[str]:
        if not self.run.strip():
            raise UsageError("Name a run.")
        if place.datasets is not None and (self.run.endswith(".toml") or Path(self.run).name != self.run):
            raise AccessError(
                f"{self.run} is a file, which may name any folder, anybody's turns and any group. Name a run; an "
                "administrator can begin one with a file."
            )
        if self.resume and (self.fresh or self.step != "train"):
            raise UsageError("Only a training goes on from a checkpoint, and only one that does not begin anew.")
        if self.fresh and self.step == "calibrate":
            raise UsageError("A calibration is always made anew.")
        flags = (["--resume"] if self.resume else []) + (["--fresh"] if self.fresh else [])
        return ["finetune", self.step, *flags, "--", self.run]


@dataclass(frozen=True)
class AskBoth:
    """One question to a run's base and to its adapter."""

    run: str
    question: str
    kind: ClassVar[str] = "ask both"
    right: ClassVar[Right] = "finetuning"
    private: ClassVar[bool] = True

    @property
    def title(self) -> str:
        return f"Ask {self.run} and its base"

    def alone(self, place: Place) -> str | None:
        return f"the question to the run {self.run}"

    def arguments(self, place: Place) -> list[str]:
        if not self.question.strip():
            raise UsageError("Write a question.")
        # A company may name groups as no flag can, CN=hr,OU=board: cut at the comma they would be other groups.
        groups = ",".join(group for group in place.groups if group == group.strip() and "," not in group)
        flags = [f"--index={place.index}", f"--groups={groups}", "--json"]
        return ["finetune", "ask", *flags, "--", self.run, self.question]


@dataclass(frozen=True)
class Pull:
    """Download a model and convert it."""

    model: str
    kind: ClassVar[str] = "pull"
    right: ClassVar[Right] = "settings"
    private: ClassVar[bool] = False

    @property
    def title(self) -> str:
        return f"Download {self.model}"

    def alone(self, place: Place) -> str | None:
        return f"the model {self.model}"

    def arguments(self, place: Place) -> list[str]:
        if not self.model.strip():
            raise UsageError("Name a model.")
        return ["models", "pull", "--", self.model]


def _is_below(path: Path, folders: tuple[Path, ...] | None) -> bool:
    """:param folders: Resolved; None: any folder."""
    return folders is None or any(map(path.expanduser().resolve().is_relative_to, folders))


def _listed(folders: tuple[Path, ...] | None, none: str) -> str:
    return ", ".join(map(str, folders or ())) or none


def _reads(path: Path, home: Path) -> bool:
    """Whether an ingest of `path` would come to what is in `home` beside the uploads; hidden folders are left out."""
    named, home = path.expanduser().resolve(), home.resolve()
    if home in (named, *named.parents):
        return not named.is_relative_to(home / UPLOADS)
    return named in home.parents and not any(part.startswith(".") for part in home.relative_to(named).parts)
