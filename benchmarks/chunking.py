"""What the splitter does to retrieval: how often the best chunks hold the answer, and tokens a second.

    python benchmarks/chunking.py [--sets data handbooks] [--every 3]

The sample company, and every n-th page of the handbooks with the asking headings blanked. Splitters: LangChain's
RecursiveCharacterTextSplitter on tokens of the embedder; ours; ours with neighbouring short sections of one parent
joined. All are searched as the retriever does, in memory; then ours with the score of short chunks reduced (a document
that is one short chunk is not a short chunk). Access rights are left out. A chunk holds the answer when it has a gold
string of the sample company, or half of the answer's characters (of the first 700) in the handbooks. Prints Markdown
tables.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
from langchain_core.embeddings import Embeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from ingest.embedded_text import embedded_text
from ingest.headings import find_headings, first_heading
from ingest.loaders import load
from ingest.splitting import Chunk, PageSpan, TokenOffsets, split
from ragvoice.build import build_embeddings, token_offsets
from ragvoice.datatypes import Message
from ragvoice.errors import DocumentError
from ragvoice.generation.followup import standalone_question
from ragvoice.retrieval.fusion import fuse
from ragvoice.retrieval.lexical import LexicalIndex
from ragvoice.settings import read_settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RAGVOICE_EVAL_DATA", ROOT.parent / "shared" / "data"))
LONGEST_ANSWER = 700
"""Characters; of a longer answer of the handbooks the chunk need hold no more than half of this."""
SHORT, JOINED = 60, 120
"""Tokens of a section that is joined with its neighbours, and of what they become."""
DISCOUNTS = ((0.1, 160), (0.2, 320), (0.3, 320), (0.4, 320), (0.3, 480))
"""(share taken off the score of an empty chunk, characters from which nothing is taken off)"""

Split = Callable[["Page"], list[Chunk]]
Holds = Callable[["Page", Chunk, dict], bool]
"""(document, chunk of it, question) -> whether the chunk holds the answer"""
Row = dict[str, float]


@dataclass(frozen=True)
class Page:
    """A document."""

    id: str
    title: str
    text: str
    spans: tuple[PageSpan, ...]


def read(path: Path, id_: str) -> Iterator[Page]:
    parts: dict[str, list[str]] = {}
    titles: dict[str, str] = {}
    for page in load(path):
        part = str(page.metadata.get("part") or "")
        titles.setdefault(part, str(page.metadata.get("title") or ""))
        parts.setdefault(part, []).append(page.page_content.strip("\n"))
    for part, bodies in parts.items():
        text, spans = "", []
        for body in bodies:
            text += "\n\n" if text else ""
            spans.append(PageSpan(len(text), len(text) + len(body), None))
            text += body
        if text.strip():
            title = titles[part] or first_heading(text) or path.stem.replace("-", " ")
            yield Page(id_ + (f"!/{part}" if part else ""), title, text, tuple(spans))


def sample_company() -> tuple[list[Page], list[dict]]:
    folder = ROOT / "data"
    pages: list[Page] = []
    for path in sorted((folder / "documents").rglob("*.*")):
        try:
            pages += read(path, path.relative_to(folder / "documents").as_posix())
        except DocumentError as error:
            print(f"{path.name}: {error}")
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    return pages, [row for row in rows if row["answerable"] and row["gold_ids"]]


def handbooks(every: int) -> tuple[list[Page], list[dict]]:
    """The headings that ask are blanked, or the questions themselves would be found."""
    folder = SHARED / "handbooks"
    rows = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    asking: dict[str, list[int]] = {}
    for row in rows:
        asking.setdefault(row["gold_ids"][0], []).append(row["gold_line"])
    pages: list[Page] = []
    with tempfile.TemporaryDirectory() as scratch:
        for path in sorted(folder.rglob("*.md"))[::every]:
            id_ = path.relative_to(folder).as_posix()
            lines = path.read_text(encoding="utf-8").split("\n")
            for number in asking.get(id_, []):
                lines[number - 1] = ""
            copy = Path(scratch) / path.name
            copy.write_text("\n".join(lines), encoding="utf-8")
            pages += read(copy, id_)
    known = {page.id for page in pages}
    return pages, [row for row in rows if row["gold_ids"][0] in known]


class Search:
    """As the retriever does it: cosine and BM25, fused."""

    def __init__(self, pages: Sequence[Page], splitter: Split, embed: Embed):
        self.pages = pages
        self.chunks = [(number, chunk) for number, page in enumerate(pages) for chunk in splitter(page)]
        texts = [
            embedded_text(pages[n].title, chunk.section, pages[n].text[chunk.start : chunk.end], chunk.table_header)
            for n, chunk in self.chunks
        ]
        self._embed = embed
        self._vectors_nd = embed(texts)
        self._lexical = LexicalIndex.build(texts)
        self._characters_n = np.array([chunk.end - chunk.start for _, chunk in self.chunks])
        self._document_n = np.array([len(pages[number].text) for number, _ in self.chunks])

    def best(self, query: str, weight: float, discount: tuple[float, int] | None, k: int = 50) -> list[int]:
        cosine_n = self._vectors_nd @ self._embed([query])[0]
        bm25_n = self._lexical.scores(query).astype(np.float32)
        dense_c, lexical_c = np.argsort(-cosine_n)[:100], np.argsort(-bm25_n)[:100]
        rows_c = np.union1d(dense_c, lexical_c[bm25_n[lexical_c] > 0])
        scores_c = fuse(cosine_n[rows_c], bm25_n[rows_c], weight)
        if discount:
            share, characters = discount
            whole_c = np.minimum(self._document_n[rows_c], characters)  # a short document is not a short section
            scores_c = scores_c * (1 - share * np.clip(1 - self._characters_n[rows_c] / whole_c, 0, 1))
        return [int(row) for row in rows_c[np.argsort(-scores_c, kind="stable")][:k]]


class Embed:
    """Equal texts are embedded once in a run."""

    def __init__(self, embeddings: Embeddings):
        self._embeddings = embeddings
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        fresh = sorted({text for text in texts if text not in self._known}, key=len)
        for start in range(0, len(fresh), 256):
            batch = fresh[start : start + 256]
            vectors = np.asarray(self._embeddings.embed_documents(batch), dtype=np.float32)
            self._known.update(zip(batch, vectors, strict=True))
        return np.stack([self._known[text] for text in texts])


def holds_string(page: Page, chunk: Chunk, row: dict) -> bool:
    if page.id not in row["gold_ids"]:
        return False
    words = " ".join(page.text[chunk.start : chunk.end].lower().split())
    answers = (" ".join(answer.lower().split()) for answer in row["answers"])
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", words) for answer in answers)


def holds_half(page: Page, chunk: Chunk, row: dict) -> bool:
    if page.id != row["gold_ids"][0]:
        return False
    found = re.search(r"\s+".join(map(re.escape, row["answers"][0].split())), page.text)
    if found is None:
        return False
    shared = min(chunk.end, found.end()) - max(chunk.start, found.start())
    return shared >= min(found.end() - found.start(), LONGEST_ANSWER) / 2


def score(
    search: Search, rows: Sequence[dict], holds: Holds, weight: float, discount: tuple[float, int] | None = None
) -> Row:
    """Means over the questions; a document counts once, as in `ragvoice evaluate`."""
    sums: Row = dict.fromkeys(("document@1", "document@5", "answer@1", "answer@5"), 0.0)
    for row in rows:
        history = tuple(Message(line["speaker"], line["text"]) for line in row.get("history") or ())
        best = search.best(standalone_question(row["question"], history), weight, discount)
        ids = list(dict.fromkeys(search.pages[search.chunks[i][0]].id for i in best))
        held = [holds(search.pages[search.chunks[i][0]], search.chunks[i][1], row) for i in best[:5]]
        for k in (1, 5):
            sums[f"document@{k}"] += any(id_ in row["gold_ids"] for id_ in ids[:k])
            sums[f"answer@{k}"] += any(held[:k])
    return {name: total / len(rows) for name, total in sums.items()}


def joined(page: Page, chunks: Sequence[Chunk], tokens_of: TokenOffsets) -> list[Chunk]:
    """Neighbouring short sections of one parent as one chunk under the parent's path, their headings in it."""
    headings = find_headings(page.text)
    bodies = [heading.body for heading in headings]
    found: list[Chunk] = []
    open_: tuple[str, int] | None = None
    """(parent's path, start) of the last chunk when it is short and the whole of a section."""
    for i, chunk in enumerate(chunks):
        number = bisect_right(bodies, chunk.start) - 1
        alone = number >= 0 and all(
            bisect_right(bodies, other.start) - 1 != number
            for other in (*chunks[max(i - 1, 0) : i], *chunks[i + 1 :][:1])
        )
        parent = chunk.section.rpartition(" > ")[0]
        if not alone or len(tokens_of(page.text[chunk.start : chunk.end])) > SHORT:
            found.append(chunk)
            open_ = None
        elif open_ and open_[0] == parent and len(tokens_of(page.text[open_[1] : chunk.end])) <= JOINED:
            found[-1] = replace(found[-1], start=open_[1], end=chunk.end, section=parent)
        else:
            found.append(chunk)
            open_ = (parent, min(headings[number].start, chunk.start))
    return found


