from __future__ import annotations

from pathlib import Path

import pytest

from ragvoice.errors import AccessError, UsageError
from ragvoice.jobs.work import AskBoth, Evaluate, Finetune, Ingest, Place, Pull, Verify, Work

PLACE = Place(Path("/i"), Path("/reports"), "20260101-000000-abcdef")


def test_what_people_name_cannot_be_a_flag() -> None:
    assert Ingest((Path("--watch"), Path("b")), prefix="x", rebuild=True, retry_skipped=True).arguments(PLACE) == [
        "ingest", "--index=/i", "--json", "--name=x", "--rebuild", "--retry-skipped", "--", "--watch", "b",
    ]  # fmt: skip
    assert Finetune("train", "--fresh", resume=True).arguments(PLACE)[-3:] == ["--resume", "--", "--fresh"]
    assert AskBoth("answers", "--help").arguments(PLACE)[-3:] == ["--", "answers", "--help"]
    assert "--groups=hr,board" in AskBoth("answers", "x").arguments(Place(Path("i"), Path("r"), "1", ("hr", "board")))
    assert Pull("--x").arguments(PLACE) == ["models", "pull", "--", "--x"]


def test_a_group_that_a_flag_cannot_name_does_not_become_others() -> None:
    place = Place(Path("i"), Path("r"), "1", ("sales, board", "hr", " it"))
    assert "--groups=hr" in AskBoth("answers", "x").arguments(place)


def test_an_evaluation_leaves_its_report_under_the_job_s_id(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").touch()

    arguments = Evaluate(tmp_path, limit=20, style="both", voice=3).arguments(PLACE)

    assert arguments == [
        "evaluate", "--style=both", "--json=/reports/20260101-000000-abcdef.json",
        "--html=/reports/20260101-000000-abcdef.html", "--limit=20", "--voice=3", "--", str(tmp_path),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "work",
    [
        Ingest(()),
        Evaluate(Path("/nowhere")),
        Finetune("train", " "),
        Finetune("data", "answers", resume=True),
        Finetune("train", "answers", resume=True, fresh=True),
        Finetune("calibrate", "answers", fresh=True),
        AskBoth("answers", "  "),
        Pull(""),
    ],
)
def test_what_can_be_no_work_is_refused_before_it_starts(work: Work) -> None:
    with pytest.raises(UsageError):
        work.arguments(PLACE)


def test_passwords_and_what_people_have_asked_are_no_documents(tmp_path: Path) -> None:
    home = tmp_path / "srv" / "ragvoice"
    (home / "documents" / "hr").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    place = Place(Path("/i"), Path("/reports"), "1", home=home)

    for named in (home, home / "people.toml", home / "jobs", home / "documents" / "..", tmp_path, tmp_path / "link"):
        with pytest.raises(UsageError, match="own files"):
            Ingest((tmp_path / "handbook", named)).arguments(place)
    for named in (home / "documents", home / "documents" / "hr", tmp_path / "srv" / "handbook"):
        assert Ingest((named,)).arguments(place)[-1] == str(named)
    hidden = Place(Path("/i"), Path("/reports"), "1", home=tmp_path / ".local" / "ragvoice")
    assert Ingest((tmp_path,)).arguments(hidden)
    assert Ingest((tmp_path / ".local" / "ragvoice" / "documents",)).arguments(hidden)
    with pytest.raises(UsageError, match="hidden"):
        Ingest((tmp_path / ".streamlit" / "secrets.toml",)).arguments(hidden)


def test_only_folders_that_were_allowed_are_ingested_and_the_uploads(tmp_path: Path) -> None:
    home, handbook = tmp_path / "home", tmp_path / "handbook"
    (handbook / "hr").mkdir(parents=True)
    (handbook / "link").symlink_to(tmp_path / "payroll")
    place = Place(Path("/i"), Path("/reports"), "1", home=home, folders=(handbook,))

    for allowed in (handbook, handbook / "hr", home / "documents"):
        assert Ingest((allowed,)).arguments(place)[-1] == str(allowed)
    for refused in (tmp_path / "handbook-2", tmp_path / "payroll", handbook / ".." / "payroll", handbook / "link"):
        with pytest.raises(AccessError, match="document_folders"):
            Ingest((handbook, refused)).arguments(place)
    with pytest.raises(AccessError, match="the uploads alone"):
        Ingest((handbook,)).arguments(Place(Path("/i"), Path("/reports"), "1", home=home, folders=()))


def test_only_sets_of_questions_that_were_allowed_are_evaluated(tmp_path: Path) -> None:
    allowed, payroll = tmp_path / "sets", tmp_path / "payroll"
    for folder in (allowed, allowed / "squad", payroll):
        folder.mkdir()
        (folder / "questions.jsonl").touch()
    (allowed / "link").symlink_to(payroll)
    place = Place(Path("/i"), Path("/reports"), "1", datasets=(allowed,))

    for folder in (allowed, allowed / "squad"):
        assert Evaluate(folder).arguments(place)[-1] == str(folder)
    for folder in (payroll, allowed / "link", allowed / ".." / "payroll", tmp_path / "nowhere", Path("~")):
        with pytest.raises(AccessError, match="evaluation_folders"):
            Evaluate(folder).arguments(place)
    with pytest.raises(AccessError, match="there is none"):
        Evaluate(allowed).arguments(Place(Path("/i"), Path("/reports"), "1", datasets=()))


@pytest.mark.parametrize("run", ["/srv/uploads/mine.toml", "mine.toml", "../../mine", "~/mine.toml"])
def test_a_run_file_names_folders_and_groups_so_owners_begin_no_run_with_one_of_their_own(run: str) -> None:
    owners = Place(Path("/i"), Path("/reports"), "1", datasets=())
    for step in ("data", "train", "evaluate"):
        with pytest.raises(AccessError, match="administrator"):
            Finetune(step, run).arguments(owners)  # type: ignore[arg-type]
    assert Finetune("data", run).arguments(PLACE)[-1] == run
    assert Finetune("data", "answers-2.1").arguments(owners)[-1] == "answers-2.1"


def test_all_that_writes_one_index_is_done_alone() -> None:
    first, second = Ingest((Path("a"),)), Ingest((Path("b"),), rebuild=True)

    assert first.alone(PLACE) == second.alone(PLACE) == "the index /i"
    assert Verify().alone(PLACE) != first.alone(PLACE)
    assert Finetune("data", "runs/answers.toml").alone(PLACE) == Finetune("train", "answers").alone(PLACE)


def test_every_command_line_is_one_that_the_program_knows(tmp_path: Path) -> None:
    """A flag that is renamed would else be noticed by the first person who presses the button."""
    import typer

    from ragvoice.cli import app

    (tmp_path / "questions.jsonl").touch()
    command = typer.main.get_command(app)
    for work in (
        Ingest((tmp_path,), prefix="p", rebuild=True, retry_skipped=True),
        Verify(),
        Evaluate(tmp_path, limit=1, style="short", voice=1),
        Finetune("data", "answers", fresh=True),
        Finetune("train", "answers", resume=True),
        Finetune("calibrate", "answers"),
        Finetune("evaluate", "answers", fresh=True),
        AskBoth("answers", "How long?"),
        Pull("whisper-base"),
    ):
        found, rest = command, work.arguments(PLACE)
        while hasattr(found, "commands"):
            found, rest = found.commands[rest[0]], rest[1:]
        found.make_context(found.name, list(rest))  # raises for an unknown flag or a missing argument
