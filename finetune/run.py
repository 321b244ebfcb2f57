"""The configuration of a fine-tuning run: one TOML file, `finetune/runs/NAME.toml` or any other.

Paths are relative to the working folder; `${NAME}` in them is read from the environment.
"""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from finetune.run_folder import RunFolder, all_runs
from ragvoice.errors import UsageError

RUNS = Path(__file__).with_name("runs")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def _expanded(value: object) -> object:
    """`${NAME}` from the environment, `${NAME:-otherwise}` with what stands for it when it is not set or empty.

    :raises ValueError: for a variable that is not set and has no other value.
    """
    if not isinstance(value, str):
        return value

    def of(match: re.Match[str]) -> str:
        text = os.environ.get(match[1]) or match[2]
        if text is None:
            raise ValueError(f"the environment variable {match[1]} is not set")
        return text

    path = Path(_VARIABLE.sub(of, value))
    try:
        return path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{path.parts[0]} is nobody's home") from error


def _once_each(sizes: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(sizes)) < len(sizes):
        raise ValueError("a number stands there twice")
    return sizes


PathText = Annotated[Path, BeforeValidator(_expanded)]
Sizes = Annotated[tuple[Annotated[int, Field(ge=1, le=20)], ...], Field(min_length=1), AfterValidator(_once_each)]
"""Numbers of passages in a prompt."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuestionSet(_Table):
    """A folder as `ragvoice evaluate` takes it."""

    folder: PathText
    questions: str = "questions.jsonl"
    sentences: str | None = None
    """Field of a question that holds a whole sentence which answers, for the spoken style."""
    index: PathText | None = None
    """Index of its documents; None is the one that `ragvoice evaluate` makes and uses."""
    sizes: Sizes | None = None
    """Numbers of passages in a prompt, if other ones than the run's."""
    weight: float = Field(default=1.0, gt=0)
    """How often its examples are seen in training: 2 is twice, 0.5 every other one."""


class Data(_Table):
    sets: tuple[QuestionSet, ...] = ()
    index: PathText | None = None
    """Index of the documents for what follows; None is the configured one."""
    log: bool = False
    """Turns that people rated, from the turn log."""
    failures: tuple[PathText, ...] = ()
    """Reports of `ragvoice evaluate --json`, whose classified failures become examples."""
    failure_weight: int = Field(default=2, ge=1)
    """How often each failure is seen for once of another."""
    written: bool = False
    """Questions written from headings, definitions, tables and templates of the documents."""
    teacher: bool = False
    """Questions written by the configured chat model."""
    teacher_chunks: int = Field(default=200, ge=1)
    """Passages that the teacher reads, at most."""
    general: float = Field(default=0.0, ge=0)
    """How often each of about 170 questions about no document is seen in training, with the answer that the base itself
    gives, so that the adapter does not forget how; 0 is not at all."""
    twins: float = Field(default=0.0, ge=0, le=1)
    """Share of the answerable questions that get an unanswerable twin: one name or number exchanged."""
    sizes: Sizes = (1, 3, 5)
    """Numbers of passages in a prompt; each question is asked once over each."""
    no_gold: float = Field(default=0.15, ge=0, le=1)
    """Share of the answerable questions that are asked once more with their passage missing."""
    most_refusals: float = Field(default=0.45, ge=0, lt=1)
    """Largest share of refusals in the training part; what is more is left out at random."""
    found_among: int = Field(default=12, ge=1)
    """A question whose passage is not among so many retrieved ones is left out."""
    validation: float = Field(default=0.08, gt=0, lt=0.5)
    test: float = Field(default=0.12, gt=0, lt=0.5)
    groups: tuple[str, ...] = ()
    """Restricted documents that may be trained on; none unless named. An adapter remembers what it was trained on."""
    most_answer_tokens: int = Field(default=60, ge=4)


