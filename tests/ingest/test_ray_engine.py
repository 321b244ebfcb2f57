"""Embedding on Ray gives the index that embedding in this process gives; what goes wrong there is one sentence here."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import pytest
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from ingest import ray_engine as ray_engine_module
from ingest.catalogue import NewChunk
from ingest.documents import Chunking
from ingest.embedding import Embedded, Engine, Window, local
from ingest.job import ingest
from ingest.journal import unfinished
from ingest.ray_engine import Actors, ray_engine
from ingest.ray_session import ray_session
from ingest.summary import IngestSummary
from ragvoice.build import build_embeddings
from ragvoice.cli import main
from ragvoice.errors import ModelError, RagVoiceError, UsageError
from ragvoice.retrieval.generations import EmbedderIdentity
from ragvoice.retrieval.index import DocumentIndex
from ragvoice.retrieval.retriever import HybridRetriever
from ragvoice.settings import Settings

DATA = Path(__file__).resolve().parents[2] / "data"
QUESTIONS = [json.loads(line)["question"] for line in (DATA / "questions.jsonl").read_text().splitlines()[:10]]
IN_ONE_CALL = 256
"""Chunks that an actor is given at a time."""
ENDS_S = 120.0
"""Two agents of a Ray whose job was killed look for their parent for a minute before they end."""

Ingest = Callable[[Path, Path, Engine], IngestSummary]


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    """One for all tests of this module: a job that finds a Ray connected uses it."""
    with ray_session("local"):
        yield


@pytest.fixture
def on_ray(local_ray: None, settings: Settings) -> Engine:
    return ray_engine(partial(build_embeddings, settings.model_copy(update={"threads": 1})))


@pytest.fixture
def ingested(
    embeddings: Embeddings,
    embedder: EmbedderIdentity,
    tokens_of: Callable[[str], Sequence[tuple[int, int]]],
    settings: Settings,
) -> Ingest:
    """(documents, index, engine) -> what was done."""
    chunking = Chunking(tokens_of, settings.chunk_tokens, settings.overlap_tokens)
    return lambda documents, index, engine: ingest(
        [documents], index, lambda: embeddings, embedder, chunking, engine=engine
    )


def sections(folder: Path, count: int) -> Path:
    """A folder with one document of so many chunks."""
    folder.mkdir()
    text = "".join(f"# Locker {number}\n\nLocker {number} belongs to room {number * 7}.\n\n" for number in range(count))
    (folder / "lockers.md").write_text(text)
    return folder


def everything(index: DocumentIndex) -> list[tuple[str, str]]:
    rows = range(index.manifest.chunks)
    passages = index.passages(rows, np.ones(len(rows)), np.ones(len(rows)))
    return [(passage.doc_id, passage.text) for passage in passages]


def vectors_of(embedded: Iterable[Embedded]) -> dict[bytes, NDArray[np.float32]]:
    return {
        digest: vector_d for hashes, vectors_nd in embedded for digest, vector_d in zip(hashes, vectors_nd, strict=True)
    }


def test_the_vectors_are_those_that_this_process_makes(
    on_ray: Engine, sample: DocumentIndex, embeddings: Embeddings
) -> None:
    texts = list(dict.fromkeys(text for _, text in everything(sample)))[: IN_ONE_CALL + 32]
    chunks = [NewChunk(id_, text, sha256(text.encode()).digest()) for id_, text in enumerate(texts)]
    windows = [chunks[:IN_ONE_CALL], chunks[IN_ONE_CALL:]]
    made, expected = (vectors_of(engine(iter(windows))) for engine in (on_ray, local(lambda: embeddings)))

    assert len(chunks) > IN_ONE_CALL
    assert made.keys() == expected.keys() == {chunk.embedded_hash for chunk in chunks}
    assert all(made[digest].dtype == np.float32 for digest in made)
    assert min(float(made[digest] @ expected[digest]) for digest in made) > 1 - 1e-3


@pytest.mark.slow
def test_the_index_is_the_one_that_this_process_makes(
    ingested: Ingest, on_ray: Engine, sample: DocumentIndex, embeddings: Embeddings, tmp_path: Path
) -> None:
    summary = ingested(DATA / "documents", tmp_path / "index", on_ray)
    made = DocumentIndex.open(tmp_path / "index")

    assert summary.embedded == sample.manifest.chunks
    assert everything(made) == everything(sample)
    rows_n = np.arange(summary.chunks)
    cosine_n = np.einsum("nd,nd->n", made.vectors.vectors(rows_n), sample.vectors.vectors(rows_n))
    assert cosine_n.min() > 1 - 1e-3
    for question in QUESTIONS:
        found, expected = (
            HybridRetriever(index=index, embeddings=embeddings).search(question, 5) for index in (made, sample)
        )
        assert [hit.text for hit in found] == [hit.text for hit in expected]
        assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], abs=1e-3)


def test_a_model_that_the_actors_do_not_find_is_one_sentence(
    ingested: Ingest, local_ray: None, settings: Settings, tmp_path: Path
) -> None:
    engine = ray_engine(partial(build_embeddings, settings.model_copy(update={"embedder": str(tmp_path)})))
    with pytest.raises(ModelError) as raised:
        ingested(sections(tmp_path / "documents", 1), tmp_path / "index", engine)
    with pytest.raises(ModelError) as here:
        build_embeddings(settings.model_copy(update={"embedder": str(tmp_path)}))
    assert str(raised.value) == str(here.value)


def test_without_ray_the_command_says_what_to_install(
    model_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else find(name))
    documents = sections(tmp_path / "documents", 1)
    assert main(["ingest", str(documents), "--index", str(tmp_path / "index"), "--engine", "ray"]) == 2
    assert "pip install 'ragvoice[ray]'" in capsys.readouterr().err
    assert not (tmp_path / "index").exists()


def test_an_actor_bigger_than_the_cluster_is_one_sentence(
    ingested: Ingest, local_ray: None, settings: Settings, tmp_path: Path
) -> None:
    documents = sections(tmp_path / "documents", 1)
    for actors in (Actors(cpus=1000), Actors(gpus=1000)):
        engine = ray_engine(partial(build_embeddings, settings), actors)
        with pytest.raises(UsageError, match=r"an actor asks for .*ray_actor_cpus or ray_actor_gpus"):
            ingested(documents, tmp_path / "index", engine)


def test_a_cluster_that_does_not_answer_is_one_sentence_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    code = """
import sys
from ingest.ray_session import ray_session
from ragvoice.errors import RagVoiceError
try:
    with ray_session(sys.argv[1]):
        pass
