"""Records that outlive a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.errors import UsageError
from ragvoice.evaluation.journal import Journal


def test_records_are_there_again_and_the_newest_counts(tmp_path: Path) -> None:
    file = tmp_path / "a" / "journal.jsonl"
    journal = Journal(file)
    journal.put("x", {"n": 1})
    journal.put("y", {"text": "One\u2028two\nthree"})
    journal.put("x", {"n": 2})
    again = Journal(file)
    assert again.get("x") == journal.get("x") == {"n": 2}
    assert again.get("y") == {"text": "One\u2028two\nthree"}
    assert again.get("z") is None


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    Journal(file).put("x", {"n": 1})
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"key": "y", "n\xc3')
    journal = Journal(file)
    assert file.read_bytes() == whole
    journal.put("z", {"n": 3})
    assert Journal(file).get("z") == {"n": 3}


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"n": 1}'])
def test_another_file_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "journal.jsonl"
    file.write_text(f'{{"key": "x"}}\n{line}\n')
    with pytest.raises(UsageError, match=r"journal\.jsonl, line 2 .*--fresh"):
        Journal(file)


def test_without_a_file_nothing_is_kept() -> None:
    journal = Journal(None)
    journal.put("x", {"n": 1})
    assert journal.get("x") == {"n": 1}
