"""What the prompt of a small model should say, and how many passages it should hold.

    python benchmarks/prompts.py [--limit 50]

SQuAD 2.0 (visible half): answerable questions for exact match, F1 and containment, unanswerable ones for the share that
the model itself refuses. No abstention of ours, so that only the prompt differs. Variants take turns question by
question. Prints a markdown table.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

from langchain_core.messages import HumanMessage, SystemMessage

from ragvoice.build import build_chat_model, build_retriever, open_index
from ragvoice.commands.evaluate import ingest_if_missing
from ragvoice.evaluation.answer_metrics import contains, exact_match, f1
from ragvoice.evaluation.datasets import read_dataset
from ragvoice.generation.prompts import build_prompt, is_refusal
from ragvoice.settings import home, read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
REFUSE = " If the passages do not contain the answer, write exactly: Not in the documents."
EXAMPLES = (
    "\n\nExamples:\nQuestion: How many days of leave do new employees get?\nAnswer: 25 days\n"
    "Question: Who approves orders above 10,000 EUR?\nAnswer: the finance director"
)
VARIANTS = {
    # name: (passages, what is added to the served instructions)
    "short, 1 passage": (1, ""),
    "short, 2 passages": (2, ""),
    "short, 3 passages": (3, ""),
    "short, 3 passages, told to refuse": (3, REFUSE),
    "short, 3 passages, examples": (3, EXAMPLES),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=50, help="answerable questions; half as many unanswerable ones")
    arguments = parser.parse_args()
    dataset = read_dataset(SHARED / "squad2")
    settings = read_settings(index=home() / "evaluation" / dataset.name)
    ingest_if_missing(dataset, settings)
    retriever, chat = build_retriever(settings, open_index(settings)), build_chat_model(settings)
    answerable = [question for question in dataset.questions if question.answerable][: arguments.limit]
    unanswerable = [question for question in dataset.questions if not question.answerable][: arguments.limit // 2]
    figures: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for question in answerable + unanswerable:
        passages = retriever.search(question.text, 3)
        for name, (count, added) in VARIANTS.items():
            system, asked = build_prompt(question.text, passages[:count], (), "short")
            started, first, answer = time.perf_counter(), 0.0, ""
            for chunk in chat.stream([SystemMessage(system.text + added), HumanMessage(asked.text)]):
                first = first or time.perf_counter() - started
                answer += chunk.text
            refused = is_refusal(answer)
            if question.answerable:
                for metric in (exact_match, f1, contains):
                    figures[name][metric.__name__].append(0.0 if refused else metric(answer, question.answers))
                figures[name]["refused answerable"].append(refused)
            else:
                figures[name]["refused unanswerable"].append(refused)
            figures[name]["first token s"].append(first)
    names = ("exact_match", "f1", "contains", "refused answerable", "refused unanswerable")
    print("| prompt | " + " | ".join(names) + " | first token s |\n" + "| --- " * (len(names) + 2) + "|")
    for variant, values in figures.items():
        means = " | ".join(f"{statistics.mean(values[name]):.3f}" for name in names)
        print(f"| {variant} | {means} | {statistics.median(values['first token s']):.2f} |")


if __name__ == "__main__":
    main()
