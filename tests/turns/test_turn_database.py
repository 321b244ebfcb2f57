"""What may happen to the file: several processes, kill -9, damage, an older or newer schema, no room."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sample_turns import sample_turn

from ragvoice.errors import TurnLogError, UsageError
from ragvoice.turns import database
from ragvoice.turns.database import DamagedTurnLog, connected
from ragvoice.turns.log import Selection, TurnLog

WRITER = """
import sys
from pathlib import Path
from sample_turns import NOON, answer_of, sample_turn
from ragvoice.turns.log import TurnLog
log = TurnLog(Path(sys.argv[1]), 90, lambda: NOON)
for number in range(int(sys.argv[3])):
    turn = sample_turn(answer_of(turn_id=f"{sys.argv[2]}-{number}", draft="x" * 20_000))
    log.add(turn)
    print(turn.turn_id, flush=True)
"""


def writer(file: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(file), name, str(count)],
        env={"PYTHONPATH": ":".join(path for path in (str(Path(__file__).parent), *sys.path) if path)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_only_the_owner_may_read_it_and_what_lies_beside_it(log: TurnLog, file: Path) -> None:
    log.add(sample_turn())
    with connected(file) as open_file:
        open_file.execute("INSERT INTO state VALUES ('x', 'y')")
        modes = {part.name: part.stat().st_mode & 0o777 for part in file.parent.iterdir()}
    assert modes.keys() >= {"turns.sqlite", "turns.sqlite-wal", "turns.sqlite-shm"}
    assert set(modes.values()) == {0o600}


def test_two_processes_begin_a_log_and_write_it_at_once(log: TurnLog, file: Path) -> None:
    both = [writer(file, name, 40) for name in ("a", "b")]
    assert [process.wait() for process in both] == [0, 0]
    assert {turn.turn_id for turn in log.find(Selection())} == {f"{name}-{n}" for name in "ab" for n in range(40)}
    for process in both:
        assert process.stdout is not None
        process.stdout.close()


def test_a_killed_writer_loses_no_turn_that_it_has_finished(log: TurnLog, file: Path) -> None:
    process = writer(file, "k", 100_000)
    assert process.stdout is not None
    done = [process.stdout.readline().strip() for _ in range(25)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    done += process.stdout.read().split()
    process.stdout.close()
    found = {turn.turn_id for turn in log.find(Selection())}
    assert set(done) <= found
    assert len(found - set(done)) <= 1  # committed, but killed before it said so
    log.add(sample_turn())
    with connected(file) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("damage", ["no database", "torn pages"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begins(log: TurnLog, file: Path, damage: str) -> None:
    for _ in range(20):
        log.add(sample_turn())
    data = bytearray(file.read_bytes())
    if damage == "no database":
        data = bytearray(b"This is no database. " * 1000)
    else:
        data[4096:] = b"\xff" * (len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(DamagedTurnLog, match=r"damaged; it is now turns\.sqlite\.damaged-\d+T\d+ beside it"):
        log.find(Selection())
    [aside] = file.parent.glob("turns.sqlite.damaged-*")
    assert aside.read_bytes() == data
    log.add(turn := sample_turn())
    assert log.find(Selection()) == [turn]
    log.forget(Selection(turn_id=turn.turn_id))
    assert not aside.exists()  # nobody can tell whose words are in it


def test_who_finds_the_damage_second_leaves_the_new_file_alone(log: TurnLog, file: Path) -> None:
    log.add(sample_turn())
    old = file.stat().st_ino
    file.rename(file.with_name("elsewhere"))
    log.add(turn := sample_turn())
    database._set_aside(file, old)
    assert log.find(Selection()) == [turn]


def test_a_file_of_an_older_schema_is_brought_up_to_date(
    log: TurnLog, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add(turn := sample_turn())
    newer = (*database.UPGRADES, ("ALTER TABLE state ADD COLUMN note TEXT", "INSERT INTO state VALUES ('a', 'b', 'c')"))
    monkeypatch.setattr(database, "UPGRADES", newer)
    assert log.find(Selection()) == [turn]
    with connected(file) as opened:
        assert opened.execute("PRAGMA user_version").fetchone() == (2,)
        assert opened.execute("SELECT note FROM state WHERE name = 'a'").fetchall() == [("c",)]


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(
    log: TurnLog, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.add(turn := sample_turn())
    with monkeypatch.context() as patched:
        patched.setattr(database, "UPGRADES", (*database.UPGRADES, ("CREATE TABLE a (b)", "nonsense")))
        with pytest.raises(TurnLogError, match="nonsense"):
            log.find(Selection())
    assert log.find(Selection()) == [turn]


def test_a_file_of_a_newer_schema_is_left_alone(log: TurnLog, file: Path) -> None:
    log.add(sample_turn())
    with sqlite3.connect(file) as opened:
        opened.execute("PRAGMA user_version = 7")
    opened.close()
    with pytest.raises(TurnLogError, match=r"schema 7; this version of ragvoice reads up to 1\. Update"):
        log.add(sample_turn())
    assert file.exists()


def test_a_locked_file_is_waited_for_and_then_named(log: TurnLog, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.add(sample_turn())
    monkeypatch.setattr(database, "WAIT_S", 0.1)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TurnLogError, match="locked"):
        log.add(sample_turn())
    assert log.count(Selection()) == 1  # reading goes on
    other.close()
    log.add(sample_turn())


def test_bytes_that_are_no_text_are_wrong_use(log: TurnLog) -> None:
    with pytest.raises(UsageError, match="UTF-8"):
        log.find(Selection(person="a\udcffa"))
