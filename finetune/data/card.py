"""The data card of a run, in Markdown: what the model is shown, so that a person can judge it (Gebru et al. 2018,
Datasheets for Datasets, arXiv 1803.09010)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from finetune.data.examples import Example, passage_key, prompt_of

_SAMPLES = 3
_SHOWN = 240
"""Characters of a sample's text."""
_LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
_LICENCE = re.compile(r"licen[cs]e|research use|public domain", re.IGNORECASE)


def data_card(
    parts: Mapping[str, Sequence[Example]],
    dropped: Mapping[str, int],
    *,
    count_tokens: Callable[[str], int],
    digest: str,
    name: str = "",
    made: str = "",
    sources: Mapping[str, str] = {},
) -> str:
    """:param parts: train, validation, test.
    :param dropped: Reason -> candidates that gave no example.
    :param count_tokens: Of the model that is trained, without its chat template.
    :param digest: `examples.data_hash`.
    :param made: When, ISO 8601.
    :param sources: Source -> what is said of its licence (`licence`).
    """
    everything = [example for examples in parts.values() for example in examples]
    sections = [
        f"# Data card{f' of {name}' if name else ''}\n",
        f"{f'Made {made}. ' if made else ''}SHA-256 of the files: `{digest}`\n",
        "## Parts\n",
        _table(("part", "examples", "refusals", "follow-ups", "documents", "passages"), map(_part, parts.items())),
        "## Sources and styles\n",
        _table(("source", "style", *parts, "refusals"), _by_source(parts)),
        "## Lengths in tokens\n",
        "The prompt is without the chat template.\n",
        _table(("", "median", "95 %", "most"), _lengths(everything, count_tokens)),
        "## Passages in a prompt\n",
        _table(("passages", "examples"), _counted(Counter(len(example.passages) for example in everything))),
        "## Left out\n",
        _table(("reason", "number"), _counted(dropped, by_number=True)) if dropped else "Nothing.\n",
        "## Licences\n",
        _table(("source", "licence"), sorted(sources.items())) if sources else "None stated.\n",
        "## Samples of the training part\n",
        *_samples(parts.get("train", ())),
    ]
    return "\n".join(sections)


def licence(folder: Path) -> str:
    """What is said of the licence in a folder or the one above it; empty where nothing is.

    The sentences about it in a `SOURCE.txt`, else the first two lines of a `LICENSE`: its name and version.
    """
    above = (folder.resolve(), folder.resolve().parent)
    for file in (place / "SOURCE.txt" for place in above):
        if file.is_file():
            said = " ".join(line for line in _lines(file) if _LICENCE.search(line))
            if said:
                return said
    for file in (place / name for place in above for name in _LICENCE_FILES):
        if file.is_file():
            return ", ".join(_lines(file)[:2])
    return ""


def _lines(file: Path) -> list[str]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _part(part: tuple[str, Sequence[Example]]) -> tuple[str, ...]:
    name, examples = part
    passages = {passage_key(passage) for example in examples for passage in example.passages}
    return (
        name,
        f"{len(examples):,}",
        _share(sum(example.refuses for example in examples), len(examples)),
        f"{sum(bool(example.history) for example in examples):,}",
        f"{len({example.document for example in examples if example.document}):,}",
        f"{len(passages):,}",
    )


def _by_source(parts: Mapping[str, Sequence[Example]]) -> Iterable[tuple[str, ...]]:
    kinds = sorted({(example.source, example.style) for examples in parts.values() for example in examples})
    for source, style in kinds:
        of_kind = [[e for e in examples if (e.source, e.style) == (source, style)] for examples in parts.values()]
        every = [example for examples in of_kind for example in examples]
        refusals = _share(sum(example.refuses for example in every), len(every))
        yield source, style, *(f"{len(examples):,}" for examples in of_kind), refusals


def _lengths(examples: Sequence[Example], count_tokens: Callable[[str], int]) -> Iterable[tuple[str, ...]]:
    prompts = [sum(count_tokens(message.text) for message in prompt_of(e)) for e in examples]
    rows = {
        "prompt": prompts,
        "question": [count_tokens(example.question) for example in examples],
        "answer": [count_tokens(example.answer) for example in examples],
    }
    for title, lengths in rows.items():
        if lengths:
            yield title, f"{np.median(lengths):.0f}", f"{np.percentile(lengths, 95):.0f}", f"{max(lengths):,}"


def _samples(examples: Sequence[Example]) -> Iterable[str]:
    """The first ones of each source and kind, by their ids, so that the same data gives the same card."""
    kinds: dict[tuple[str, str, bool], list[Example]] = defaultdict(list)
    for example in sorted(examples, key=lambda example: example.id):
        kinds[example.source, example.style, example.refuses].append(example)
    for (source, style, refuses), found in sorted(kinds.items()):
        yield f"### {source}, {style}, {'refused' if refuses else 'answered'}\n"
        for example in found[:_SAMPLES]:
            yield from (f"- {line.speaker}: {_shortened(line.text)}" for line in example.history[-2:])
            yield f"- **{_shortened(example.question)}**"
            yield f"  - answer: {_shortened(example.answer)}"
            own = [passage for passage in example.passages if passage.doc_id == example.document]
            shown = _shortened((own or list(example.passages))[0].text) if example.passages else "none"
            yield f"  - {'its passage' if own else 'first passage'}, of {len(example.passages)}: {shown}"
        yield ""


def _counted(counts: Mapping[Any, int], *, by_number: bool = False) -> list[tuple[str, str]]:
    order = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])) if by_number else (0, str(item[0])))
    return [(str(key), f"{number:,}") for key, number in order]


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[:_SHOWN].rsplit(" ", 1)[0] + " …"


def _share(count: int, of: int) -> str:
    return f"{count:,} ({count / of:.0%})" if of else "0"
