"""Fit the confidence of an answer: ragvoice/generation/confidence.json.

    python benchmarks/fit_confidence.py collect --per-set 60     (resumable: answers are kept in out/confidence)
    python benchmarks/fit_confidence.py fit

`collect` answers questions of the visible sets without abstaining and keeps the evidence of each. `fit` trains a
logistic regression on half of the questions and reports on the other half: area under the ROC curve, calibration
error, and what a threshold refuses rightly and wrongly. Then it fits on all of them and writes the weights.
"""

from __future__ import annotations

import argparse
import json
import os
import random
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from ragvoice.build import build_chat_model, build_retriever, open_index
from ragvoice.commands.evaluate import ingest_if_missing
from ragvoice.datatypes import Style
from ragvoice.evaluation.answer_metrics import contains, f1
from ragvoice.evaluation.datasets import Dataset, Question, read_dataset
from ragvoice.generation.answering import Answering
from ragvoice.generation.confidence import ConfidenceModel, Evidence
from ragvoice.generation.followup import standalone_question
from ragvoice.generation.grounding import content_words
from ragvoice.settings import home, read_settings

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out" / "confidence"
WEIGHTS = ROOT / "ragvoice" / "generation" / "confidence.json"
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
SETS = {"sample company": ROOT / "data", **{name: SHARED / name for name in ("squad2", "clapnq")}}
"""Name -> folder. Questions of `offtopic` are asked to each of them and always count as wrong when answered."""


LONG_WORDS = 15
"""A gold answer of so many words is a text to be quoted from, not a fact to be matched."""


class Recorder(ConfidenceModel):
    """Certain of everything, and remembers why it should not be."""

    def __init__(self) -> None:
        self.seen: list[Evidence] = []

    def probability(self, evidence: Evidence) -> float:
        self.seen.append(evidence)
        return 1.0


def collect(per_set: int) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for name, folder in SETS.items():
        if not folder.is_dir():
            print(f"{name}: {folder.name} is not here, left out. Set RAGVOICE_EVAL_DATA.")
            continue
        dataset = read_dataset(folder)
        settings = read_settings(index=home() / "evaluation" / dataset.name)
        ingest_if_missing(dataset, settings)
        retriever = build_retriever(settings, open_index(settings))
        recorder = Recorder()
        answering = Answering(
            build_chat_model(settings),
            recorder,
            prompt_passages=settings.prompt_passages,
            relative_score=settings.relative_score,
            prompt_tokens=settings.prompt_tokens,
            min_confidence=0.0,
        )
        file = OUT / f"{name.replace(' ', '-')}.jsonl"
        done = {json.loads(line)["key"] for line in file.read_text().splitlines()} if file.is_file() else set()
        with file.open("a", encoding="utf-8") as out:
            for number, (question, style) in enumerate(_chosen(dataset, per_set)):
                key = f"{question.id}/{style}"
                if key in done:
                    continue
                recorder.seen.clear()
                passages = retriever.search(standalone_question(question.text, question.history), 8, question.groups)
                stream = answering.stream(question.text, passages, question.history, style)
                list(stream)
                if not recorder.seen:
                    continue
                answer = stream.verdict.answer if stream.verdict.outcome == "answered" else ""
                row = {
                    "key": key,
                    "set": name,
                    "answer": answer,
                    "golds": question.answers,
                    "answerable": question.answerable,
                    "evidence": asdict(recorder.seen[0]),
                }
                out.write(json.dumps(row) + "\n")
                out.flush()
                print(f"{name} {number + 1}", end="\r", flush=True)
        print()


def _chosen(dataset: Dataset, per_set: int) -> list[tuple[Question, Style]]:
    """As many answerable as unanswerable questions, off-topic ones among the latter, in both styles by turns."""
    shuffled = random.Random(0).sample(dataset.questions, len(dataset.questions))
    answerable = [question for question in shuffled if question.answerable][: per_set // 2]
    unanswerable = [question for question in shuffled if not question.answerable][: per_set // 3]
    file = SHARED / "offtopic" / "questions.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    offtopic = [
        Question(f"offtopic-{number}", json.loads(line)["question"], (), (), False)
        for number, line in enumerate(random.Random(dataset.name).sample(lines, min(len(lines), per_set // 6)))
    ]
    styles: tuple[Style, Style] = ("spoken", "short")
    questions = answerable + unanswerable + offtopic
    return [(question, styles[number % 2]) for number, question in enumerate(questions)]


def _right(row: dict[str, Any]) -> bool:
    """It holds a gold answer; or it is short and most of its words are gold; or the gold answer is a long text and
    most content words of the answer come from it."""
    answer, golds = row["answer"], row["golds"]
    if not row["answerable"] or not answer:
        return False
    if contains(answer, golds) or (row["key"].endswith("/short") and f1(answer, golds) >= 0.5):
        return True
    said = set(content_words(answer))
    return any(
        len(gold.split()) >= LONG_WORDS and said and len(said & set(content_words(gold))) >= 0.7 * len(said)
        for gold in golds
    )


def fit() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [json.loads(line) for file in sorted(OUT.glob("*.jsonl")) for line in file.read_text().splitlines()]
    names = [field.name for field in fields(Evidence)]
    x = np.array([[row["evidence"][name] for name in names] for row in rows])
    y = np.array([_right(row) for row in rows])
    answerable = np.array([row["answerable"] for row in rows])
    held_out = np.array([hash_of(row["key"]) for row in rows]) % 2 == 1

    def trained(chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(C=0.3)).fit(x[chosen], y[chosen])

    p = trained(~held_out).predict_proba(x)[:, 1]
    print(f"{len(rows)} answers, {y.mean():.2f} right; held out: {held_out.sum()}")
    print(f"AUROC {roc_auc_score(y[held_out], p[held_out]):.3f}, ECE {_ece(y[held_out], p[held_out]):.3f}")
    print("| threshold | unanswerable refused | answerable refused | right when answered |\n| --- | --- | --- | --- |")
    for threshold in (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6):
        refused = p < threshold
        kept = held_out & ~refused
        rightly, wrongly = refused[held_out & ~answerable].mean(), refused[held_out & answerable].mean()
        print(f"| {threshold} | {rightly:.2f} | {wrongly:.2f} | {y[kept].mean() if kept.any() else 0.0:.2f} |")
    scaler, regression = trained(np.ones(len(rows), dtype=bool)).named_steps.values()
    weights = regression.coef_[0] / scaler.scale_
    bias = regression.intercept_[0] - float(weights @ scaler.mean_)
    fitted = {"bias": round(bias, 5), "weights": {n: round(float(w), 5) for n, w in zip(names, weights, strict=True)}}
    WEIGHTS.write_text(json.dumps(fitted, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(fitted))


def hash_of(key: str) -> int:
    """The same half for a question in both styles and in every run."""
    return sum(key.split("/")[0].encode())


def _ece(right: Any, p: Any, bins: int = 10) -> float:
    """Expected calibration error (Guo et al. 2017, arXiv 1706.04599) over equal-width bins."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [
        (which == b).mean() * abs(right[which == b].mean() - p[which == b].mean())
        for b in range(bins)
        if (which == b).any()
    ]
    return float(sum(gaps))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "fit"))
    parser.add_argument("--per-set", type=int, default=60)
    arguments = parser.parse_args()
    if arguments.step == "collect":
        collect(arguments.per_set)
    else:
        fit()
