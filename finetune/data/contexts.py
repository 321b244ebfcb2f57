"""Candidates -> examples: each question is asked over passages as retrieval gives them at serving.

As in RAFT (Zhang et al. 2024, arXiv 2403.10131) the gold passage stands among hard distractors, and for a share of the
questions it is missing and the answer is the refusal. The distractors are those that retrieval finds for the same
questions. Questions about neighbouring passages share one context: each is asked over the same passages, among which
are its own, so that a trainer reads them once (`training/packing.py`).
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from finetune.data.candidates import Candidate
from finetune.data.examples import Example, passage_key
from finetune.data.kept import GROUNDED, holds, may_answer
from ragvoice.datatypes import Message, Passage
from ragvoice.evaluation.answer_metrics import normalise
from ragvoice.generation.answering import ABSTENTION, checked
from ragvoice.generation.followup import search_follow_up
from ragvoice.sentences import split_sentences

Search = Callable[[str, Iterable[str]], Sequence[Passage]]
"""Question and groups -> passages, best first."""

_MOST_SENTENCES = 2
"""As many as are said at serving."""


@dataclass(frozen=True)
class Found:
    """A candidate with what retrieval found for it."""

    candidate: Candidate
    passages: tuple[Passage, ...]
    """Best first."""
    gold: Passage
    """The one that answers; of an unanswerable question the one that looks most like it."""
    history: tuple[Message, ...]
    """What the prompt would show of the conversation; empty for a question that was searched for by itself."""


@dataclass
class Dropped:
    """Why candidates gave no example, over one number of passages or at all."""

    reasons: Counter[str] = field(default_factory=Counter)


def retrieved(candidates: Iterable[Candidate], search: Search, dropped: Dropped) -> list[Found]:
    """Those whose passage is found; the rest is counted."""
    kept = []
    for candidate in candidates:
        asked = partial(_searched, search, candidate.groups)
        standalone, passages = search_follow_up(candidate.question, candidate.history, asked)
        gold = _gold(candidate, passages)
        if gold is None:
            dropped.reasons[f"{candidate.source}: its passage was not found"] += 1
            continue
        told = candidate.history if standalone != candidate.question.strip() else ()
        kept.append(Found(candidate, tuple(passages), gold, told))
    return kept


def contexts(
    found: Sequence[Found],
    sizes: Sequence[int],
    *,
    no_gold: float,
    hidden: Collection[str],
    most_answer_tokens: int,
    count_tokens: Callable[[str], int],
    dropped: Dropped,
    seed: int,
) -> list[Example]:
    """Every question once over each number of passages, and a share of the answerable ones without their passage.

    :param sizes: Numbers of passages, for instance 1, 3 and 5.
    :param no_gold: Share of the answerable questions, 0 to 1.
    :param hidden: doc_ids that give no distractor: those that questions of the other parts rest on.
    :param most_answer_tokens: Sentences that go beyond it are left out of an answer.
    """
    chance = random.Random(seed)
    by_gold: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        by_gold[passage_key(one.gold)].append(one)
    golds = {key: group[0].gold for key, group in by_gold.items()}
    near = {key: _neighbours(group, hidden) for key, group in by_gold.items()}
    made: list[Example | None] = []
    for size in sizes:
        for keys, shown in _clusters(golds, near, size, chance):
            for one in (one for key in keys for one in by_gold[key]):
                made.append(_example(one, shown, f"{size}", most_answer_tokens, count_tokens, dropped))
    for key, group in by_gold.items():
        others = tuple(passage for passage in near[key] if not _from_gold(passage, group))[: chance.choice(sizes)]
        asked = [one for one in group if one.candidate.answerable and chance.random() < no_gold]
        for one in asked:
            if others and not _answered(one, others):
                made.append(_refusal(one, others, "none"))
    return [example for example in made if example is not None]


def _searched(search: Search, groups: Sequence[str], query: str) -> Sequence[Passage]:
    return search(query, groups)


def _gold(candidate: Candidate, passages: Sequence[Passage]) -> Passage | None:
    """The best one of a gold document: the one with the gold text where that is known, else one with the answer.

    A short answer must stand in it word for word. An unanswerable question about no document has the best one of all.
    """
    near = passages
    if candidate.answerable or candidate.gold_doc_ids:
        near = [passage for passage in passages if passage.doc_id in candidate.gold_doc_ids]
    if candidate.gold_text:
        near = [passage for passage in near if holds(passage, candidate.gold_text)] or near
    holding = [passage for passage in near if any(_stands_in(passage.text, answer) for answer in candidate.answers)]
    if candidate.answerable and candidate.style == "short":
        return next(iter(holding), None)
    return next(iter(holding or near), None)


def _stands_in(text: str, answer: str) -> bool:
    return f" {normalise(answer)} " in f" {normalise(text)} "


def _answered(one: Found, shown: Sequence[Passage]) -> bool:
    """Whether passages beside the gold one answer, too: an answer stands there, or a sentence of it rests on them."""
    answers = one.candidate.answers
    texts = [" ".join((p.title, p.section, p.table_header, p.text)) for p in shown]
    if any(_stands_in(text, answer) for text in texts for answer in answers):
        return True
    if one.candidate.style == "short":
        return False
    sentences = [answer[start:end] for answer in answers for start, end in split_sentences(answer)]
    checks = (checked(sentence, _asked(one), shown) for sentence in sentences)
    return any(may_be_said and support.score >= GROUNDED for support, may_be_said in checks)


def _asked(one: Found) -> str:
    """The question with what the person said before it."""
    return " ".join([one.candidate.question, *(line.text for line in one.history[-2:] if line.speaker == "user")])


def _from_gold(passage: Passage, group: Sequence[Found]) -> bool:
    return any(passage.doc_id in one.candidate.gold_doc_ids for one in group)


def _neighbours(group: Sequence[Found], hidden: Collection[str]) -> list[Passage]:
    """What retrieval finds besides the gold passage, the nearest for most of the questions first."""
    gold = passage_key(group[0].gold)
    votes: dict[str, float] = defaultdict(float)
    texts: dict[str, Passage] = {}
    for one in group:
        for rank, passage in enumerate(one.passages, start=1):
            key = passage_key(passage)
            if key != gold and passage.doc_id not in hidden:
                votes[key] += 1 / rank
                texts[key] = passage
    return [texts[key] for key in sorted(votes, key=lambda key: -votes[key])]


def _clusters(
    golds: dict[str, Passage], near: dict[str, list[Passage]], size: int, chance: random.Random
) -> Iterable[tuple[list[str], tuple[Passage, ...]]]:
    """Gold passages with their nearest others; the keys of those whose questions are asked there, in each size once."""
    waiting = list(golds)
    chance.shuffle(waiting)
    done: set[str] = set()
    for key in waiting:
        if key in done:
            continue
        keys, shown = [key], [golds[key]]
        # Neighbours whose own questions still wait come first: the context is then read for them, too.
        for passage in sorted(near[key], key=lambda p: not (passage_key(p) in golds and passage_key(p) not in done)):
            if len(shown) == size:
                break
            shown.append(passage)
            if passage_key(passage) in golds and passage_key(passage) not in done:
                keys.append(passage_key(passage))
        done.update(keys)
        chance.shuffle(shown)
        yield keys, tuple(shown)


def _example(
    one: Found,
    shown: tuple[Passage, ...],
    name: str,
    most_tokens: int,
    count_tokens: Callable[[str], int],
    dropped: Dropped,
) -> Example | None:
    candidate = one.candidate
    if not candidate.answerable:
        if candidate.absent and may_answer(candidate, shown):
            dropped.reasons[f"{candidate.source}: a passage beside its own answers it"] += 1
            return None
        return _refusal(one, shown, name)
    if candidate.style == "spoken":
        answer = _sayable(one, shown, most_tokens, count_tokens)
    else:
        # To be copied: of several accepted ones the one that stands there.
        answer = next(answer for answer in candidate.answers if _stands_in(one.gold.text, answer))
    if not answer or count_tokens(answer) > most_tokens:
        dropped.reasons[f"{candidate.source}: its answer is not in its passage, or is too long"] += 1
        return None
    return replace(_refusal(one, shown, name), answer=answer, refuses=False, accepted=candidate.answers)


def _refusal(one: Found, shown: tuple[Passage, ...], name: str) -> Example:
    candidate = one.candidate
    return Example(
        id=f"{candidate.source}/{candidate.id}/{name}",
        question=candidate.question,
        passages=shown,
        answer=ABSTENTION,
        style=candidate.style,
        history=one.history,
        refuses=True,
        source=candidate.source,
        document=one.gold.doc_id,
    )


def _sayable(one: Found, shown: Sequence[Passage], most_tokens: int, count_tokens: Callable[[str], int]) -> str:
    """The first sentences of the answer that would be said at serving: what a passage does not support is left out."""
    whole = one.candidate.answers[0]
    asked = _asked(one)
    said: list[str] = []
    for start, end in split_sentences(whole):
        sentence = whole[start:end]
        if not checked(sentence, asked, shown)[1]:
            continue
        if len(said) == _MOST_SENTENCES or count_tokens(" ".join([*said, sentence])) > most_tokens:
            break
        said.append(sentence)
    return " ".join(said)
