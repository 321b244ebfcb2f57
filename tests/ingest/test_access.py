"""Who may read what: patterns, the order of rules, and the safe mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.access import AccessRules, Ruling
from ingest.sources import Root


def groups(root: Path, relative: str) -> tuple[str, ...]:
    return AccessRules(Root(root)).of(root / relative).groups


def rules(folder: Path, *pairs: tuple[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'[[rule]]\npath = "{path}"\ngroups = {value}\n' for path, value in pairs]
    (folder / "access.toml").write_text("".join(lines))


def test_no_rule_means_everyone(tmp_path: Path) -> None:
    assert groups(tmp_path, "a.md") == ("everyone",)
    rules(tmp_path, ("hr/**", '["hr"]'))
    assert groups(tmp_path, "it/a.md") == ("everyone",)


@pytest.mark.parametrize(
    ("pattern", "file", "matches"),
    [
        ("hr/**", "hr/a/b.md", True),
        ("hr/**", "hrx/a.md", False),
        ("hr/*", "hr/a.md", True),
        ("hr/*", "hr/a/b.md", False),
        ("**/secret.md", "secret.md", True),
        ("**/secret.md", "a/b/secret.md", True),
        ("**/secret.md", "a/notsecret.md", False),
        ("a?.md", "ab.md", True),
        ("a?.md", "a/.md", False),
        ("a.md", "axmd", False),
        ("hr", "hr/deep/a.md", True),  # a folder's name covers what is in it
        ("hr/", "hr/a.md", True),
        ("/hr/a.md", "hr/a.md", True),
        ("./hr/a.md", "hr/a.md", True),
        ("hr\\\\a.md", "hr/a.md", True),
        ("new\\nline.md", "new\nline.md", True),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, file: str, matches: bool) -> None:
    rules(tmp_path, (pattern, '["g"]'))
    assert groups(tmp_path, file) == (("g",) if matches else ("everyone",))


def test_the_last_matching_rule_wins(tmp_path: Path) -> None:
    rules(tmp_path, ("hr/**", '["hr"]'), ("hr/public/**", '["everyone"]'), ("hr/public/pay.md", '["b", "a", "b"]'))
    assert groups(tmp_path, "hr/a.md") == ("hr",)
    assert groups(tmp_path, "hr/public/a.md") == ("everyone",)
    assert groups(tmp_path, "hr/public/pay.md") == ("a", "b")


def test_a_rule_with_no_groups_hides_from_everyone(tmp_path: Path) -> None:
    rules(tmp_path, ("drafts/**", "[]"))
    assert groups(tmp_path, "drafts/a.md") == ()


def test_a_subfolder_has_rules_of_its_own_that_come_later(tmp_path: Path) -> None:
    rules(tmp_path, ("hr/**", '["hr"]'))
    rules(tmp_path / "hr/pay", ("*", '["payroll"]'))
    assert groups(tmp_path, "hr/a.md") == ("hr",)
    assert groups(tmp_path, "hr/pay/a.md") == ("payroll",)


def test_a_subfolder_or_file_ingested_alone_keeps_the_rules_from_above(tmp_path: Path) -> None:
    rules(tmp_path, ("hr/restricted/**", '["hr"]'))
    file = tmp_path / "hr/restricted/pay.md"
    for root in (tmp_path / "hr", tmp_path / "hr/restricted", file):
        assert AccessRules(Root(root)).of(file).groups == ("hr",), root


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not toml [",
        b"\xff\xfe\x00",
        b'[[rules]]\npath = "a"\ngroups = ["b"]\n',
        b'[[rule]]\npath = "a"\n',
        b'[[rule]]\npath = "a"\ngroups = "hr"\n',
        b'[[rule]]\npath = "a"\ngroups = [1]\n',
        b'[[rule]]\npath = ""\ngroups = ["hr"]\n',
        b'[[rule]]\npath = "a"\ngroup = ["hr"]\n',
        b'rule = "all"\n',
    ],
)
def test_rules_that_cannot_be_understood_mean_nobody_and_are_reported(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "access.toml").write_bytes(text)
    found = AccessRules(Root(tmp_path))
    assert found.of(tmp_path / "any/file.md").groups == ()
    [(name, problem)] = found.problems()
    assert name == "access.toml"
    assert "nobody may read" in problem


def test_a_link_to_rules_that_are_not_there_means_nobody(tmp_path: Path) -> None:
    (tmp_path / "access.toml").symlink_to(tmp_path / "share/access.toml")
    found = AccessRules(Root(tmp_path))
    assert found.of(tmp_path / "file.md").groups == ()
    assert [name for name, _ in found.problems()] == ["access.toml"]


def test_accents_match_however_they_are_spelled(tmp_path: Path) -> None:
    rules(tmp_path, ("L\u00f6hne/**", '["hr"]'), ("Pru\u0308fung.md", '["audit"]'))
    assert groups(tmp_path, "Lo\u0308hne/a.md") == ("hr",)
    assert groups(tmp_path, "Pr\u00fcfung.md") == ("audit",)


def test_broken_rules_of_a_subfolder_hide_only_that_folder(tmp_path: Path) -> None:
    (tmp_path / "hr").mkdir()
    (tmp_path / "hr/access.toml").write_text("broken [")
    found = AccessRules(Root(tmp_path))
    assert found.of(tmp_path / "hr/a.md").groups == ()
    assert found.of(tmp_path / "it/a.md").groups == ("everyone",)
    assert [name for name, _ in found.problems()] == ["hr/access.toml"]


def test_rules_also_say_who_owns_a_document_and_from_when_it_holds(tmp_path: Path) -> None:
    (tmp_path / "access.toml").write_text(
        '[[rule]]\npath = "**"\nowner = "Ada Holm"\ntags = ["policy"]\nvalid_from = 2026-01-01\n'
        '[[rule]]\npath = "hr/**"\ngroups = ["hr"]\nowner = "Ben Ode"\nlanguage = "de"\nvalid_until = 2026-12-31\n'
    )
    rules_ = AccessRules(Root(tmp_path))
    assert rules_.of(tmp_path / "it/a.md") == Ruling(
        ("everyone",), {"owner": "Ada Holm", "tags": ["policy"], "valid_from": "2026-01-01"}
    )
    assert rules_.of(tmp_path / "hr/a.md") == Ruling(
        ("hr",),
        {
            "owner": "Ben Ode", "tags": ["policy"], "language": "de", "valid_from": "2026-01-01",
            "valid_until": "2026-12-31",
        },
    )  # fmt: skip


@pytest.mark.parametrize("line", ['valid_from = "2026-01-01"', 'tags = "pay"', "owner = 3", 'colour = "red"'])
def test_what_a_rule_cannot_say_hides_the_documents(tmp_path: Path, line: str) -> None:
    (tmp_path / "access.toml").write_text(f'[[rule]]\npath = "**"\ngroups = ["everyone"]\n{line}\n')
    rules_ = AccessRules(Root(tmp_path))
    assert rules_.of(tmp_path / "a.md").groups == ()
    assert line.split()[0] in rules_.problems()[0][1]


def test_a_rule_that_matches_no_file_is_told(tmp_path: Path) -> None:
    rules(tmp_path, ("hr/**", '["hr"]'), ("hr/salries.md", '["board"]'))
    rules_ = AccessRules(Root(tmp_path))
    rules_.of(tmp_path / "hr/salaries.md")
    assert rules_.unmatched() == ["access.toml: the rule for 'hr/salries.md' matches no file"]
