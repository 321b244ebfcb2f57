"""Settings -> the adapter in service: which one, whose confidence model goes with it, and how it is made ready."""

from __future__ import annotations

from pathlib import Path

from ragvoice.errors import ModelError, UsageError
from ragvoice.models import ModelStore
from ragvoice.models.adapters import AdapterInService, packaged
from ragvoice.models.promoted import PromotedAdapters
from ragvoice.settings import AUTO_ADAPTER, NO_ADAPTER, Settings, home

CPU_FORMATS = {"ctranslate2": "ctranslate2-int8", "torch": "torch-int8"}
"""Runtime -> the conversion that it loads, an adapter merged."""


def resolve_adapter(settings: Settings) -> AdapterInService | None:
    """The adapter that `settings.adapter` means now; None is the bare model.

    `auto` is the one promoted for the language model, else the packaged one for it; with a served model it is none.

    :raises ModelError: when it is not here, or was trained for another model.
    :raises UsageError: for a folder where a server has the adapters.
    """
    named = settings.adapter
    if named == NO_ADAPTER:
        return None
    if settings.llm_runtime == "openai":
        return None if named == AUTO_ADAPTER else _served(named)
    store = ModelStore.open(home())
    if named != AUTO_ADAPTER:
        return store.adapter(named, settings.llm)
    promotion = promoted_adapters(settings).current()
    if promotion is None:
        folder = packaged(store.fingerprint(settings.llm))
        return store.adapter(str(folder), settings.llm) if folder else None
    try:
        return store.adapter(str(promotion.adapter), settings.llm)
    except ModelError as error:
        raise ModelError(
            f"The adapter promoted for {settings.llm} cannot be used. {error} To go back to the one before it: "
            "ragvoice finetune promote --rollback"
        ) from error


def promoted_adapters(settings: Settings) -> PromotedAdapters:
    """Of the configured language model.

    :raises ModelError: when `settings.llm` is no reference of a model.
    """
    return PromotedAdapters(home(), ModelStore.open(home()).slug(settings.llm))


def follows_promotions(settings: Settings) -> bool:
    """Whether another adapter may come into service while the process runs."""
    return settings.adapter == AUTO_ADAPTER and settings.llm_runtime != "openai"


def pinned(settings: Settings, adapter: AdapterInService | None) -> Settings:
    """The settings with what `auto` meant when it was resolved."""
    if not follows_promotions(settings):
        return settings
    return settings.model_copy(update={"adapter": str(adapter.folder) if adapter else NO_ADAPTER})


def prepare_adapter(settings: Settings) -> Path | None:
    """Make now what the first question with the configured adapter would wait for: its merged conversion.

    Returns its folder; None where nothing has to be made, or the language model is not on this machine.

    :raises ModelError: when the adapter does not fit, or the conversion failed.
    """
    store = ModelStore.open(home())
    if settings.llm_runtime not in CPU_FORMATS:
        return None
    try:
        store.path(settings.llm)
    except ModelError:
        return None
    adapter = resolve_adapter(settings)
    target = CPU_FORMATS[settings.llm_runtime]
    return store.converted(settings.llm, target, str(adapter.folder)) if adapter else None


def confidence_file(settings: Settings, adapter: AdapterInService | None) -> Path | None:
    """File of the confidence model; None is the packaged one.

    The setting, else what `--fit-abstention` wrote here on answers with this very adapter, else the adapter's own, else
    what it wrote here on others.
    """
    own = settings.confidence_path
    if settings.confidence or adapter is None or adapter.confidence is None:
        return own
    if own is not None:
        from ragvoice.generation.confidence import ConfidenceModel

        if (ConfidenceModel.load(own).made_for or {}).get("adapter") == adapter.label:
            return own
    return adapter.confidence


def _served(name: str) -> AdapterInService:
    if Path(name).is_absolute() or name.startswith((".", "~")):
        raise UsageError(
            f"With llm_runtime 'openai' the adapter is the name under which the server has it, not a folder ({name}). "
            "vLLM: --lora-modules NAME=FOLDER"
        )
    return AdapterInService(name, None)
