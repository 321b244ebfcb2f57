"""Where a wheel lies: a lookup in a Python package index (simple API, PEP 691 JSON or PEP 503 HTML)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin

import httpx

from ragvoice.errors import SourceUnreachable
from ragvoice.models import download
from ragvoice.models.sources import Wheel

DEFAULT_INDEX = "https://pypi.org/simple"
INDEX_VARIABLES = ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX")
ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"
PIP_TIMEOUT_S = 20


@dataclass(frozen=True)
class IndexFile:
    filename: str
    url: str
    sha256: str | None
    """None where the index does not tell."""


def index_url(environment: Mapping[str, str] | None = None) -> str:
    """The index that this machine's owner has chosen: a variable, pip's configuration, or PyPI."""
    environment = os.environ if environment is None else environment
    for variable in INDEX_VARIABLES:
        if environment.get(variable):
            return environment[variable].rstrip("/")
    return (_pip_setting() or DEFAULT_INDEX).rstrip("/")


def find_wheel(client: httpx.Client, index: str, wheel: Wheel) -> str:
    """Address of a wheel.

    Raises:
        SourceUnreachable: the index does not answer or does not have this version of the project.
    """
    project = re.sub(r"[-_.]+", "-", wheel.name).lower()
    page = f"{index}/{project}/"
    response = download.get(client, page, {"Accept": ACCEPT})
    try:
        files = _files(response)
    except (ValueError, KeyError, TypeError) as error:
        raise SourceUnreachable(f"{download.shown(page)} is not a package index page: {error}.") from error
    same_hash = [file for file in files if file.sha256 == wheel.sha256]
    same_name = [file for file in files if _is_wheel(file.filename, project, wheel.version)]
    if not same_hash and not same_name:
        raise SourceUnreachable(f"{download.shown(page)} has no wheel of version {wheel.version}.")
    return _with_credentials((same_hash or same_name)[0].url, index)


def _pip_setting() -> str | None:
    """`pip config get global.index-url`: a company sets its mirror there."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None  # No pip in this environment is no error: the default index remains.
    return answer.stdout.strip() or None if answer.returncode == 0 else None


def _is_wheel(filename: str, project: str, version: str) -> bool:
    parts = filename.removesuffix(".whl").split("-")
    named = re.sub(r"[-_.]+", "-", parts[0]).lower()
    return filename.endswith(".whl") and len(parts) >= 5 and named == project and parts[1] == version


def _with_credentials(url: str, index: str) -> str:
    """Use the index's user and password for a file on the same host, as pip does."""
    file, page = httpx.URL(url), httpx.URL(index)
    if page.userinfo and not file.userinfo and (file.host, file.port) == (page.host, page.port):
        return str(file.copy_with(userinfo=page.userinfo))
    return url


def _files(response: httpx.Response) -> list[IndexFile]:
    base = str(response.url)
    if "json" in response.headers.get("Content-Type", ""):
        return [
            IndexFile(file["filename"], urljoin(base, file["url"]), file.get("hashes", {}).get("sha256"))
            for file in response.json()["files"]
        ]
    page = _LinkParser()
    page.feed(response.text)
    return [_from_link(base, link) for link in page.links]


def _from_link(base: str, link: str) -> IndexFile:
    url, fragment = urldefrag(urljoin(base, link))
    algorithm, _, value = fragment.partition("=")
    return IndexFile(httpx.URL(url).path.rsplit("/", 1)[-1], url, value if algorithm == "sha256" else None)


class _LinkParser(HTMLParser):
    """Collects the targets of `<a>` elements."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.extend(value for name, value in attrs if name == "href" and value)
