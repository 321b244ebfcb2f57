"""Hit@k of dense, lexical and fused search, and of the ways to search for a follow-up question.

    python benchmarks/retrieval.py [--sets data squad2 ...] [--limit 300]

Every set is ingested into an index of its own below RAGVOICE_HOME when it is not there yet. Prints markdown tables.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ragvoice.build import build_retriever, open_index
from ragvoice.commands.evaluate import ingest_if_missing
from ragvoice.evaluation.datasets import Question, read_dataset
from ragvoice.evaluation.retrieval_metrics import CUTOFFS, ranked_documents, retrieval_scores
from ragvoice.generation.followup import standalone_question
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import home, read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
WEIGHTS = (1.0, 0.8, 0.7, 0.6, 0.5, 0.3, 0.0)

FOLLOW_UPS: dict[str, Callable[[Question], str]] = {
    "the question alone": lambda question: question.text,
    "our rule": lambda question: standalone_question(question.text, question.history),
    "with the last question": lambda question: " ".join([*_asked(question)[-1:], question.text]),
    "with all questions": lambda question: " ".join([*_asked(question), question.text]),
}


def _asked(question: Question) -> list[str]:
    return [line.text for line in question.history if line.speaker == "user"]


def row(name: str, retriever: HybridRetriever, questions: Sequence[Question], query: Callable[[Question], str]) -> str:
    found = []
    for question in questions:
        passages = retriever.search(query(question), 50, question.groups)
        found.append(retrieval_scores(ranked_documents(passages, question.gold_ids), question.gold_ids))
    means = (sum(scores[f"hit@{k}"] for scores in found) / len(found) for k in CUTOFFS)
    return f"| {name} | {len(questions)} | " + " | ".join(f"{mean:.3f}" for mean in means) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["data", "squad2", "clapnq", "mtrag", "agency_faq"])
    parser.add_argument("--limit", type=int, default=300, help="answerable questions of each set")
    arguments = parser.parse_args()
    for name in arguments.sets:
        folder = ROOT / "data" if name == "data" else SHARED / name
        if not folder.is_dir():
            print(f"{name} is not here, left out; set RAGVOICE_EVAL_DATA.")
            continue
        dataset = read_dataset(folder)
        settings = read_settings(index=home() / "evaluation" / dataset.name)
        ingest_if_missing(dataset, settings)
        retriever = build_retriever(settings, open_index(settings))
        asked = [question for question in dataset.questions if question.answerable and question.gold_ids]
        asked = asked[: arguments.limit]
        print(f"\n{name}\n\n| search | questions | " + " | ".join(f"hit@{k}" for k in CUTOFFS) + " |")
        print("| --- |" + " --- |" * (len(CUTOFFS) + 1))
        for weight in WEIGHTS:
            fused = retriever.model_copy(update={"dense_weight": weight})
            print(row(f"dense weight {weight}", fused, asked, FOLLOW_UPS["our rule"]))
        following = [question for question in asked if question.history]
        if following:
            for rule, query in FOLLOW_UPS.items():
                print(row(f"follow-ups: {rule}", retriever, following, query))


if __name__ == "__main__":
    main()
