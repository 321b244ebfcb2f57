"""What a person names on the command line -> the adapter that is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finetune.run_folder import RunFolder, runs_folder
from ragvoice.build import build_store
from ragvoice.errors import ModelError, UsageError
from ragvoice.lora import CONFIG
from ragvoice.models.adapters import AdapterInService, read_provenance


@dataclass(frozen=True)
class Trained:
    adapter: AdapterInService
    base: str
    """Reference of the model that it was trained on."""
    run: Path | None
    """Folder of the run that made it; None for an adapter from elsewhere."""

    @property
    def folder(self) -> Path:
        assert self.adapter.folder is not None
        return self.adapter.folder


def trained(named: str, base: str | None = None) -> Trained:
    """:param named: A run's name, its file, its folder, an adapter's folder, or a hub id.
    :param base: The model that it is for, when the adapter does not say so itself.
    :raises UsageError: when neither says it, or the run has no adapter yet.
    :raises ModelError: when it is not there, or is for another model.
    """
    place = _place(named)
    store = build_store()
    provenance = read_provenance(store.path(place))
    base = base or (provenance.base if provenance else None)
    if base is None:
        raise UsageError(f"The adapter {named} does not say which model it is for. Name it: --base MODEL")
    adapter = store.adapter(place, base)
    assert adapter.folder is not None
    run = adapter.folder.parent
    return Trained(adapter, base, run if (run / "run.toml").is_file() else None)


def _place(named: str) -> str:
    """Reference of the adapter for the model store."""
    run = Path(named).stem if named.endswith(".toml") else named
    for folder in (Path(named).expanduser(), runs_folder() / run):
        if (folder / CONFIG).is_file():
            return str(folder)
        if (folder / "adapter" / CONFIG).is_file():
            return str(folder / "adapter")
        RunFolder(folder).refuse_whole_model()
        if (folder / "run.toml").is_file():
            raise UsageError(
                f"The run {folder.name} has no adapter yet. Train it: ragvoice finetune train {folder.name}"
            )
    try:
        return str(build_store().path(named))
    except ModelError as error:
        raise UsageError(f"{named} is no run in {runs_folder()}, no adapter's folder and no hub id.") from error
