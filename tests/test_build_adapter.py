"""The setting `adapter`: what it means for each runtime, and that a running process follows a promotion."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from tiny_models import make_lora, make_tiny_llama, write_provenance

from ragvoice import build
from ragvoice.build_adapter import confidence_file, pinned, prepare_adapter, promoted_adapters, resolve_adapter
from ragvoice.datatypes import Passage
from ragvoice.errors import GenerationError, ModelError, UsageError
from ragvoice.evaluation.provenance import fingerprint, models
from ragvoice.generation.confidence import ConfidenceModel
from ragvoice.models import adapters
from ragvoice.retrieval.generations import EmbedderIdentity, Manifest
from ragvoice.settings import Settings, home, read_settings
from ragvoice.voicebot import VoiceBot

WORDS = [HumanMessage("w4 w5 w6")]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("base") / "llama")


@pytest.fixture
def settings(clean_environment: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A tiny language model for transformers in an empty home, and no packaged adapter."""
    (clean_environment / "packaged").mkdir()
    monkeypatch.setattr(adapters, "PACKAGED", clean_environment / "packaged")
    return read_settings(llm=str(base), llm_runtime="transformers", threads=1, max_new_tokens=8)


def trained(settings: Settings, name: str, seed: int, prompt: str = "") -> Path:
    """Adapter of a run of this name on the configured model."""
    folder = make_lora(Path(settings.llm), home() / "finetune" / name / "adapter", seed=seed)
    write_provenance(folder, settings.llm, build.build_store().fingerprint(settings.llm), run=name, prompt=prompt)
    return folder


def reply(chat: Any) -> str:
    return str(chat.invoke(WORDS).text)


def test_auto_is_the_promoted_one_else_the_packaged_one_else_none(
    settings: Settings, clean_environment: Path, tmp_path: Path
) -> None:
    assert resolve_adapter(settings) is None
    first = trained(settings, "first", 1)
    shutil.copytree(first, clean_environment / "packaged" / "shipped")
    shipped = resolve_adapter(settings)
    assert shipped is not None
    assert shipped.folder == clean_environment / "packaged" / "shipped"
    promoted_adapters(settings).promote(trained(settings, "second", 2), {})
    found = resolve_adapter(settings)
    assert found is not None
    assert found.name == "second"
    assert resolve_adapter(settings.model_copy(update={"adapter": "none"})) is None
    other = make_tiny_llama(tmp_path / "other", layers=1)
    assert resolve_adapter(settings.model_copy(update={"llm": str(other)})) is None
    named = resolve_adapter(settings.model_copy(update={"adapter": str(first)}))
    assert named is not None
    assert named.name == "first"


def test_a_promoted_adapter_that_has_gone_says_how_to_go_back(settings: Settings) -> None:
    promoted_adapters(settings).promote(trained(settings, "first", 1), {})
    shutil.rmtree(home() / "finetune")
    with pytest.raises(ModelError, match=r"does not exist.*promote --rollback"):
        resolve_adapter(settings)


def test_a_server_is_asked_for_the_adapter_by_its_name(settings: Settings) -> None:
    served = settings.model_copy(
        update={"llm_runtime": "openai", "llm_url": "http://localhost:1/v1", "llm": "qwen", "adapter": "handbook"}
    )
    found = resolve_adapter(served)
    assert found is not None
    assert (found.label, found.folder) == ("handbook", None)
    assert build.build_chat_model(served).model_name == "handbook"  # type: ignore[attr-defined]
    promoted_adapters(settings).promote(trained(settings, "first", 1), {})
    for bare in ("auto", "none"):
        assert build.build_chat_model(served.model_copy(update={"adapter": bare})).model_name == "qwen"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="--lora-modules"):
        resolve_adapter(served.model_copy(update={"adapter": "~/adapters/handbook"}))


def test_the_chat_model_has_the_adapter(settings: Settings) -> None:
    bare = reply(build.build_chat_model(settings))
    promoted_adapters(settings).promote(trained(settings, "first", 1), {})
    assert reply(build.build_chat_model(settings)) != bare
    assert reply(build.build_chat_model(settings.model_copy(update={"adapter": "none"}))) == bare


def test_a_prompt_may_be_as_long_as_the_setting_says(settings: Settings) -> None:
    chat = build.build_chat_model(settings.model_copy(update={"context_tokens": 64, "max_new_tokens": 4}))
    with pytest.raises(GenerationError, match="the limit is 60"):
        chat.invoke([HumanMessage("w4 " * 100)])


class Finds:
    """A searcher that always finds the same passage."""

    generation = "g"

    def pinned(self) -> Finds:
        return self

    def search(self, query: str, k: int | None = None, groups: Any = None) -> list[Passage]:
        return [Passage("d", "d.md", "D", "", None, None, "w1 w2 w3.", 0, 1.0)]


