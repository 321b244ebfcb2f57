"""Whatever happens to the log, the answer is given and one warning says what."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sample_turns import CIRCUMSTANCES, NOON, answer_of, sample_turn

from ragvoice.datatypes import Message
from ragvoice.errors import ModelError
from ragvoice.turns.log import Selection, TurnLog
from ragvoice.turns.recorder import Recorder
from ragvoice.turns.records import Circumstances, UsedModel


def recorder(log: TurnLog, *, keep: bool = True) -> Recorder:
    return Recorder(log, lambda: CIRCUMSTANCES, lambda generation: f"id of {generation}", keep=keep)


def test_a_turn_is_kept_with_what_it_depended_on(log: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    history = (Message("user", "Hi"), Message("agent", "Yes?"))
    answer = answer_of()
    assert recorder(log).record(answer, person="ada", groups=("hr", "it"), style="short", history=history)
    [turn] = log.find(Selection())
    assert (turn.person, turn.groups, turn.style, turn.history) == ("ada", ("hr", "it"), "short", history)
    assert (turn.index_generation, turn.index_id, turn.asked_at) == ("g1", "id of g1", "2026-11-24T12:00:00.000Z")
    assert (turn.version, turn.code_hash, turn.settings) == ("0.1.0", "c0de", CIRCUMSTANCES.settings)
    assert (turn.draft, turn.evidence, turn.prompt_hash, turn.timings) == (
        "You get 25 days. Perhaps.", {"similarity": 0.8}, "abc", answer.timings,
    )  # fmt: skip
    assert caplog.messages == []


def test_models_are_looked_at_again_for_another_adapter(log: TurnLog) -> None:
    looked: list[str] = []

    def look() -> Circumstances:
        looked.append(f"a{len(looked)}")
        used = {"adapter": UsedModel(looked[-1], "f"), "confidence": UsedModel("c.json", "c", True)}
        return replace(CIRCUMSTANCES, models={**CIRCUMSTANCES.models, **used})

    kept = Recorder(log, look, lambda generation: generation)
    for name in ("one", "one", "two", None):
        answer = answer_of()
        assert kept.record(replace(answer, models=replace(answer.models, adapter=name), turn_id=f"{name}{len(looked)}"))
    turns = log.find(Selection())
    assert sorted(turn.models["adapter"].name for turn in turns if "adapter" in turn.models) == ["a0", "a0", "a1"]
    assert {turn.models["confidence"].name for turn in turns} == {"c.json"}


def test_who_opts_out_is_not_logged_but_old_turns_still_go(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not recorder(TurnLog(file, 90), keep=False).record(answer_of())
    assert not file.exists()
    TurnLog(file, 90, lambda: NOON).add(sample_turn(at=NOON))
    later = TurnLog(file, 90, lambda: NOON.replace(year=2027))
    assert not recorder(later, keep=False).record(answer_of())
    assert later.count(Selection()) == 0
    assert caplog.messages == []


def _a_file_as_folder(folder: Path) -> Path:
    (folder / "home").write_text("mine")
    return folder / "home" / "turns.sqlite"


def _a_folder_as_file(folder: Path) -> Path:
    (folder / "turns.sqlite").mkdir()
    return folder / "turns.sqlite"


@pytest.mark.parametrize("place", [_a_file_as_folder, _a_folder_as_file])
def test_a_log_that_cannot_be_written_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, place: Callable[[Path], Path]
) -> None:
    assert not recorder(TurnLog(place(tmp_path), 90)).record(answer_of())
    [message] = caplog.messages
    assert message.startswith("This turn is not logged: The turn log ")


def test_a_full_disk_is_one_warning_and_the_log_stays_whole(
    log: TurnLog, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log.add(turn := sample_turn())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 50_000, hard))
    try:
        assert not recorder(log).record(answer_of(draft="x" * 1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    [message] = caplog.messages
    assert message.startswith("This turn is not logged: The turn log ")
    assert log.find(Selection()) == [turn]
    assert recorder(log).record(answer_of())


def test_circumstances_that_cannot_be_found_are_one_warning(log: TurnLog, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> Circumstances:
        raise ModelError("the model has just been deleted")

    assert not Recorder(log, fail, str).record(answer_of())
    assert caplog.messages == ["This turn is not logged: the model has just been deleted"]


def test_after_damage_the_turn_is_in_the_new_log(log: TurnLog, file: Path, caplog: pytest.LogCaptureFixture) -> None:
    log.add(sample_turn())
    file.write_bytes(b"no database" * 1000)
    assert recorder(log).record(answer := answer_of())
    assert [turn.turn_id for turn in log.find(Selection())] == [answer.turn_id]
    [message] = caplog.messages
    assert "moved" in message or "is now turns.sqlite.damaged-" in message