class Training(_Table):
    method: Literal["lora", "full"] = "lora"
    rank: int = Field(default=16, ge=1, le=1024)
    alpha: float = Field(default=32, gt=0)
    """The adapter's product is multiplied by alpha / rank; with rsLoRA by alpha / sqrt(rank)."""
    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Of the adapters' inputs; more than 0 costs a tenth of the time on a CPU."""
    strength: float = Field(default=1.0, gt=0, le=1)
    """What the finished adapter's product is multiplied by: below 1 lies between base and adapter, which keeps more of
    what the base could (Wortsman et al. 2022, WiSE-FT, arXiv 2109.01903)."""
    targets: str | tuple[str, ...] = "all-linear"
    """Names of the layers that get an adapter, or peft's `all-linear`."""
    dora: bool = False
    """Weight-decomposed LoRA (Liu et al. 2024, arXiv 2402.09353)."""
    rslora: bool = False
    """Rank-stabilised LoRA (Kalajdzievski 2023, arXiv 2312.03732)."""
    quantised: bool = False
    """The base in 4 bits, NF4 (QLoRA, Dettmers et al. 2023, arXiv 2305.14314)."""
    passages_apart: bool | None = None
    """Whether no passage sees another one (`ragvoice.generation.apart`); None: as the configured runtime reads them."""
    pretrain: bool = False
    """Continued pre-training: on the plain text of the documents instead of the examples."""
    epochs: float = Field(default=2, gt=0)
    max_steps: int | None = Field(default=None, ge=1)
    """Ends a run before its epochs do."""
    learning_rate: float = Field(default=2e-4, gt=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps."""
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0)
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""
    row_tokens: int = Field(default=2048, ge=64)
    """Tokens of one forward pass. An example that alone is longer is an error unless `skip_long`."""
    fill_tokens: int = Field(default=768, ge=0)
    """Contexts stand together in one row up to so many tokens."""
    row_examples: int = Field(default=24, ge=1)
    """Examples that share one row at most."""
    rows_per_step: int = Field(default=1, ge=1)
    """Rows whose gradients are accumulated, in each process."""
    skip_long: bool = False
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """`auto` is bf16 where the processor multiplies it natively."""
    gradient_checkpointing: bool = False
    """Less memory for a third more time."""
    evaluate_every: int = Field(default=50, ge=1)
    """Steps between two looks at the validation part; each leaves a checkpoint."""
    evaluate_examples: int = Field(default=300, ge=1)
    """Of the validation part, spread evenly."""
    patience: int = Field(default=4, ge=1)
    """Looks without a better `balanced` figure after which the run ends."""
    keep_checkpoints: int = Field(default=2, ge=1)


class Evaluation(_Table):
    datasets: tuple[QuestionSet, ...] = ()
    """Asked to the whole application, besides the run's own test part; None of their documents is trained on."""
    offtopic: QuestionSet | None = None
    limit: int = Field(default=40, ge=1)
    """Questions of each set."""
    reading_limit: int = Field(default=400, ge=1)
    """Examples of the test part."""
    parity: int = Field(default=20, ge=0)
    """Of these, how many are also written by the trained model before it was merged and quantised; 0 is none."""
    measure: Literal["balanced", "f1", "right"] = "balanced"
    """What must be better for `promote`."""
    gates: PathText | None = None
    """TOML file; None is the built-in one."""


class RunConfig(_Table):
    base: str = ""
    """The model that is trained; empty is the configured `llm`."""
    seed: int = 1
    data: Data = Data()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()


def read_run(name: str) -> tuple[str, RunConfig, str]:
    """Name, configuration and the file's text.

    :param name: A file, the name of one in `finetune/runs`, or of a run that was begun with another file.
    :raises UsageError: naming the field and what it takes.
    """
    file = Path(name) if name.endswith(".toml") else RUNS / f"{name}.toml"
    begun = name in {run.name for run in all_runs()}
    if begun and not file.is_file():
        file = RunFolder.named(name).run_file
    if not file.is_file():
        there = ", ".join(sorted(path.stem for path in RUNS.glob("*.toml")))
        raise UsageError(f"{name} is no run: there is no file {file.name}. Name a .toml file, or one of: {there}.")
    try:
        text = file.read_text(encoding="utf-8-sig")
        return name if begun else file.stem, RunConfig(**tomllib.loads(text)), text
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file.name} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise UsageError(f"{file.name}: {_explained(error)}.") from error


def _explained(error: ValidationError) -> str:
    """The first mistake."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return f"{place} is missing"
    if first["type"] == "extra_forbidden":
        known = {name for table in _Table.__subclasses__() for name in table.model_fields}
        near = get_close_matches(str(first["loc"][-1]), sorted(known), 1)
        return f"there is no setting {place}" + (f"; the nearest is {near[0]}" if near else "")
    return f"{place} cannot be {first['input']!r}: {first['msg'].removeprefix('Value error, ')}"
