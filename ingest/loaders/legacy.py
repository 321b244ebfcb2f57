"""Office files from before 2007 (DOC, XLS, PPT) and binary workbooks (XLSB).

LibreOffice turns them into the format of today, which our own loaders read. Where it is not installed, kreuzberg reads
the words: whole tables of workbooks, but neither headings nor tables of texts, and slides without their borders.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from langchain_core.documents import Document

from ingest.loaders.options import LoadOptions
from ingest.loaders.properties import kept_properties
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

_log = logging.getLogger(__name__)

TIMEOUT_S = 100.0
"""Below the time that a parser may take without finishing a page, so that the reason given is this one."""
_RESTART = 81
"""Exit code of LibreOffice when it has set up a new profile and wants to be started again."""
_SETTINGS = {
    "/org.openoffice.Office.Common/Security/Scripting": {
        "DisableMacrosExecution": "true",
        "BlockUntrustedRefererLinks": "true",
        "MacroSecurityLevel": "3",
    },
    "/org.openoffice.Office.Writer/Content/Update": {"Link": "0"},
    "/org.openoffice.Office.Calc/Content/Update": {"Link": "1"},
}
"""No macro runs, and no link of the file fetches anything: another file of this machine would become its text."""


@dataclass(frozen=True)
class _Family:
    suffix: str
    modern: str
    loader: str
    mime: str
    package: str
    """Debian's name of what LibreOffice needs for it."""


_WORD = _Family("doc", "docx", "word:load_docx", "application/msword", "libreoffice-writer-nogui")
_EXCEL = _Family("xls", "xlsx", "spreadsheets:load_xlsx", "application/vnd.ms-excel", "libreoffice-calc-nogui")
_XLSB = _Family(
    "xlsb",
    "xlsx",
    "spreadsheets:load_xlsx",
    "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "libreoffice-calc-nogui",
)
_POWERPOINT = _Family("ppt", "pptx", "slides:load_pptx", "application/vnd.ms-powerpoint", "libreoffice-impress-nogui")


def load_legacy(path: Path, options: LoadOptions) -> Iterator[Document]:
    family = _family(path)
    program = _libreoffice()
    if program is not None:
        with tempfile.TemporaryDirectory(prefix="office-", ignore_cleanup_errors=True) as folder:
            converted = _converted(program, path, family, Path(folder))
            if converted is not None:
                module, _, function = family.loader.partition(":")
                load: Callable[[Path, LoadOptions], Iterator[Document]] = getattr(
                    import_module(f"ingest.loaders.{module}"), function
                )
                for document in load(converted, options):
                    document.metadata.pop("language", None)  # LibreOffice's own, where the file states none
                    yield document
                return
    yield from _words(path, family, installed=program is not None)


def _family(path: Path) -> _Family:
    import olefile

    if not olefile.isOleFile(path):
        return _XLSB
    with olefile.OleFileIO(path) as ole:
        streams = {"/".join(parts).lower() for parts in ole.listdir()}
    if "powerpoint document" in streams:
        return _POWERPOINT
    return _WORD if "worddocument" in streams else _EXCEL


def _libreoffice() -> Path | None:
    """The program itself rather than the script that starts it: ending a script leaves the program running."""
    for name in ("soffice", "libreoffice"):
        if found := shutil.which(name):
            program = Path(found).resolve()
            direct = program.with_name("soffice.bin")
            return direct if direct.is_file() else program
    return None


def _converted(program: Path, path: Path, family: _Family, folder: Path) -> Path | None:
    """The file in the format of today; None when LibreOffice cannot read it.

    :raises DocumentError: it takes too long.
    """
    profile, source, output = folder / "profile", folder / f"file.{family.suffix}", folder / "output"
    _write_settings(profile)
    shutil.copyfile(path, source)
    command: list[str | Path] = [
        *(program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--norestore", "--nolockcheck"),
        *("--convert-to", family.modern, "--outdir", output, source),
    ]
    try:
        for _ in range(2):
            ended = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False, cwd=folder
            )
            if ended.returncode != _RESTART:
                break
    except subprocess.TimeoutExpired as error:
        raise DocumentError(
            f"LibreOffice did not convert it within {TIMEOUT_S:g} s; save it as {family.modern.upper()}"
        ) from error
    result = output / f"file.{family.modern}"
    if not result.is_file():
        _log.info("LibreOffice (%s) did not convert a file: %r", ended.returncode, ended.stderr[-500:])
        return None
    return result


def _write_settings(profile: Path) -> None:
    items = "".join(
        f'<item oor:path="{node}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value></prop></item>'
        for node, settings in _SETTINGS.items()
        for name, value in settings.items()
    )
    file = profile / "user" / "registrymodifications.xcu"
    file.parent.mkdir(parents=True)
    file.write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<oor:items xmlns:oor="http://openoffice.org/2001/registry">{items}</oor:items>\n'
    )


def _words(path: Path, family: _Family, *, installed: bool) -> Iterator[Document]:
    """What can be had without LibreOffice."""
    from kreuzberg import ExtractionConfig, extract_file_sync

    markdown = family.modern == "xlsx"  # of a text it would be one line
    config = ExtractionConfig(output_format="markdown" if markdown else "plain", use_cache=False)
    try:
        result = extract_file_sync(str(path), family.mime, config=config)
    except Exception as error:  # its own tree, and whatever damaged bytes lead to
        modern = family.modern.upper()
        way = (
            "it is damaged, or no such file" if installed else f"install LibreOffice ({family.package}) to have it read"
        )
        raise DocumentError(
            f"an Office file from before 2007 that cannot be read: {way}; or save it as {modern}"
        ) from error
    metadata = _properties(path, result.metadata)
    text = str(result.content).strip()
    if not markdown:
        yield Document("\n\n".join(filter(str.strip, text.split("\n"))), metadata=metadata)
        return
    for sheet in text.split("\n## "):
        name, _, cells = sheet.removeprefix("## ").partition("\n")
        yield Document(f"## {name}\n{cells}".rstrip(), metadata={**metadata, "place": Place("sheet", name.strip())})
        metadata = {}


def _properties(path: Path, stated: Mapping[str, Any]) -> dict[str, str]:
    """:param stated: By kreuzberg, which knows the encodings of old files but not their dates."""
    import olefile

    found = {"title": stated.get("title"), "author": ", ".join(stated.get("authors") or [])}
    if olefile.isOleFile(path):
        with olefile.OleFileIO(path) as ole:
            known = ole.get_metadata()
        for name, time in (("created", known.create_time), ("modified", known.last_saved_time)):
            found[name] = time.isoformat() if isinstance(time, datetime) else None
    return kept_properties(found)
