"""How often the rule of grounding errs: `python benchmarks/grounding_rule.py`; needs RAGVOICE_EVAL_DATA, no model.

Claims are the sentences of gold answers. They should count as supported by what annotators marked as their support
(CLAPnq: sentences, MTRAG: passages), and not by as many other sentences of the same passage, by other passages, or
after a number, a name or the polarity was changed. Beside it: the gate that decides what may be said. Other sentences
of the same passage sometimes do support a claim, so that row is an upper bound of the errors.
"""

from __future__ import annotations

import json
import os
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ragvoice.datatypes import Passage
from ragvoice.evaluation.grounding_metrics import sentence_supported
from ragvoice.generation.answering import checked
from ragvoice.sentences import split_sentences

SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
VERB = re.compile(r"\b(?:is|are|was|were|can|will|has|have|may|must)\b(?! not)")
NEGATION = re.compile(r"\b(?:not|no|never|cannot|without|neither|nor|none|nobody)\b|n['’]t\b", re.IGNORECASE)


class Claim(NamedTuple):
    sentence: str
    texts: list[str]
    question: str


def rule(claim: Claim) -> bool:
    return sentence_supported(claim.sentence, claim.texts, claim.question)


def gate(claim: Claim) -> bool:
    passages = [Passage("d", "d", "", "", None, None, text, 0, 1.0) for text in claim.texts]
    return checked(claim.sentence, claim.question, passages)[1]


def pairs(name: str) -> Iterator[tuple[str, Claim]]:
    """(kind, claim); a perturbed claim only where the rule takes the unperturbed one."""
    draw = random.Random(0)
    corpus = {row["id"]: row for row in lines(SHARED / name / "corpus.jsonl")}
    others = [row["text"] for row in corpus.values()]
    claims = []
    for row in lines(SHARED / name / "questions.jsonl"):
        if not row["answerable"] or not row["gold_ids"] or row.get("answerability", "ANSWERABLE") != "ANSWERABLE":
            continue
        asked = " ".join(
            [*(said["text"] for said in row.get("history", ()) if said["speaker"] == "user"), row["question"]]
        )
        golds = [corpus[gold] for gold in row["gold_ids"]]
        marked = row.get("selected_sentences") or [gold["text"] for gold in golds]
        heading = " ".join(gold["title"] for gold in golds)
        for sentence in (said for answer in row["answers"] for said in sentences(answer)):
            claims.append(Claim(sentence, [*marked, heading], asked))
            yield "supported", claims[-1]
            yield "other passages", Claim(sentence, draw.sample(others, len(golds)), asked)
            if "selected_sentences" in row:
                rest = [said for said in sentences(golds[0]["text"]) if not any(said in m or m in said for m in marked)]
                if rest:
                    yield "same passage", Claim(sentence, draw.sample(rest, min(len(rest), len(marked))), asked)
    names = sorted({found for claim in claims for found in NAME.findall(claim.sentence)})
    for claim in filter(rule, claims):
        for kind, pattern in (("number changed", r"\d+"), ("name changed", NAME), ("negated", VERB)):
            found = list(re.finditer(pattern, claim.sentence))
            if not found or (kind == "negated" and NEGATION.search(claim.sentence)):
                continue
            at = draw.choice(found)
            new = {
                "number changed": lambda old: str(int(old) + draw.choice((1, 2, 10))),
                "name changed": lambda old: draw.choice([other for other in names if other != old]),
                "negated": lambda old: f"{old} not",
            }[kind](at[0])
            yield kind, claim._replace(sentence=claim.sentence[: at.start()] + new + claim.sentence[at.end() :])


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def sentences(text: str) -> list[str]:
    return [" ".join(text[start:end].split()) for start, end in split_sentences(text)]


def share(found: Sequence[bool]) -> str:
    return f"{sum(found) / len(found):.3f}"


if __name__ == "__main__":
    if not SHARED.is_dir():
        raise SystemExit(f"{SHARED} is not here; set RAGVOICE_EVAL_DATA")
    print("| set | claims against | n | rule says supported | gate lets through |\n| --- | --- | --- | --- | --- |")
    for name in ("clapnq", "mtrag"):
        judged: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for kind, claim in pairs(name):
            judged[kind].append((rule(claim), gate(claim)))
        for kind, both in judged.items():
            by_rule, by_gate = zip(*both, strict=True)
            print(f"| {name} | {kind} | {len(both)} | {share(by_rule)} | {share(by_gate)} |")