def test_a_running_bot_switches_and_names_the_adapter_in_its_answers(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    live = build.build_live_answering(settings)
    bot = VoiceBot(Finds(), live)

    def asked() -> tuple[str | None, str]:
        answer = bot.ask("w5 w6?")
        return answer.models.adapter, answer.draft

    name, bare = asked()
    assert name is None
    base = live.current().chat._base  # type: ignore[attr-defined]
    labels = []
    for number, run in enumerate(("first", "second"), start=1):
        promoted_adapters(settings).promote(trained(settings, run, number), {})
        name, draft = asked()
        assert name is not None
        assert name.startswith(f"{run} (")
        labels.append((name, draft))
        assert live.current().chat._base is base  # type: ignore[attr-defined]
    assert len({bare, *(draft for _, draft in labels)}) == 3
    broken = trained(settings, "broken", 3)
    (broken / "adapter_model.safetensors").write_bytes(b"\xff" * 100)
    promoted_adapters(settings).promote(broken, {})
    assert asked() == labels[1]
    assert "the one before stays" in caplog.text
    promoted_adapters(settings).rollback()
    promoted_adapters(settings).rollback()
    assert asked() == labels[0]
    promoted_adapters(settings).rollback()
    assert asked() == (None, bare)


def test_settings_can_be_pinned_to_what_auto_meant(settings: Settings) -> None:
    assert pinned(settings, None).adapter == "none"
    promoted_adapters(settings).promote(trained(settings, "first", 1), {})
    first = resolve_adapter(settings)
    fixed = pinned(settings, first)
    promoted_adapters(settings).promote(trained(settings, "second", 2), {})
    assert resolve_adapter(fixed) == first != resolve_adapter(settings)


def test_confidence_is_the_adapters_unless_it_was_fitted_here_on_this_adapter(
    settings: Settings, tmp_path: Path
) -> None:
    folder = trained(settings, "first", 1)
    plain = resolve_adapter(settings.model_copy(update={"adapter": str(folder)}))
    assert confidence_file(settings, plain) is None
    fitted = ConfidenceModel.load().to_json()
    (folder / "confidence.json").write_text(json.dumps(fitted))
    adapter = resolve_adapter(settings.model_copy(update={"adapter": str(folder)}))
    assert adapter is not None
    assert adapter.label == plain.label  # type: ignore[union-attr]
    assert confidence_file(settings, adapter) == folder / "confidence.json"
    assert confidence_file(settings, None) is None
    own = home() / "confidence.json"
    own.write_text(json.dumps({**fitted, "made_for": {"adapter": ""}}))
    assert confidence_file(settings, adapter) == folder / "confidence.json"
    assert confidence_file(settings, None) == own
    own.write_text(json.dumps({**fitted, "made_for": {"adapter": adapter.label}}))
    assert confidence_file(settings, adapter) == own
    set_one = settings.model_copy(update={"confidence": tmp_path / "mine.json"})
    assert confidence_file(set_one, adapter) == tmp_path / "mine.json"


def test_a_promotion_makes_evaluated_answers_old_and_so_does_a_confidence(settings: Settings) -> None:
    manifest = Manifest("g", EmbedderIdentity("e", "f", 220, 0), 1, 1)

    def now() -> str:
        return fingerprint(settings, ("llm", "adapter"), manifest)

    seen = [now(), now()]
    folder = trained(settings, "first", 1)
    promoted_adapters(settings).promote(folder, {})
    seen.append(now())
    (folder / "confidence.json").write_text(json.dumps(ConfidenceModel.load().to_json()))
    seen.append(now())
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3
    assert models(settings, ("adapter",))["adapter"]["name"] == resolve_adapter(settings).label  # type: ignore[union-attr]


def test_another_prompt_than_that_of_the_training_is_a_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with_it = settings.model_copy(update={"adapter": str(trained(settings, "first", 1, prompt="an older one"))})
    build.build_answering(with_it)
    assert "another wording of the prompt" in caplog.text


def test_nothing_is_prepared_without_need(settings: Settings) -> None:
    assert prepare_adapter(settings) is None  # transformers merges nothing
    on_cpu = settings.model_copy(update={"llm_runtime": "ctranslate2"})
    assert prepare_adapter(on_cpu) is None  # no adapter
    assert prepare_adapter(on_cpu.model_copy(update={"llm": "org/not-here"})) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("runtime", "weights"), [("ctranslate2", "ctranslate2-int8/model.bin"), ("torch", "torch-int8/int8.safetensors")]
)
def test_prepared_model_is_what_the_cpu_runtime_answers_with(settings: Settings, runtime: str, weights: str) -> None:
    on_cpu = settings.model_copy(update={"llm_runtime": runtime})
    live = build.build_live_answering(on_cpu)
    bare = reply(live.current().chat)
    promoted_adapters(on_cpu).promote(trained(on_cpu, "first", 1), {})
    made = prepare_adapter(on_cpu)
    assert made is not None
    stamp = (made.parent / weights).stat().st_mtime_ns
    chat = live.current().chat
    assert chat.model_path == made  # type: ignore[attr-defined]
    assert reply(chat) != bare
    assert (made.parent / weights).stat().st_mtime_ns == stamp
    assert [folder.name for folder in made.parent.iterdir()] == [weights.split("/")[0]]
