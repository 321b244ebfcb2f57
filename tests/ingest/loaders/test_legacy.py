"""Office files from before 2007, with LibreOffice and without. `files/warehouse.*.gz` were saved by LibreOffice."""

from __future__ import annotations

import gzip
import shutil
import stat
from pathlib import Path

import pytest
from ole_file import ole

from ingest.loaders import LoadOptions, legacy, load
from ingest.sandbox import ParserPool
from ragvoice.datatypes import Place
from ragvoice.errors import DocumentError

FILES = Path(__file__).parent / "files"
libreoffice = pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice, which is optional, is missing")


def saved(folder: Path, suffix: str) -> Path:
    """Without a telling name: the kind is found in the content."""
    path = folder / "old"
    path.write_bytes(gzip.decompress((FILES / f"warehouse.{suffix}.gz").read_bytes()))
    return path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, the only one in which programs are looked for."""
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    return programs


@libreoffice
def test_a_document_keeps_headings_tables_and_what_it_says_about_itself(tmp_path: Path) -> None:
    [page] = load(saved(tmp_path, "doc"))
    assert page.page_content == (
        "# Warehouse rules\n\nForklifts keep to the yellow lane.\n\n## Loading docks\n\n"
        "| Dock | Opens |\n| --- | --- |\n| North | 06:30 |\n\nTrucks wait outside."
    )
    assert page.metadata == {
        "title": "Warehouse rules",
        "author": "Ada Lind",
        "created": "2026-03-02T09:00:00Z",
        "modified": "2026-03-02T09:00:00Z",
    }


@libreoffice
def test_a_workbook_has_sheets_and_a_presentation_slides(tmp_path: Path) -> None:
    stock, orders = load(saved(tmp_path, "xls"))
    assert (stock.metadata["place"], orders.metadata["place"]) == (Place("sheet", "Stock"), Place("sheet", "Orders"))
    assert "| Salt | 12 |" in stock.page_content
    assert "| A-17 | 2026-04-01 |" in orders.page_content

    first, second = load(saved(tmp_path, "ppt"))
    assert first.page_content == "# Moving day\n\n- Trucks leave at seven."
    assert second.page_content == "# Keys\n\n- Return them to the gate."
    assert (first.metadata["place"], second.metadata["place"]) == (Place("slide", 1), Place("slide", 2))


@libreoffice
def test_the_process_that_parses_may_start_libreoffice(tmp_path: Path) -> None:
    with ParserPool(LoadOptions()) as parsers:
        [parsed] = parsers.parse([saved(tmp_path, "doc")])
    assert parsed.error is None
    assert "| North | 06:30 |" in parsed.documents[0].page_content


def test_without_libreoffice_the_words_and_tables_of_cells_are_read(tmp_path: Path, bare: Path) -> None:
    [page] = load(saved(tmp_path, "doc"))
    assert page.page_content.startswith(
        "Warehouse rules\n\nForklifts keep to the yellow lane.\n\nLoading docks\n\nDock"
    )
    assert page.metadata["author"] == "Ada Lind"
    assert page.metadata["created"].startswith("2026-03-02T09:00:00")

    stock, orders = load(saved(tmp_path, "xls"))
    assert stock.page_content == "## Stock\n\n| Item | Pallets |\n| --- | --- |\n| Salt | 12 |"
    assert (stock.metadata["place"], orders.metadata["place"]) == (Place("sheet", "Stock"), Place("sheet", "Orders"))

    [slides] = load(saved(tmp_path, "ppt"))
    assert "Trucks leave at seven.\n\nKeys\n\nReturn them to the gate." in slides.page_content


def test_what_nothing_here_reads_says_what_to_install(tmp_path: Path, bare: Path) -> None:
    (tmp_path / "a.doc").write_bytes(ole({"WordDocument": bytes(4096)}))
    with pytest.raises(DocumentError, match=r"install LibreOffice \(libreoffice-writer-nogui\).*or save it as DOCX"):
        list(load(tmp_path / "a.doc"))


def program(folder: Path, script: str) -> None:
    path = folder / "soffice"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_libreoffice_is_started_again_after_it_has_set_up_its_profile(tmp_path: Path, bare: Path) -> None:
    calls = tmp_path / "calls"
    program(bare, f'echo "$@" >> {calls}; exit 81')
    [page] = load(saved(tmp_path, "doc"))
    assert "yellow lane" in page.page_content  # by the other reader
    assert len(calls.read_text().splitlines()) == 2


def test_a_program_that_hangs_is_ended_with_a_reason(
    tmp_path: Path, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare, "while :; do :; done")
    monkeypatch.setattr(legacy, "TIMEOUT_S", 0.5)
    with pytest.raises(DocumentError, match=r"did not convert it within 0\.5 s; save it as DOCX"):
        list(load(saved(tmp_path, "doc")))


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        ("MatOST", "a document of Microsoft Works; save it as DOCX"),
        ("VisioDocument", "a Visio drawing; save it as PDF"),
        ("Something", "an OLE container that is no Office file"),
    ],
)
def test_relatives_of_office_files_are_named(tmp_path: Path, stream: str, reason: str) -> None:
    (tmp_path / "a.wps").write_bytes(ole({stream: b"\1"}))
    with pytest.raises(DocumentError, match=f"unsupported kind of file .{reason}"):
        list(load(tmp_path / "a.wps"))
