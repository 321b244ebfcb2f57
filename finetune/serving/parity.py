"""Whether what is served answers like what was trained, and what the difference costs against the gold answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage

from finetune.serving.trained import Trained
from ragvoice.build import build_store
from ragvoice.build_adapter import CPU_FORMAT
from ragvoice.errors import UsageError
from ragvoice.evaluation.answer_metrics import exact_match, f1, normalise
from ragvoice.generation.prompts import build_prompt

if TYPE_CHECKING:
    from finetune.data.examples import Example


@dataclass(frozen=True)
class Case:
    prompt: Sequence[BaseMessage]
    golds: tuple[str, ...]
    """Answers that count as right; of a refusal the abstention's words."""


@dataclass(frozen=True)
class Parity:
    """Means over the cases; all but `n` between 0 and 1."""

    n: int
    identical: float
    """Share of the answers that are the same but for case, punctuation and articles."""
    agreement_f1: float
    """Token F1 between the two answers."""
    served_f1: float
    served_exact_match: float
    trained_f1: float
    trained_exact_match: float

    @property
    def sentence(self) -> str:
        return (
            f"On {self.n} test examples the served model (int8) gives the same answer as the trained one (float32) in "
            f"{self.identical:.0%}, with a token F1 of {self.agreement_f1:.3f} between the two. Against the gold "
            f"answers: F1 {self.served_f1:.3f} served, {self.trained_f1:.3f} trained; exact match "
            f"{self.served_exact_match:.3f} served, {self.trained_exact_match:.3f} trained."
        )


def cases_of(examples: Sequence[Example]) -> list[Case]:
    """The prompt is the one that is trained on and served."""
    return [
        Case(
            build_prompt(example.question, example.passages, example.history, example.style),
            example.accepted or (example.answer,),
        )
        for example in examples
    ]


def measure_parity(
    cases: Sequence[Case],
    served: BaseChatModel,
    trained: BaseChatModel,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Parity:
    """:param progress: Called with cases done and cases in all.
    :raises UsageError: without a case.
    """
    if not cases:
        raise UsageError("There is no test example to compare the served model with the trained one on.")
    rows = []
    for done, case in enumerate(cases, start=1):
        prompt = list(case.prompt)
        ours, theirs = served.invoke(prompt).text.strip(), trained.invoke(prompt).text.strip()
        rows.append(
            (
                float(normalise(ours) == normalise(theirs)),
                f1(ours, [theirs]) if normalise(ours) != normalise(theirs) else 1.0,
                f1(ours, case.golds),
                exact_match(ours, case.golds),
                f1(theirs, case.golds),
                exact_match(theirs, case.golds),
            )
        )
        progress(done, len(cases))
    return Parity(len(rows), *(sum(column) / len(rows) for column in zip(*rows, strict=True)))


def open_both(trained: Trained, *, max_new_tokens: int, threads: int) -> tuple[BaseChatModel, BaseChatModel]:
    """What is served on a CPU (merged, int8, CTranslate2) and what was trained (transformers and peft, float32).

    :raises ModelError: when one of them cannot be made.
    """
    from ragvoice.generation.ctranslate2_chat import CTranslate2ChatModel
    from ragvoice.generation.transformers_chat import TransformersChatModel

    store = build_store()
    served = CTranslate2ChatModel(
        model_path=store.converted(trained.base, CPU_FORMAT, str(trained.folder)),
        max_new_tokens=max_new_tokens,
        cpu_threads=threads,
    )
    reference = TransformersChatModel(
        model_path=store.converted(trained.base, "transformers"),
        adapter_path=trained.folder,
        device="cpu",
        max_new_tokens=max_new_tokens,
    )
    return served, reference


def parity_of_run(
    trained: Trained, limit: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> Parity:
    """On test examples of the run that made the adapter, evenly spread, with the settings of this process.

    :raises UsageError: for an adapter from elsewhere, or a run without test examples.
    """
    from finetune.data.examples import read_part
    from ragvoice.settings import read_settings

    if trained.run is None:
        raise UsageError(f"The adapter {trained.adapter.name} is of no run, so there are no test examples of it.")
    examples = read_part(trained.run / "data", "test")
    count = min(limit, len(examples))
    chosen = [examples[number * len(examples) // count] for number in range(count)]
    settings = read_settings()
    served, reference = open_both(trained, max_new_tokens=settings.max_new_tokens, threads=settings.threads)
    return measure_parity(cases_of(chosen), served, reference, progress)
