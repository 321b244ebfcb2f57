"""The data of a run: sources of questions -> a split by document -> examples with retrieved passages -> files, card."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from langchain_core.language_models.chat_models import BaseChatModel

from finetune.data.card import data_card, licence
from finetune.data.contexts import Dropped, Found, contexts
from finetune.data.examples import PARTS, Example, data_hash, write_parts
from finetune.data.gathering import Gathered, Gathering, Progress
from finetune.data.near_duplicates import without_leaks
from finetune.data.rehearsal import GENERAL, rehearsed
from finetune.data.split import split
from finetune.run import Data, RunConfig
from ragvoice.errors import UsageError
from ragvoice.models.publishing import publish
from ragvoice.settings import read_settings

_ROUNDING = 1e-9
_OPEN, _PRIVATE = 0o755, 0o700
"""Of the folder; private with questions out of the turn log, which only its owner may read."""


@dataclass(frozen=True)
class Made:
    parts: dict[str, list[Example]]
    dropped: Counter[str]
    digest: str
    card: Path


def make_data(
    name: str,
    run: RunConfig,
    folder: Path,
    count_tokens: Callable[[str], int],
    journals: Path,
    progress: Progress,
    chat: Callable[[], BaseChatModel],
    before_swap: Callable[[], None] = lambda: None,
) -> Made:
    """:param name: Of the run, for the card.
    :param folder: Becomes the files of examples, `passages.jsonl` and `card.md`, all at once: a job that is killed or
        fails leaves what was there.
    :param count_tokens: Of the model that is trained.
    :param journals: Folder for what a teacher or the base wrote, so that a killed job goes on.
    :param chat: Loads the bare base; called when it is to answer questions itself (`Data.general`).
    :param before_swap: Called when the new data is finished and the old still there.
    :raises UsageError: when a set or an index is missing, or no question is left for a part.
    """
    dropped = Dropped()
    gathered = Gathering(run.data, run.seed, journals, dropped, progress).everything()
    parts = _parts(gathered, run, count_tokens, dropped)
    if run.data.general:
        base = re.sub(r"[^A-Za-z0-9._-]", "_", run.base or read_settings().llm)
        parts["train"] += rehearsed(
            chat,
            journals / f"{base}-{GENERAL}.jsonl",
            run.data.most_answer_tokens,
            count_tokens,
            dropped,
            partial(progress, "the base answers general questions"),
        )
    staged = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    mode = _PRIVATE if run.data.log else _OPEN
    staged.mkdir(mode=mode, parents=True)
    try:
        write_parts(staged, parts)
        digest = data_hash(staged)
        made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        sources = {one.name: licence(one.folder) or "not stated" for one in gathered if one.folder}
        text = data_card(
            parts, dropped.reasons, count_tokens=count_tokens, digest=digest, name=name, made=made, sources=sources
        )
        (staged / "card.md").write_text(text, encoding="utf-8")
        before_swap()
        publish(staged, folder, mode)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return Made(parts, dropped.reasons, digest, folder / "card.md")


def fewer_refusals(examples: Sequence[Example], most: float, seed: int) -> list[Example]:
    """All answers, and refusals drawn at random so that they are at most a share `most` of all, 0 to below 1."""
    refusals = [place for place, example in enumerate(examples) if example.refuses]
    answers = len(examples) - len(refusals)
    wanted = int(most / (1 - most) * answers + _ROUNDING)
    if wanted >= len(refusals):
        return list(examples)
    left_out = set(random.Random(seed).sample(refusals, len(refusals) - wanted))
    return [example for place, example in enumerate(examples) if place not in left_out]


def _parts(
    gathered: Sequence[Gathered], run: RunConfig, count_tokens: Callable[[str], int], dropped: Dropped
) -> dict[str, list[Example]]:
    parts: dict[str, list[Example]] = {part: [] for part in PARTS}
    by_index: dict[Path, list[Gathered]] = defaultdict(list)
    for one in gathered:
        by_index[one.index].append(one)
    for alike in by_index.values():
        # Questions of several sources about one document go to one part.
        together = [question for one in alike for question in one.found]
        divided = split(together, run.data.validation, run.data.test, run.seed, alike[0].name)
        for one in alike:
            for part, examples in _examples(one, divided, run, count_tokens, dropped).items():
                parts[part] += examples
    _check_ids(parts)
    parts["train"], leaks = without_leaks(parts["train"], [*parts["validation"], *parts["test"]])
    dropped.reasons.update(leaks)
    parts["validation"], leaks = without_leaks(parts["validation"], parts["test"])
    dropped.reasons.update(leaks)
    parts["train"] = fewer_refusals(parts["train"], run.data.most_refusals, run.seed)
    _check_sizes(parts, run.data, dropped)
    return parts


def _examples(
    gathered: Gathered,
    divided: dict[str, list[Found]],
    run: RunConfig,
    count_tokens: Callable[[str], int],
    dropped: Dropped,
) -> dict[str, list[Example]]:
    """Those of one source, by part."""
    mine = {id(question) for question in gathered.found}
    resting_on = {part: {doc_id for one in group for doc_id in _documents(one)} for part, group in divided.items()}
    return {
        part: contexts(
            [question for question in divided[part] if id(question) in mine],
            gathered.sizes if part == "train" else (max(run.data.sizes),),
            no_gold=run.data.no_gold,
            hidden=set[str]().union(*(resting_on[other] for other in PARTS if other != part)),
            most_answer_tokens=run.data.most_answer_tokens,
            count_tokens=count_tokens,
            dropped=dropped,
            seed=run.seed,
        )
        for part in PARTS
    }


def _documents(one: Found) -> set[str]:
    return {one.gold.doc_id, *one.candidate.gold_doc_ids}


def _check_ids(parts: dict[str, list[Example]]) -> None:
    counts = Counter(example.id for examples in parts.values() for example in examples)
    twice = next((id_ for id_, count in counts.items() if count > 1), None)
    if twice is not None:
        raise UsageError(
            f"Two examples are called {twice!r}: two sets of the run have the same folder name and share ids of "
            "questions. Rename one folder, or leave one set out."
        )


def _check_sizes(parts: dict[str, list[Example]], data: Data, dropped: Dropped) -> None:
    for part in PARTS:
        if not parts[part]:
            left_out = ", ".join(f"{count} {reason}" for reason, count in dropped.reasons.most_common()) or "nothing"
            more = "Name more question sets" if data.written else "Name more question sets, or set written = true"
            raise UsageError(
                f"No example is left for the part {part!r}. A document's questions are all in one part, so there must "
                f"be some about three documents. {more}. Left out: {left_out}."
            )