except RagVoiceError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, address], capture_output=True, text=True, timeout=60)
    [said] = done.stdout.splitlines()
    assert said.startswith(f"There is no Ray at {address} (RAY_ADDRESS): ")
    assert done.stderr == ""


@pytest.mark.slow
def test_an_actor_loads_the_model_once(local_ray: None, settings: Settings, tmp_path: Path) -> None:
    def load() -> Embeddings:
        (tmp_path / str(time.monotonic_ns())).touch()
        return build_embeddings(settings)

    chunks = [NewChunk(number, f"Locker {number}", number.to_bytes(32)) for number in range(5 * IN_ONE_CALL)]
    assert len(vectors_of(ray_engine(load, Actors(most=1))(iter([chunks])))) == len(chunks)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.slow
def test_any_other_error_of_an_actor_is_one_sentence(ingested: Ingest, local_ray: None, tmp_path: Path) -> None:
    engine = ray_engine(partial(int, "forty"))  # type: ignore[arg-type]
    with pytest.raises(RagVoiceError, match=r"^The embedding on Ray failed \(ValueError: .*forty.*\)\. What came back"):
        ingested(sections(tmp_path / "documents", 1), tmp_path / "index", engine)


@pytest.mark.slow
def test_a_job_that_failed_embeds_only_what_had_not_come_back(ingested: Ingest, on_ray: Engine, tmp_path: Path) -> None:
    def breaking(windows: Iterator[Window]) -> Iterator[Embedded]:
        for embedded in on_ray(windows):
            yield embedded
            raise OSError(5, "Input/output error")

    documents, index = sections(tmp_path / "documents", 3 * IN_ONE_CALL), tmp_path / "index"
    with pytest.raises(RagVoiceError, match="Input/output error"):
        ingested(documents, index, breaking)
    summary = ingested(documents, index, on_ray)
    assert summary.chunks == 3 * IN_ONE_CALL
    assert summary.embedded == 2 * IN_ONE_CALL


