"""The pointer to the adapter in service: set, followed back, whole at every moment."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragvoice.errors import ModelError, UsageError
from ragvoice.models.promoted import PromotedAdapters


@pytest.fixture
def promoted(tmp_path: Path) -> PromotedAdapters:
    return PromotedAdapters(tmp_path / "home", "qwen")


def adapter(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_promote_and_roll_back(promoted: PromotedAdapters, tmp_path: Path) -> None:
    first, second = adapter(tmp_path, "first"), adapter(tmp_path, "second")
    assert promoted.current() is None
    assert promoted.history() == []
    promoted.promote(first, {"f1": 0.7})
    promoted.promote(second, {"f1": 0.8})
    assert [(one.adapter, one.evidence) for one in promoted.history()] == [(second, {"f1": 0.8}), (first, {"f1": 0.7})]
    data = json.loads((tmp_path / "home/adapters/qwen.json").read_text())
    assert (data["adapter"], [one["adapter"] for one in data["previous"]]) == (str(second), [str(first)])
    back = promoted.rollback()
    assert back is not None
    assert (back.adapter, promoted.current()) == (first, back)
    assert promoted.rollback() is None
    assert promoted.current() is None
    with pytest.raises(UsageError, match="nothing to go back to"):
        promoted.rollback()


def test_the_same_one_again_leaves_the_way_back_to_the_one_before(promoted: PromotedAdapters, tmp_path: Path) -> None:
    first, second = adapter(tmp_path, "first"), adapter(tmp_path, "second")
    for folder, figure in ((first, 0.7), (second, 0.8), (second, 0.9)):
        promoted.promote(folder, {"f1": figure})
    assert [(one.adapter, one.evidence) for one in promoted.history()] == [(second, {"f1": 0.9}), (first, {"f1": 0.7})]


def test_what_is_no_adapter_is_not_promoted(promoted: PromotedAdapters, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder of an adapter"):
        promoted.promote(tmp_path, {})
    assert promoted.current() is None


def test_each_model_has_its_own(promoted: PromotedAdapters, tmp_path: Path) -> None:
    promoted.promote(adapter(tmp_path, "first"), {})
    assert PromotedAdapters(tmp_path / "home", "smollm").current() is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"adapter": 1}'])
def test_a_damaged_pointer_is_told(promoted: PromotedAdapters, tmp_path: Path, text: str) -> None:
    promoted.promote(adapter(tmp_path, "first"), {})
    promoted.pointer.write_text(text)
    with pytest.raises(ModelError, match="is damaged"):
        promoted.current()


def test_two_at_once_lose_no_promotion(promoted: PromotedAdapters, tmp_path: Path) -> None:
    folders = [adapter(tmp_path, f"a{number}") for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda folder: promoted.promote(folder, {}), folders))
    assert sorted(one.adapter for one in promoted.history()) == sorted(folders)
