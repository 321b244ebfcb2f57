"""The same model, prompts and machine in five runtimes: answers, speed, cancelling, adapters, memory.

    python benchmarks/runtimes.py [--questions 30] [--model qwen2.5-coder-0.5b-instruct] [--only xllamacpp,...]

Questions of SQuAD 2.0 over three paragraphs of one article, from RAGVOICE_EVAL_DATA (default ../shared/data). Each
runtime has a process of its own and the processes take turns question by question, so that other work on the machine
slows all alike; `(x2.1)` is the median of the ratios to the first runtime, prompt by prompt. Replies are kept in
--cache: a second run asks only what is new, so use another folder to measure again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import resource
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from runtime_adapters import RUNTIMES, Prompt, Runtime
from runtime_files import ModelFiles

from ragvoice.build import build_store
from ragvoice.datatypes import Passage
from ragvoice.evaluation.answer_metrics import exact_match, f1
from ragvoice.generation.chat_template import ChatTemplate
from ragvoice.generation.prompts import build_prompt

ROOT = Path(__file__).resolve().parent.parent
ANSWER_TOKENS, LONG_TOKENS = 32, 64
LONG_EVERY = 6
"""Each so many questions, also a long reply, a second question over the same passages, and a cancelled one."""


@dataclass(frozen=True)
class Case:
    question: str
    answers: tuple[str, ...]
    second_question: str
    passages: tuple[Passage, ...]


def read_cases(folder: Path, number: int) -> list[Case]:
    """Paragraphs with two answerable questions, each with two other paragraphs of the article, in a fixed order."""
    rows = [json.loads(line) for line in (folder / "questions_full.jsonl").read_text(encoding="utf-8").splitlines()]
    texts = [json.loads(line) for line in (folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    by_id = {row["id"]: row for row in texts}
    asked: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["answerable"] and len(row["gold_ids"]) == 1:
            asked.setdefault(row["gold_ids"][0], []).append(row)
    order = random.Random(0)
    golds = sorted(gold for gold, questions in asked.items() if len(questions) > 1)
    order.shuffle(golds)
    cases = []
    for gold in golds[:number]:
        article = by_id[gold]["title"]
        others = [row["id"] for row in texts if row["title"] == article and row["id"] != gold]
        read = [gold, *order.sample(others, 2)]
        order.shuffle(read)
        first, second = asked[gold][:2]
        passages = tuple(_passage(by_id[id_]) for id_ in read)
        cases.append(Case(first["question"], tuple(first["answers"]), second["question"], passages))
    return cases


def _passage(row: dict[str, Any]) -> Passage:
    return Passage(row["id"], row["id"], row["title"], "", None, None, row["text"], 0, 1.0)


def render(template: ChatTemplate, question: str, passages: Sequence[Passage]) -> Prompt:
    whole = template.render(build_prompt(question, passages, style="short"))
    cut = whole.rindex("\n", 0, whole.rindex(question)) + 1
    return Prompt(whole[:cut], whole[cut:])


# --- in the runtime's own process ---


def serve(name: str, files: ModelFiles, pipe: Connection) -> None:
    try:
        started = time.perf_counter()
        runtime = RUNTIMES[name](files)
        pipe.send({"load_s": time.perf_counter() - started})
    except ImportError as error:
        pipe.send({"missing": f"not installed ({error.name})"})
        return
    except Exception as error:
        pipe.send({"missing": f"{type(error).__name__}: {error}"})
        return
    while (request := pipe.recv()) is not None:
        kind, *arguments = request
        try:
            reply = {"answer": measure, "reuse": reuse, "cancel": cancel, "adapter": adapter}[kind](runtime, *arguments)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        pipe.send(reply | {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def measure(runtime: Runtime, prompt: Prompt, tokens: int, keep: bool = False) -> dict[str, Any]:
    started = time.perf_counter()
    times, text = [], ""
    for piece in runtime.stream(prompt, tokens, reuse=keep):
        times.append(time.perf_counter())
        text += piece
    rate = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0
    return {"text": text, "first_token_s": times[0] - started, "tokens": len(times), "decode_per_s": rate}


def reuse(runtime: Runtime, first: Prompt, second: Prompt) -> dict[str, Any]:
    """The second question's time to first token, after a first one that filled the cache; and whether it differs."""
    measure(runtime, first, 8, keep=True)
    kept = measure(runtime, second, ANSWER_TOKENS, keep=True)
    return kept | {"same_text": kept["text"] == measure(runtime, second, ANSWER_TOKENS)["text"]}


