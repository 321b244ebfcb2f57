"""Ours against BM25 alone, vectors alone and their reciprocal rank fusion, on every visible set; and follow-ups.

    python benchmarks/retrieval.py [--sets data squad2 ...] [--limit 0]

Every set is ingested into an index of its own below RAGVOICE_HOME when it is not there yet. Of the handbooks a copy is
ingested in which the headings that ask are blanked, or the questions themselves would be found. All systems search the
same chunks for the same question: a follow-up is joined with what it leans on by rule; ours may take the join back.
hit@k, MRR and nDCG@10 count a document once. answer@k: one of the first k chunks holds half of a gold answer (of its
first 700 characters). Prints Markdown tables; brackets are 95 % bootstrap intervals over the questions.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ragvoice.build import build_retriever, open_index
from ragvoice.commands.evaluate import ingest_if_missing
from ragvoice.datatypes import Passage
from ragvoice.evaluation.bootstrap import interval, paired_difference
from ragvoice.evaluation.datasets import Dataset, Question, is_gold, read_dataset
from ragvoice.evaluation.retrieval_metrics import ranked_documents, retrieval_scores
from ragvoice.generation.followup import search_follow_up, standalone_question
from ragvoice.retrieval.fusion import fuse
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import home, read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
SETS = ("data", "handbooks", "squad2", "clapnq", "mtrag", "agency_faq", "covidqa", "cranfield")
SPANS = ("data", "handbooks", "covidqa")
"""Sets whose gold answers stand in the gold document, letter by letter."""
FOUND, CANDIDATES = 50, 100
LONGEST_ANSWER = 700
SHOWN = ("hit@1", "hit@5", "hit@10", "mrr", "ndcg@10", "answer@1", "answer@5")
RRF = 60
"""The constant of reciprocal rank fusion (Cormack et al. 2009, doi 10.1145/1571941.1572114)."""

Scores = dict[str, float]
Search = Callable[[Question], Sequence[Passage]]


def dataset(name: str) -> Dataset:
    if name != "handbooks":
        return read_dataset(ROOT / "data" if name == "data" else SHARED / name)
    source, copy = SHARED / name, home() / "evaluation" / "handbooks-blanked-documents"
    if not copy.is_dir():
        asking: dict[str, set[int]] = {}
        for line in (source / "questions.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            asking.setdefault(row["gold_ids"][0], set()).add(row["gold_line"])
        part = copy.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        for path in sorted(source.rglob("*.md")):
            id_ = path.relative_to(source).as_posix()
            lines = path.read_text(encoding="utf-8").split("\n")
            kept = ["" if number in asking.get(id_, ()) else line for number, line in enumerate(lines, start=1)]
            (part / id_).parent.mkdir(parents=True, exist_ok=True)
            (part / id_).write_text("\n".join(kept), encoding="utf-8")
        part.rename(copy)
    read = read_dataset(source)
    return Dataset("handbooks-blanked", copy, read.questions)


def systems(index: DocumentIndex, ours: HybridRetriever) -> dict[str, Search]:
    def ranked(question: Question, rank: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Sequence[Passage]:
        """:param rank: (cosines, BM25 scores) of the candidates -> their scores."""
        query = standalone_question(question.text, question.history)
        allowed_n = index.allowed(question.groups)
        query_d = np.asarray(ours.embeddings.embed_query(query), dtype=np.float32)
        dense_c, _ = index.nearest(query_d, allowed_n, CANDIDATES)
        bm25_n = np.where(allowed_n, index.bm25(query), 0)
        lexical_c = np.argsort(-bm25_n, kind="stable")[:CANDIDATES]
        rows_c = np.union1d(dense_c, lexical_c[bm25_n[lexical_c] > 0])
        cosine_c = index.similarity(query_d, rows_c)
        scores_c = rank(cosine_c, bm25_n[rows_c])
        best = np.argsort(-scores_c, kind="stable")[:FOUND]
        return index.passages(rows_c[best].tolist(), scores_c[best].tolist(), cosine_c[best].tolist())

    def place(scores_c: np.ndarray) -> np.ndarray:
        return np.argsort(np.argsort(-scores_c, kind="stable"), kind="stable")

    return {
        "BM25 alone": lambda question: ranked(question, lambda cosine, bm25: bm25),
        "vectors alone": lambda question: ranked(question, lambda cosine, bm25: cosine),
        "reciprocal rank fusion": lambda question: ranked(
            question, lambda cosine, bm25: 1 / (RRF + 1 + place(cosine)) + 1 / (RRF + 1 + place(bm25))
        ),
        "weighted sum": lambda question: ranked(question, lambda cosine, bm25: fuse(cosine, bm25, ours.dense_weight)),
        "ours": lambda question: search_follow_up(
            question.text, question.history, lambda query: ours.search(query, FOUND, question.groups)
        )[1],
    }


def holds(text: str, passage: Passage, answers: Sequence[str]) -> bool:
    """:param text: Of the passage's document."""
    end = passage.start_index + len(passage.text)
    for answer in answers:
        words = r"\s+".join(map(re.escape, answer.split()))
        for found in re.finditer(rf"(?<!\w){words}(?!\w)" if words[0].isalnum() else words, text, re.IGNORECASE):
            shared = min(end, found.end()) - max(passage.start_index, found.start())
            if shared >= min(found.end() - found.start(), LONGEST_ANSWER) / 2:
                return True
    return False


