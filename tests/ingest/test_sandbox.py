from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from ingest.sandbox import ParsedFile, ParseLimits, ParserPool
from ragvoice.datatypes import Place
from ragvoice.errors import RagVoiceError

LIMITS = ParseLimits(
    unit_timeout_s=20, file_timeout_s=40, memory_bytes=512 * 2**20, text_bytes=2**26, temporary_bytes=4 * 2**20
)
NAMESPACES = subprocess.run(["unshare", "-Urnpf", "true"], capture_output=True).returncode == 0
BRIEF = replace(LIMITS, unit_timeout_s=1)
Parse = Callable[..., list[ParsedFile]]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Path]]:
    def write(*contents: str) -> list[Path]:
        paths = [tmp_path / f"{number}.txt" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_text(content)
        return paths

    return write


@pytest.fixture
def parse(write: Callable[..., list[Path]]) -> Parse:
    """What the stand-in loader makes of files with these contents, one after another in one worker."""

    def parse(*contents: str, limits: ParseLimits = LIMITS) -> list[ParsedFile]:
        with pool(limits) as parsers:
            return list(parsers.parse(write(*contents)))

    return parse


def pool(limits: ParseLimits = LIMITS, workers: int = 1, load: str = "load", options: object = None) -> ParserPool:
    return ParserPool(options, limits, workers, f"sandbox_loads:{load}")  # type: ignore[arg-type]


def texts(file: ParsedFile) -> list[str]:
    assert file.error is None
    return [document.page_content for document in file.documents]


def fails(parse: Parse, content: str, limits: ParseLimits = LIMITS) -> str:
    """The reason; proves that a good file before it and one after it are read and that no page of it is kept."""
    before, bad, after = parse("say before", content, "say after", limits=limits)
    assert (texts(before), texts(after)) == (["before"], ["after"])
    assert bad.documents == ()
    assert bad.error
    return bad.error


def gone(process_id: int, within_s: float = 10) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if not psutil.pid_exists(process_id) or psutil.Process(process_id).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def noted(notes: Path, within_s: float = 30) -> list[str]:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if notes.is_file() and notes.read_text().count(" ") == 2:
            return notes.read_text().split()
        time.sleep(0.05)
    raise AssertionError("the worker has not begun")


def test_pages_arrive_in_order_with_their_metadata(parse: Parse) -> None:
    (file,) = parse("places")

    assert texts(file) == ["one", "two"]
    assert file.documents[0].metadata == {"title": "A", "place": Place("page", 1), "part": "inner/ä.txt"}
    assert file.documents[1].metadata["place"] == Place("sheet", "Q3")
    assert file.peak_bytes > 10 * 2**20


def test_files_come_back_in_the_order_given_from_several_workers(write: Callable[..., list[Path]]) -> None:
    paths = write("slowly 2 0.3", *(f"say {number}" for number in range(20)))
    with pool(workers=2) as parsers:
        files = list(parsers.parse(paths))

    assert [file.path for file in files] == paths
    assert [texts(file) for file in files[1:]] == [[str(number)] for number in range(20)]


def test_only_a_few_files_are_taken_ahead_and_parsed_while_the_caller_is_busy(
    write: Callable[..., list[Path]], tmp_path: Path
) -> None:
    taken = []

    def paths() -> Iterator[Path]:
        for path in write(*(f"say {number}" for number in range(100))):
            taken.append(path)
            yield path

    with pool() as parsers:
        files = parsers.parse(paths())
        next(files)
        assert len(taken) < 10
        parsed_meanwhile = taken[2]
        time.sleep(0.5)
        parsed_meanwhile.write_text("say too late")
        next(files)
        assert texts(next(files)) == ["2"]


def test_an_abandoned_list_of_files_does_not_stop_the_next_one(write: Callable[..., list[Path]]) -> None:
    paths = write(*(f"say {number}" for number in range(9)))
    with pool() as parsers:
        next(parsers.parse(paths))
        assert len(list(parsers.parse(paths))) == 9


def test_options_reach_the_loader(write: Callable[..., list[Path]]) -> None:
    with pool(load="echo", options=Place("page", 3)) as parsers:
        (file,) = parsers.parse(write("x"))

    assert texts(file) == ["x Place(kind='page', value=3)"]


def test_a_name_that_is_no_utf8_and_a_relative_path_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    odd = Path(os.fsdecode(b"a\xff\n b.txt"))
    odd.write_text("say found")
    with pool() as parsers:
        (file,) = parsers.parse([odd])

    assert file.path == odd
    assert texts(file) == ["found"]


def test_a_result_far_larger_than_a_pipe_arrives_whole(parse: Parse) -> None:
    (file,) = parse("much 25000000")

    assert len(file.documents[0].page_content) == 25_000_000


def test_a_file_that_hangs_is_ended(parse: Parse) -> None:
    assert fails(parse, "hang", BRIEF) == (
        "took longer than 1 s without finishing a page; split it or raise RAGVOICE_PARSE_TIMEOUT_S"
    )


def test_native_code_that_holds_the_interpreter_is_ended(parse: Parse) -> None:
    assert "took longer than 1 s" in fails(parse, "hang_natively", BRIEF)


def test_slow_pages_are_waited_for_but_not_for_ever(parse: Parse) -> None:
    slow, endless = parse("slowly 6 0.3", "slowly 100 0.3", limits=replace(BRIEF, file_timeout_s=4))

    assert len(texts(slow)) == 6
    assert endless.error == "was not finished after 4 s; split it"
    assert endless.documents == ()


@pytest.mark.parametrize("content", ["eat", "eat_natively"])
def test_memory_is_limited(parse: Parse, content: str) -> None:
    assert fails(parse, content) == "needs more than 512 MiB of memory to be read"


def test_endless_text_is_stopped(parse: Parse) -> None:
    assert fails(parse, "endless") == "holds more than 64 MiB of text; split it"


def test_a_large_temporary_file_is_refused(parse: Parse) -> None:
    small, large = parse("write 2", "write 8")

    assert texts(small) == ["written"]
    assert "too large" in (large.error or "")


@pytest.mark.parametrize("content", ["crash", "abort", "leave 0", "leave 3"])
def test_a_crash_costs_one_file(parse: Parse, content: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert "crashed" in fails(parse, content)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", ["exit 0", "fail key", "break_protocol hello", 'break_protocol {"text": 1}'])
def test_any_other_end_costs_one_file(parse: Parse, content: str) -> None:
    assert fails(parse, content)


def test_a_place_that_is_none_is_refused(parse: Parse) -> None:
    fails(parse, 'break_protocol {"text": "x", "metadata": {"place": {"kind": "page", "value": []}}}')


def test_an_answer_is_never_unpickled(parse: Parse, tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
            return Path(tmp_path / "touched").touch, ()  # type: ignore[return-value]

    fails(parse, "break_protocol " + pickle.dumps(Touch(), protocol=0).decode().replace("\n", " "))

    assert not (tmp_path / "touched").exists()


def test_the_reason_of_a_loader_is_passed_on_as_one_printable_line(parse: Parse) -> None:
    assert fails(parse, "refuse an odd\n\x1b[31m name " + "x" * 500).startswith("an odd [31m name xxx")
    assert len(fails(parse, "refuse " + "x" * 5000)) <= 300


def test_a_crash_after_good_files_is_tried_again_in_a_new_process(
    write: Callable[..., list[Path]], tmp_path: Path
) -> None:
    """What an earlier file left behind in the process may have caused it."""
    with pool() as parsers:
        results = parsers.parse(write("process", "crash", "process"))
        first, crashed, last = (file for file in results)

    assert crashed.error
    assert first.documents[0].metadata["worker"] != last.documents[0].metadata["worker"]


def test_workers_are_reused_and_replaced_after_a_while(parse: Parse) -> None:
    files = parse(*["process"] * 5, limits=replace(LIMITS, files_per_worker=2))
    workers = [file.documents[0].metadata["worker"] for file in files]

    assert workers[0] == workers[1] != workers[2] == workers[3] != workers[4]


def test_a_worker_has_a_clean_folder_of_its_own_that_is_removed(parse: Parse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_TEST_API_KEY", "secret")
    files = parse("process", "process", "crash", "process")
    facts = [file.documents[0].metadata for file in files if file.documents]

    assert [fact["left_over"] for fact in facts] == ["False"] * 3
    assert {fact["stdin"] for fact in facts} == {"''"}
    assert {fact["offline"] for fact in facts} == {"1"}
    assert {fact["secret"] for fact in facts} == {""}
    assert len({fact["temporary"] for fact in facts}) == 2
    assert not any(Path(fact["temporary"]).exists() for fact in facts)


def test_noise_of_native_libraries_neither_blocks_nor_shows(parse: Parse, capfd: pytest.CaptureFixture[str]) -> None:
    (file,) = parse("print 300")

    assert texts(file) == ["printed"]
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def test_python_code_reaches_no_network(parse: Parse, listener: socket.socket) -> None:
    assert "network" in fails(parse, f"connect 127.0.0.1 {listener.getsockname()[1]}")
    assert "network" in fails(parse, "look_up localhost")
    with pytest.raises(TimeoutError):
        listener.accept()


@pytest.mark.skipif(not NAMESPACES, reason="this system does not allow namespaces")
def test_child_processes_reach_no_network(parse: Parse, listener: socket.socket) -> None:
    (file,) = parse(f"connect_below 127.0.0.1 {listener.getsockname()[1]}")

    assert texts(file) == ["status 1"]
    with pytest.raises(TimeoutError):
        listener.accept()


def test_a_child_process_ends_with_a_file_that_hangs(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_TEST_NOTES", str(tmp_path / "notes"))
    before = set(psutil.pids())
    fails(parse, "child", BRIEF)

    assert all(gone(process_id) for process_id in _sleepers() - before)


def _sleepers() -> set[int]:
    return {process.pid for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == ["sleep", "600"]}


JOB = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell has started in the background
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from ingest.sandbox import ParseLimits, ParserPool
with ParserPool(None, ParseLimits(), 1, "sandbox_loads:load") as pool:
    print([file.error for file in pool.parse(map(Path, sys.argv[2:]))])
"""


def start_job(paths: list[Path], notes: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(Path(__file__).parent), *map(str, paths)],
        env={**os.environ, "SANDBOX_TEST_NOTES": str(notes)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("content", ["child attached", "child detached"])
def test_nothing_is_left_of_a_job_that_was_killed(
    write: Callable[..., list[Path]], tmp_path: Path, content: str
) -> None:
    before = _sleepers()
    job = start_job(write(content), tmp_path / "notes")
    folder = Path(noted(tmp_path / "notes")[2])
    below = psutil.Process(job.pid).children(recursive=True)
    job.kill()
    job.communicate()

    assert len(below) >= 2
    assert all(gone(process.pid) for process in below)
    if content == "child attached" or NAMESPACES:
        assert all(gone(process_id) for process_id in _sleepers() - before)
    assert not folder.exists()


def test_an_interrupted_job_ends_at_once_without_a_word_of_its_workers(
    write: Callable[..., list[Path]], tmp_path: Path
) -> None:
    job = start_job(write("child attached"), tmp_path / "notes")
    folder = Path(noted(tmp_path / "notes")[2])
    below = psutil.Process(job.pid).children(recursive=True)
    job.send_signal(signal.SIGINT)
    _, printed = job.communicate(timeout=20)

    assert printed.count("Traceback") == 1
    assert printed.rstrip().endswith("KeyboardInterrupt")
    assert all(gone(process.pid) for process in below)
    assert not folder.exists()


def test_leaving_the_pool_ends_what_is_still_being_parsed(write: Callable[..., list[Path]]) -> None:
    others = psutil.Process().children(recursive=True)  # a library of another test may have one for good
    with pool() as parsers:
        files = parsers.parse(write("say now", "hang", "hang"))
        assert texts(next(files)) == ["now"]
        below = [process for process in psutil.Process().children(recursive=True) if process not in others]
        assert below
        started = time.monotonic()

    assert time.monotonic() - started < LIMITS.unit_timeout_s / 2
    assert all(gone(process.pid) for process in below)


def test_a_loader_that_cannot_be_imported_stops_the_job_and_says_so(write: Callable[..., list[Path]]) -> None:
    with pool(load="missing") as parsers, pytest.raises(RagVoiceError, match=r"does not start: .*missing"):
        list(parsers.parse(write("say x")))
