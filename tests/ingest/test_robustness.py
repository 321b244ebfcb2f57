"""Hostile and broken files through the real loaders: each ends as text or as one line of reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile_files import SECRET, hostile_files, mutated, pdf

from ingest.loaders import LoadOptions
from ingest.sandbox import ParsedFile, ParseLimits, ParserPool

DOCUMENTS = Path(__file__).resolve().parents[2] / "data" / "documents"
SUFFIXES = (".docx", ".xlsx", ".pdf", ".html", ".eml", ".csv", ".md", ".pptx")
LIMITS = ParseLimits(unit_timeout_s=60, file_timeout_s=120, memory_bytes=2 * 2**30)
OPTIONS = LoadOptions(ocr=False, max_file_bytes=64 * 2**20, max_unpacked_bytes=128 * 2**20)
NAMES = sorted(hostile_files(Path("secret.txt")))


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(OPTIONS, LIMITS) as parsers:
        yield parsers


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.md"
    path.write_text("# Garden\n\nNineteen tulips were planted.")
    return path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text(SECRET)
    return path


def parse(pool: ParserPool, name: str, data: bytes, good: Path) -> ParsedFile:
    """Checks what holds for every hostile file; the good one after it is read."""
    path = good.parent / name
    path.write_bytes(data)
    parsed, after = pool.parse([path, good])
    assert [document.page_content for document in after.documents] == ["# Garden\n\nNineteen tulips were planted."]
    if parsed.error is None:
        assert parsed.documents
    else:
        assert parsed.documents == ()
    for reason in reasons(parsed):
        assert 0 < len(reason) <= 300
        assert reason.isprintable()
        assert "Traceback" not in reason
        assert str(good.parent) not in reason
    assert all(reason not in " ".join(reasons(parsed)) for reason in ("took longer", "crashed", "cannot be read:"))
    return parsed


def reasons(file: ParsedFile) -> list[str]:
    """Why the file, or a part of it, was not read."""
    parts = [str(document.metadata["skipped"]) for document in file.documents if "skipped" in document.metadata]
    return [file.error, *parts] if file.error else parts


def text(file: ParsedFile) -> str:
    return "\n".join(document.page_content for document in file.documents)


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_file_costs_itself_at_most(pool: ParserPool, good: Path, secret: Path, name: str) -> None:
    parsed = parse(pool, name, hostile_files(secret)[name](), good)

    assert SECRET not in text(parsed)
    assert sorted(path.name for path in good.parent.iterdir()) == sorted({"good.md", "secret.txt", name})
    assert not Path("/tmp/escaped.txt").exists()
    for document in parsed.documents:
        if "skipped" in document.metadata:
            continue
        assert ".." not in Path(document.metadata.get("part", "")).parts
        assert not document.metadata.get("part", "").startswith("/")


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("encrypted.zip", "encrypted|password"),
        ("bomb-false-sizes.zip", "limit|damaged|more than"),
        ("bomb.zip", "limit|more than"),
        ("bomb.gz", "limit|more than"),
        ("wide-nested.zip", "limit|more|nested"),
        ("nested.zip", "nested|inside one another"),
        ("many-members.zip", "limit|more"),
        ("empty.txt", "empty"),
        ("blank.txt", "no text"),
        ("noise.docx", "unsupported|damaged"),
    ],
)
def test_the_reason_says_what_is_wrong(pool: ParserPool, good: Path, secret: Path, name: str, word: str) -> None:
    said = " ".join(reasons(parse(pool, name, hostile_files(secret)[name](), good)))

    assert any(one in said for one in word.split("|")), said


def test_a_text_with_the_name_of_a_pdf_is_read_as_what_it_is(pool: ParserPool, good: Path) -> None:
    assert "Nineteen tulips" in text(parse(pool, "text.pdf", b"Nineteen tulips were planted. No PDF.", good))


def test_a_good_line_after_a_hostile_one_is_kept(pool: ParserPool, good: Path, secret: Path) -> None:
    assert "tulips" in text(parse(pool, "deep.jsonl", hostile_files(secret)["deep.jsonl"](), good))


def test_a_page_of_a_hundred_kilometres_is_not_drawn_at_full_size(good: Path) -> None:
    """With OCR, which draws pages without text."""
    with ParserPool(LoadOptions(), LIMITS) as parsers:
        parse(parsers, "huge.pdf", pdf(side=1e7), good)
        parse(parsers, "huge-and-empty.pdf", pdf(side=1e7, text=""), good)


def test_real_files_with_random_damage_end_as_text_or_reason(pool: ParserPool, good: Path) -> None:
    for suffix in SUFFIXES:
        originals = sorted(DOCUMENTS.rglob(f"*{suffix}"), key=lambda path: path.stat().st_size)[:1]
        for original in originals:
            for seed in range(6):
                parse(pool, f"{seed}{suffix}", mutated(original.read_bytes(), seed), good)
