"""An OpenAI-compatible server: a real one, llama.cpp's, in a process of its own on the loopback interface."""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage

from ragvoice.build import build_chat_model
from ragvoice.errors import GenerationError, ModelError, UsageError
from ragvoice.settings import Settings

QUESTION = [SystemMessage("Answer in one short sentence."), HumanMessage("What is the capital of France?")]


@dataclass(frozen=True)
class Served:
    url: str
    key: str
    process: subprocess.Popen[str]


def start(gguf: Path) -> Served:
    key = secrets.token_hex(16)
    script = Path(__file__).with_name("served_model.py")
    process = subprocess.Popen(
        [sys.executable, str(script), str(gguf), key],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:"), "the server did not start"
    return Served(f"{url}/v1", key, process)


def stop(server: Served) -> None:
    for stream in (server.process.stdin, server.process.stdout):
        if stream:
            stream.close()
    server.process.kill()
    server.process.wait()


@pytest.fixture(scope="module")
def server(small_gguf: Path) -> Iterator[Served]:
    server = start(small_gguf)
    yield server
    stop(server)


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no key and no settings from this machine's environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def served_chat(url: str) -> BaseChatModel:
    settings = Settings(llm="smollm2", llm_runtime="openai", llm_url=url, max_new_tokens=12)
    return build_chat_model(settings)


def unused_url() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


@pytest.mark.slow
def test_server_answers_with_the_key_of_the_environment(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", server.key)
    chat = served_chat(server.url)
    pieces = [chunk.text for chunk in chat.stream(QUESTION)]
    assert len([piece for piece in pieces if piece]) > 3
    assert "Paris" in "".join(pieces)
    assert chat.invoke(QUESTION).text == "".join(pieces)


@pytest.mark.slow
def test_reply_is_no_longer_than_the_setting(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", server.key)
    reply = served_chat(server.url).invoke([HumanMessage("Tell a long story of a fox.")])
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["output_tokens"] == 12


@pytest.mark.slow
@pytest.mark.parametrize("key", ["wrong", None])
def test_wrong_key_names_the_variable_and_does_not_show_the_key(
    server: Served, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    for ask in (served_chat(server.url).invoke, lambda messages: list(served_chat(server.url).stream(messages))):
        with pytest.raises(GenerationError, match="OPENAI_API_KEY") as raised:
            ask(QUESTION)
        assert "wrong" not in str(raised.value)


@pytest.mark.slow
def test_prompt_that_the_server_cannot_read_is_refused(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", server.key)
    with pytest.raises(GenerationError, match="context"):
        served_chat(server.url).invoke([HumanMessage("fox " * 3000)])


@pytest.mark.slow
def test_server_that_dies_in_the_middle_of_an_answer_is_reported(
    small_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(small_gguf)
    monkeypatch.setenv("OPENAI_API_KEY", server.key)
    pieces = served_chat(server.url).model_copy(update={"max_tokens": 800}).stream([HumanMessage("Tell a story.")])
    try:
        for _ in range(3):
            next(pieces)
    finally:
        stop(server)
    with pytest.raises(GenerationError, match=r"cannot be reached|broke off"):  # by the version of openai
        list(pieces)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_server_that_is_down_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    url = unused_url()
    with pytest.raises(GenerationError, match="cannot be reached") as raised:
        served_chat(url).invoke(QUESTION)
    assert url in str(raised.value)
    with pytest.raises(GenerationError, match="cannot be reached"):
        list(served_chat(url).stream(QUESTION))


def test_a_machine_that_is_switched_off_is_not_waited_for_as_long_as_an_answer() -> None:
    timeout = served_chat(unused_url()).root_client.timeout  # type: ignore[attr-defined]
    assert (timeout.connect, timeout.read) == (10.0, 60.0)


BEGINNING = (
    b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": '
    b'[{"index": 0, "delta": {"role": "assistant", "content": "You get"}, "finish_reason": null}]}\n\n'
)


class Page(BaseHTTPRequestHandler):
    """Answers everything with the same bytes."""

    body, kind = b"<html>Please sign in.</html>", "text/html"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class BrokenOff(Page):
    body, kind = BEGINNING + b"data: {oops\n\n", "text/event-stream"


@pytest.fixture
def answering_with() -> Iterator[Callable[[type[Page]], str]]:
    """Starts a server; gives its address."""
    servers: list[HTTPServer] = []

    def begin(handler: type[Page]) -> str:
        servers.append(HTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, kwargs={"poll_interval": 0.01}).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1"

    yield begin
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("handler", [Page, BrokenOff])
def test_what_is_no_such_server_is_told_with_its_address(
    answering_with: Callable[[type[Page]], str], handler: type[Page]
) -> None:
    url = answering_with(handler)
    with pytest.raises(GenerationError, match="OpenAI-compatible") as raised:
        list(served_chat(url).stream(QUESTION))
    assert url in str(raised.value)
    assert "llm_url" in str(raised.value)
    with pytest.raises(GenerationError, match="OpenAI-compatible"):
        served_chat(url).invoke(QUESTION)


def test_key_is_read_when_asked_and_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "first-secret")
    chat = served_chat(unused_url())
    assert "first-secret" not in repr(chat)
    monkeypatch.setenv("OPENAI_API_KEY", "second-secret")
    key = chat.openai_api_key()  # type: ignore[attr-defined]
    assert key == "second-secret"
    assert not any("key" in name for name in Settings.model_fields)


@pytest.mark.parametrize(("given", "sent"), [("", "none"), (" ", "none"), ("secret\n", "secret"), (None, "none")])
def test_an_empty_key_is_none_and_a_line_end_no_part_of_one(
    monkeypatch: pytest.MonkeyPatch, given: str | None, sent: str
) -> None:
    if given is not None:
        monkeypatch.setenv("OPENAI_API_KEY", given)
    assert served_chat(unused_url()).openai_api_key() == sent  # type: ignore[attr-defined]


def test_a_proxy_of_a_kind_that_is_not_supported_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:1")
    with pytest.raises(ModelError, match=r"http://127\.0\.0\.1:9/v1 can be made: .*proxy"):
        served_chat("http://127.0.0.1:9/v1")


def test_tokens_are_counted_without_a_tokenizer_on_the_safe_side() -> None:
    assert served_chat(unused_url()).get_num_tokens("The capital of France is Paris.") == 9


def test_runtime_without_url_is_refused() -> None:
    with pytest.raises(UsageError, match="llm_url"):
        build_chat_model(Settings(llm_runtime="openai", llm_url=None))