@pytest.mark.slow
def test_chunks_that_ray_lost_are_told_and_embedded_by_the_next_run(
    ingested: Ingest, local_ray: None, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_ray = ray_engine(partial(build_embeddings, settings), Actors(most=1))
    source = ray_engine_module._source

    def forgetful(first: object, queue: object) -> Iterator[object]:
        rows = source(first, queue)  # type: ignore[arg-type]
        next(rows)
        yield from rows

    documents, index = sections(tmp_path / "documents", 2 * IN_ONE_CALL), tmp_path / "index"
    with monkeypatch.context() as patched:
        patched.setattr(ray_engine_module, "_source", forgetful)
        with pytest.raises(RagVoiceError, match=f"lost {IN_ONE_CALL} chunks"):
            ingested(documents, index, on_ray)
    assert ingested(documents, index, on_ray).embedded == IN_ONE_CALL


@pytest.mark.slow
@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_job_that_is_ended_leaves_no_process_and_goes_on_where_it_was(
    model_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: signal.Signals
) -> None:
    documents, index = sections(tmp_path / "documents", 24 * IN_ONE_CALL), tmp_path / "index"
    command = ["ingest", str(documents), "--index", str(index)]
    job = subprocess.Popen(
        [sys.executable, "-m", "ragvoice", *command, "--engine", "ray"], stderr=subprocess.PIPE, text=True
    )
    while not (unfinished(index) or {}).get("chunks_embedded"):
        assert job.poll() is None
        time.sleep(0.02)
    below = psutil.Process(job.pid).children(recursive=True)
    names = [process.name() for process in below]
    job.send_signal(ending)
    _, said = job.communicate(timeout=ENDS_S)
    _, alive = psutil.wait_procs(below, timeout=ENDS_S)
    left = list(Path(tempfile.gettempdir()).glob(f"ragvoice-ray-{job.pid}-*"))

    assert "raylet" in names
    assert not alive
    if ending == signal.SIGINT:
        assert job.returncode == 130
        assert "Traceback" not in said
        assert not left
    kept = (unfinished(index) or {})["chunks_embedded"]
    assert 0 < kept < 24 * IN_ONE_CALL
    assert main([*command, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["embedded"], summary["chunks"]) == (24 * IN_ONE_CALL - kept, 24 * IN_ONE_CALL)


@pytest.mark.slow
def test_actors_ask_for_a_share_of_a_gpu(model_home: Path) -> None:
    """Of a GPU that Ray only counts: the model runs on the CPU."""
    script = """
import sys
from functools import partial
import numpy as np
import ray
from ingest.catalogue import NewChunk
from ingest.ray_engine import Actors, ray_engine
from ragvoice.build import build_embeddings
from ragvoice.settings import Settings

ray.init(address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False)
engine = ray_engine(partial(build_embeddings, Settings(threads=1)), Actors(gpus=0.5))
chunk = NewChunk(1, "Salaries are paid on the 26th.", b"0" * 32)
for hashes, vectors_nd in engine(iter([[chunk]])):
    print(hashes, vectors_nd.shape, ray.available_resources()["GPU"])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[-1] == "0.5", done.stderr
