"""Build the office files of the sample company from the texts in data/sources.

Run it from the top of the repository:

    python data/build_documents.py

It writes the PDF, DOCX, PPTX and XLSX files below data/documents. The text formats there
(Markdown, HTML, e-mail, CSV, plain text) are kept by hand and are not touched. All dates
inside the files are fixed, so a second run changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from builders.office import build_docx, build_pptx, build_xlsx
from builders.pdf import build_pdf
from builders.scan import build_scan
from builders.source import Source, read_source

DATA = Path(__file__).resolve().parent
SOURCES = DATA / "sources"
DOCUMENTS = DATA / "documents"

SINGLE: dict[str, Callable[[Source, Path], None]] = {
    "pdf/*.md": build_pdf,
    "docx/*.md": build_docx,
    "pptx/*.md": build_pptx,
    "scan/*.txt": build_scan,
}


def target_path(source: Source) -> Path:
    """The file to write; its folder is made if it does not exist."""
    path = DOCUMENTS / source.target
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def main() -> None:
    """Build everything and print one line for each file."""
    written: list[Path] = []
    for pattern, build in SINGLE.items():
        for file in sorted(SOURCES.glob(pattern)):
            source = read_source(file)
            build(source, target_path(source))
            written.append(target_path(source))
    for folder in sorted(path for path in (SOURCES / "xlsx").iterdir() if path.is_dir()):
        source = read_source(folder / "_meta.txt")
        build_xlsx(source, sorted(folder.glob("*.csv")), target_path(source))
        written.append(target_path(source))
    for path in written:
        print(f"{path.stat().st_size:>8} {path.relative_to(DATA)}")


if __name__ == "__main__":
    main()
