"""The ingestion that a person would write in an afternoon: read, split, embed, FAISS; LangChain with its defaults.

    python benchmarks/plain_ingest.py FOLDER ANSWER.json [--chunks CHUNKS.jsonl] [--questions QUESTIONS.json]

Started by `ingestion.py` in a process of its own. With `--chunks` ({"source", "text"} a line) it embeds these instead
of splitting by itself. The answer file appears when the index is built; a second one, `ANSWER.json.found`, when the
questions are asked: for each the sources of its nearest chunks, best first.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import faiss
import numpy as np
from langchain_core.documents import Document
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from ragvoice.build import build_store

NEAREST = 5


def documents(folder: Path) -> list[Document]:
    files = sorted(folder.rglob("*.md"))
    return [
        Document(file.read_text(encoding="utf-8"), metadata={"source": file.relative_to(folder).as_posix()})
        for file in files
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--chunks", type=Path)
    parser.add_argument("--questions", type=Path)
    arguments = parser.parse_args()

    loaded = documents(arguments.folder)
    if arguments.chunks:
        lines = arguments.chunks.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        chunks = [Document(row["text"], metadata={"source": row["source"]}) for row in rows]
    else:
        chunks = RecursiveCharacterTextSplitter().split_documents(loaded)
    embeddings = HuggingFaceEmbeddings(model_name=str(build_store().path("all-minilm-l6-v2")))
    vectors = np.array(embeddings.embed_documents([chunk.page_content for chunk in chunks]), dtype=np.float32)
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(vectors)
    faiss.write_index(index, str(arguments.answer.with_suffix(".faiss")))
    arguments.answer.write_text(json.dumps({"chunks": len(chunks)}))

    if arguments.questions:
        asked = json.loads(arguments.questions.read_text(encoding="utf-8"))
        queries = np.array([embeddings.embed_query(question) for question in asked], dtype=np.float32)
        _, nearest = index.search(queries, NEAREST)
        found = [[chunks[i].metadata["source"] for i in row] for row in nearest]
        arguments.answer.with_suffix(".json.found").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