def cancel(runtime: Runtime, prompt: Prompt) -> dict[str, Any]:
    """Seconds from closing the stream after three tokens to the return, and whether the next answer is unharmed."""
    before = measure(runtime, prompt, ANSWER_TOKENS)["text"]
    pieces = runtime.stream(prompt, 512, reuse=False)
    for _ in range(3):
        next(pieces)
    started = time.perf_counter()
    pieces.close()  # type: ignore[attr-defined]
    seconds = time.perf_counter() - started
    return {"cancel_s": seconds, "usable": measure(runtime, prompt, ANSWER_TOKENS)["text"] == before}


def adapter(runtime: Runtime, prompt: Prompt) -> dict[str, Any]:
    """Seconds that switching an adapter on adds to the next first token, median of three; and its effect."""
    plain = measure(runtime, prompt, ANSWER_TOKENS)["text"]
    how = runtime.load_adapter()
    runtime.use_adapter(False)
    measure(runtime, prompt, 2)
    seconds, adapted, restored = [], "", ""
    for _ in range(3):
        usual = measure(runtime, prompt, 2)["first_token_s"]
        started = time.perf_counter()
        runtime.use_adapter(True)
        switched = time.perf_counter() - started
        reply = measure(runtime, prompt, ANSWER_TOKENS)
        seconds.append(max(0.0, switched + reply["first_token_s"] - usual))
        adapted = reply["text"]
        runtime.use_adapter(False)
        restored = measure(runtime, prompt, ANSWER_TOKENS)["text"]
    effect = "answer changed" if adapted != restored else "NO EFFECT on the answer"
    back = "restored" if restored == plain else "NOT restored"
    return {"switch_s": statistics.median(seconds), "how": how, "effect": f"{effect}, {back}"}


# --- in the parent ---


class Worker:
    """One runtime in a process that starts with the first question that the cache does not hold."""

    def __init__(self, name: str, files: ModelFiles, cache: Path):
        self.name = name
        self._files = files
        self._file = cache / f"{name.replace(' ', '-')}.json"
        self._known: dict[str, Any] = json.loads(self._file.read_text()) if self._file.is_file() else {}
        self._pipe: Connection | None = None
        self.missing = ""

    @property
    def load_s(self) -> float:
        return float(self._known.get("load", {}).get("load_s", 0))

    def ask(self, *request: Any) -> dict[str, Any]:
        key = hashlib.sha256(repr(request).encode()).hexdigest()
        if key not in self._known and not self.missing:
            if self._pipe is None:
                self._start()
            if self._pipe is None:
                return {"error": self.missing}
            self._pipe.send(request)
            self._known[key] = self._pipe.recv()
            self._file.write_text(json.dumps(self._known))
        return self._known.get(key, {"error": self.missing})

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(self.name, self._files, theirs), daemon=True).start()
        reply = ours.recv()
        if "missing" in reply:
            self.missing = reply["missing"]
        else:
            self._known["load"], self._pipe = reply, ours


def run(workers: list[Worker], cases: list[Case], template: ChatTemplate) -> dict[str, dict[str, list[Any]]]:
    """Replies by runtime and kind of request, in the order of the cases."""
    replies: dict[str, dict[str, list[Any]]] = {
        worker.name: {kind: [] for kind in ("answer", "long", "reuse", "cancel", "adapter")} for worker in workers
    }
    for number, case in enumerate(cases):
        prompt = render(template, case.question, case.passages)
        second = render(template, case.second_question, case.passages)
        long = render(template, "Tell me everything that the passages say, in full sentences.", case.passages)
        turn = workers[number % len(workers) :] + workers[: number % len(workers)]
        for worker in turn:
            replies[worker.name]["answer"].append(worker.ask("answer", prompt, ANSWER_TOKENS))
        if number % LONG_EVERY == 0:
            for worker in turn:
                replies[worker.name]["long"].append(worker.ask("answer", long, LONG_TOKENS))
                replies[worker.name]["reuse"].append(worker.ask("reuse", prompt, second))
                replies[worker.name]["cancel"].append(worker.ask("cancel", long))
    for worker in workers:
        short = render(template, "What is the capital of France?", ())
        replies[worker.name]["adapter"].append(worker.ask("adapter", short))
    return replies