def splitters(tokens_of: TokenOffsets, chunk_tokens: int) -> dict[str, Split]:
    plain = RecursiveCharacterTextSplitter(
        chunk_size=chunk_tokens,
        chunk_overlap=0,
        length_function=lambda text: len(tokens_of(text)),
        add_start_index=True,
    )

    def recursive(page: Page) -> list[Chunk]:
        return [
            Chunk(span.start + start, span.start + start + len(piece.page_content), "", None)
            for span in page.spans
            for piece in plain.create_documents([page.text[span.start : span.end]])
            for start in [piece.metadata["start_index"]]
        ]

    def ours(page: Page) -> list[Chunk]:
        return split(page.text, page.spans, tokens_of, chunk_tokens, 0, page.title)

    return {
        "recursive": recursive,
        "ours": ours,
        "short sections joined": lambda page: joined(page, ours(page), tokens_of),
    }


def speed(pages: Sequence[Page], splitter: Split, tokens_of: TokenOffsets) -> str:
    tokens = sum(len(tokens_of(page.text)) for page in pages)
    seconds = []
    for _ in range(3):
        started = time.process_time()
        for page in pages:
            splitter(page)
        seconds.append(time.process_time() - started)
    return (
        f"{tokens} tokens split in {median(seconds):.2f} s of processor time: {tokens / median(seconds):.0f} a second"
    )