def scored(index: DocumentIndex, question: Question, passages: Sequence[Passage], spans: bool) -> Scores:
    scores = retrieval_scores(ranked_documents(passages, question.gold_ids), question.gold_ids)
    if spans:
        held = [
            any(is_gold(passage, gold) for gold in question.gold_ids)
            and holds(index.document(passage.doc_id).text, passage, question.answers)
            for passage in passages[:5]
        ]
        scores |= {f"answer@{k}": float(any(held[:k])) for k in (1, 5)}
    return scores


def cells(rows: Sequence[Scores]) -> str:
    shown = []
    for name in SHOWN:
        found = interval([row[name] for row in rows if name in row])
        shown.append(f"{found.value:.3f} [{found.low:.3f}, {found.high:.3f}]" if found else "-")
    return " | ".join(shown)


def difference(name: str, rows: Sequence[Scores], base: Sequence[Scores]) -> str:
    """Questions for which ours is better and worse, and the interval of the mean difference."""
    pairs = [(row[name], other[name]) for row, other in zip(rows, base, strict=True) if name in row]
    found = paired_difference([a for a, _ in pairs], [b for _, b in pairs])
    if found is None:
        return "-"
    better, worse = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
    return f"{found.value:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {better} better, {worse} worse"


def follow_ups(ours: HybridRetriever, questions: Sequence[Question]) -> dict[str, Search]:
    def asked(question: Question) -> list[str]:
        return [line.text for line in question.history if line.speaker == "user"]

    def search(query: Callable[[Question], str]) -> Search:
        return lambda question: ours.search(query(question), FOUND, question.groups)

    return {
        "the question alone": search(lambda question: question.text),
        "with the last question": search(lambda question: " ".join([*asked(question)[-1:], question.text])),
        "with all questions": search(lambda question: " ".join([*asked(question), question.text])),
        "joined by rule": search(lambda question: standalone_question(question.text, question.history)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--limit", type=int, default=0, help="answerable questions of each set; 0 is all")
    arguments = parser.parse_args()
    for name in arguments.sets:
        if name != "data" and not (SHARED / name).is_dir():
            print(f"{name} is not here, left out; set RAGVOICE_EVAL_DATA.")
            continue
        data = dataset(name)
        settings = read_settings(index=home() / "evaluation" / data.name)
        ingest_if_missing(data, settings)
        index = open_index(settings)
        ours = build_retriever(settings, index)
        asked = [question for question in data.questions if question.answerable and question.gold_ids]
        asked = asked[: arguments.limit or None]
        print(f"\n{name}, {len(asked)} questions\n\n| search | " + " | ".join(SHOWN) + " |")
        print("| --- |" + " --- |" * len(SHOWN), flush=True)
        rows: dict[str, list[Scores]] = {}
        for system, search in systems(index, ours).items():
            rows[system] = [scored(index, question, search(question), name in SPANS) for question in asked]
            print(f"| {system} | {cells(rows[system])} |", flush=True)
        print()
        for base in ("weighted sum", "reciprocal rank fusion"):
            for measure in ("hit@1", "hit@5", "ndcg@10", "answer@1", "answer@5")[: 5 if name in SPANS else 3]:
                print(f"* ours - {base}, {measure}: {difference(measure, rows['ours'], rows[base])}")
        following = [question for question in asked if question.history]
        if not following:
            continue
        print(f"\n{len(following)} follow-ups\n\n| searched for | " + " | ".join(SHOWN) + " |")
        print("| --- |" + " --- |" * len(SHOWN))
        for rule, search in {**follow_ups(ours, following), "ours": systems(index, ours)["ours"]}.items():
            print(f"| {rule} | {cells([scored(index, q, search(q), name in SPANS) for q in following])} |", flush=True)


if __name__ == "__main__":
    main()