def column(got: dict[str, list[Any]], base: dict[str, list[Any]], cases: list[Case], sizes: list[int]) -> list[str]:
    def median(kind: str, field: str, unit: str) -> str:
        mine = [row[field] for row in got[kind]]
        ratio = statistics.median(a / b for a, b in zip(mine, (row[field] for row in base[kind]), strict=True))
        return f"{statistics.median(mine):.3g} {unit} (x{ratio:.2g})"

    texts = [row["text"].strip().removesuffix(".") for row in got["answer"]]
    pairs = list(zip(texts, cases, strict=True))
    rates = [size / row["first_token_s"] for size, row in zip(sizes, got["answer"], strict=True)]
    lora = got["adapter"][0]
    switch = lora.get("error") or f"{lora['switch_s'] * 1000:.0f} ms ({lora['how']}); {lora['effect']}"
    same = sum(row["same_text"] for row in got["reuse"])
    usable = all(row["usable"] for row in got["cancel"])
    return [
        f"{statistics.mean(exact_match(text, case.answers) for text, case in pairs):.2f}",
        f"{statistics.mean(f1(text, case.answers) for text, case in pairs):.2f}",
        f"{statistics.median(rates):.0f} /s",
        median("answer", "first_token_s", "s"),
        median("long", "decode_per_s", "/s"),
        median("reuse", "first_token_s", "s"),
        f"{same} of {len(got['reuse'])}",
        f"{median('cancel', 'cancel_s', 's')}, {'usable' if usable else 'NOT usable'} afterwards",
        switch,
        f"{max(row['peak_mib'] for row in got['answer']):.0f} MiB",
    ]


ROWS = (
    "exact match", "F1", "prefill, tokens", "time to first token", "decode, tokens", "first token, passages kept",
    "same answer with passages kept", "cancel to return", "switch a LoRA adapter", "peak memory while answering",
    "load",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b-instruct", help="a model of the store that is a GGUF")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--only", help="runtimes, with commas between them: " + ", ".join(RUNTIMES))
    parser.add_argument("--cache", type=Path, default=ROOT / "out" / "runtimes")
    arguments = parser.parse_args()
    store, cache = build_store(), arguments.cache / arguments.model
    cache.mkdir(parents=True, exist_ok=True)
    files = ModelFiles(
        store.path(arguments.model) / "model.gguf",
        store.converted(arguments.model, "transformers"),
        store.converted(arguments.model, "ctranslate2-int8"),
        store.converted(arguments.model, "torch-int8"),
        cache,
        len(os.sched_getaffinity(0)),
    )
    data = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
    cases = read_cases(data / "squad2", arguments.questions)
    template = ChatTemplate(files.ctranslate2)
    names = arguments.only.split(",") if arguments.only else list(RUNTIMES)
    workers = [Worker(name, files, cache) for name in names]
    replies = run(workers, cases, template)
    prompts = [render(template, case.question, case.passages) for case in cases]
    sizes = [template.count_tokens(prompt.front + prompt.rest) for prompt in prompts]
    columns, base = {}, replies[next((worker.name for worker in workers if not worker.missing), names[0])]
    for worker in workers:
        broken = worker.missing or next((row["error"] for row in replies[worker.name]["answer"] if "error" in row), "")
        filled = [broken] * len(ROWS) if broken else column(replies[worker.name], base, cases, sizes)
        columns[worker.name] = [*filled, f"{worker.load_s:.1f} s"][: len(ROWS)]
    size = statistics.median(sizes)
    print(f"{arguments.model}, {len(cases)} questions, median prompt {size:.0f} tokens, {files.threads} threads\n")
    print("| | " + " | ".join(columns) + " |\n|" + " --- |" * (len(columns) + 1))
    for number, row in enumerate(ROWS):
        print(f"| {row} | " + " | ".join(values[number] for values in columns.values()) + " |")


if __name__ == "__main__":
    main()