def shown(name: str, chunks: int, row: Row) -> str:
    return f"| {name} | {chunks} | " + " | ".join(f"{value:.3f}" for value in row.values()) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=["data", "handbooks"], default=["data", "handbooks"])
    parser.add_argument("--every", type=int, default=3, help="take every n-th page of the handbooks")
    arguments = parser.parse_args()
    settings = read_settings()
    tokens_of = token_offsets(settings)
    embed = Embed(build_embeddings(settings))
    for name in arguments.sets:
        if name == "handbooks" and not (SHARED / name).is_dir():
            print(f"{name} is not here, left out; set RAGVOICE_EVAL_DATA.")
            continue
        pages, rows = sample_company() if name == "data" else handbooks(arguments.every)
        holds = holds_string if name == "data" else holds_half
        print(f"\n{name}: {len(pages)} documents, {len(rows)} questions\n")
        print("| chunks | number | document@1 | document@5 | answer@1 | answer@5 |\n| --- |" + " ---: |" * 5)
        kinds = splitters(tokens_of, settings.chunk_tokens)
        for kind, splitter in kinds.items():
            search = Search(pages, splitter, embed)
            print(shown(kind, len(search.chunks), score(search, rows, holds, settings.dense_weight)), flush=True)
        search = Search(pages, kinds["ours"], embed)
        for discount in DISCOUNTS:
            row = score(search, rows, holds, settings.dense_weight, discount)
            print(shown(f"ours, {discount[0]} off below {discount[1]} characters", len(search.chunks), row), flush=True)
        for kind in ("recursive", "ours"):
            print(f"\n{kind}: {speed(pages, kinds[kind], tokens_of)}")


if __name__ == "__main__":
    main()
