"""The store: one folder of models, `<RAGVOICE_HOME>/models`, and what can be asked of it.

<root>/<name>/                      an installed model, exactly the files of the catalogue
<root>/converted/<slug>/<format>/   conversions, with a record of what they were made from; <slug>+<adapter's slug>
                                    for a model with an adapter merged into it
<root>/.partial  .locks  .fingerprints
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import assert_never

from ragvoice.errors import ModelError
from ragvoice.lora import CONFIG
from ragvoice.models import checksums, conversion, references
from ragvoice.models.adapters import IDENTITY, AdapterInService, check_base, read_provenance
from ragvoice.models.catalogue import Catalogue, CatalogueEntry
from ragvoice.models.layout import Layout, layout_of
from ragvoice.models.progress import PullEvent, PullProgress, Silent
from ragvoice.models.references import CatalogueReference, FolderReference, HubReference, Reference
from ragvoice.models.results import ModelStatus, PulledModel, VerifyResult


class ModelStore:
    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self.root = root
        self.catalogue = catalogue

    @classmethod
    def open(cls, home: Path) -> ModelStore:
        """The store of a RAGVOICE_HOME, with the built-in catalogue and `<home>/catalogue.toml` over it.

        Raises:
            UsageError: the user's catalogue cannot be read.
        """
        return cls(home / "models", Catalogue.load(home / "catalogue.toml"))

    def pull(self, names: Sequence[str] | None, progress: PullProgress | None = None) -> builtins.list[PulledModel]:
        """Install models: catalogue names or hub ids; None stands for the catalogue's default models.

        Resumes what an earlier pull left, waits for another process that pulls the same model, and leaves nothing
        half-installed. An installed model is read through and fetched again if a byte has changed, and a
        conversion is made again, at the latest when it is needed.

        Raises:
            ModelError: a name is not known, no source gave the files, the disk is full, a conversion failed.
        """
        if names is None:
            names = [entry.name for entry in self.catalogue if entry.default]
        asked = [references.parse(name, self.catalogue) for name in names]
        self.root.mkdir(parents=True, exist_ok=True)
        return [self._pull(reference, progress or Silent()) for reference in asked]

    def list(self) -> builtins.list[ModelStatus]:
        """Every model of the catalogue; looks at names and sizes only."""
        return [
            ModelStatus(
                name=entry.name,
                task=entry.task,
                licence=entry.licence,
                size_bytes=entry.size_bytes,
                default=entry.default,
                installed=self._is_installed(entry),
                path=self.root / entry.name,
                converted=tuple(sorted(self._conversions(entry))),
            )
            for entry in self.catalogue
        ]

    def verify(self, names: Sequence[str] | None = None) -> builtins.list[VerifyResult]:
        """Read every file of these models and of their conversions; None stands for what is installed.

        Raises:
            ModelError: a name is not in the catalogue.
        """
        if names is None:
            entries = [entry for entry in self.catalogue if (self.root / entry.name).is_dir()]
        else:
            entries = [self.catalogue.get(name) for name in names]
        return [result for entry in entries for result in self._verify(entry)]

    def path(self, reference: str) -> Path:
        """Folder of a model that is on this machine; asks no server.

        Raises:
            ModelError: it is not here; the message has the command that fetches it.
        """
        asked = references.parse(reference, self.catalogue)
        match asked:
            case FolderReference():
                return asked.folder
            case CatalogueReference():
                if self._is_installed(asked.entry):
                    return self.root / asked.entry.name
                state = "damaged" if (self.root / asked.entry.name).is_dir() else "not installed"
            case HubReference():
                from ragvoice.models import fetch_hub

                folder = fetch_hub.cached_snapshot(asked.repo, asked.revision)
                if folder is not None:
                    return folder
                state = "not in the hub's local cache"
            case _:
                assert_never(asked)
        raise ModelError(f"the model {reference} is {state}. Run: ragvoice models pull {reference}")

    def adapter(self, reference: str, base: str) -> AdapterInService:
        """An adapter for the model `base`: a folder, or a hub id.

        One that says what it was trained on has to be for the very files of `base`; of another one's, only the shapes
        of the matrices can be compared, when it is loaded.

        Raises:
            ModelError: it is not here, is no adapter, or was trained for another model.
        """
        folder, asked = self.path(reference), references.parse(reference, self.catalogue)
        if layout_of(folder) is not Layout.ADAPTER:
            raise ModelError(f"{reference} is no adapter: it has no {CONFIG}.")
        provenance = read_provenance(folder)
        name = reference if isinstance(asked, HubReference) else (provenance and provenance.run) or folder.name
        if provenance:
            check_base(name, provenance, base, self.fingerprint(base))
        return AdapterInService(name, folder, self.fingerprint(reference), provenance)

    def converted(self, reference: str, format: str, adapter: str | None = None) -> Path:
        """Folder of a model in another format; made now, in a child process, if it is missing or out of date.

        `format` is `transformers`, `openai-whisper`, `torch-int8`, or `ctranslate2-` with a quantisation (`int8`,
        `float32`, ...).
        A model that has this format already is returned as it is. `adapter` is a LoRA adapter, a folder or a hub id,
        that is merged into it; only the result is kept.

        Raises:
            ModelError: the model or adapter is not here, the adapter is for another model, the format does not fit,
                or the conversion failed.
        """
        return conversion.convert_once(self.root, self._source(reference, adapter), format)

    def write_converted(self, reference: str, format: str, target: Path, adapter: str | None = None) -> None:
        """The same into a folder of the caller's, which is empty or not there; the store keeps nothing of it.

        Raises:
            ModelError: as `converted`.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        conversion.convert_into(self.root, self._source(reference, adapter), format, target)

    def slug(self, reference: str) -> str:
        """A name for a model that is safe as a file's name.

        Raises:
            ModelError: the reference is none.
        """
        return references.parse(reference, self.catalogue).slug

    def fingerprint(self, reference: str) -> str:
        """Short SHA-256 over the hashes of a model's files: equal for equal content, whatever the folder is called.

        For the catalogue's models it follows from the catalogue; a folder is read once and again when a file's size
        or modification time changes. Of an adapter only what decides its effect counts.

        Raises:
            ModelError: a folder or hub model is not here.
        """
        asked = references.parse(reference, self.catalogue)
        if isinstance(asked, CatalogueReference):
            return _entry_fingerprint(asked.entry)
        folder = self.path(reference)
        names = IDENTITY if layout_of(folder) is Layout.ADAPTER else ()
        return checksums.folder_fingerprint(folder, self.root / ".fingerprints" / f"{asked.slug}.json", names)

    def _source(self, reference: str, adapter: str | None) -> conversion.Source:
        source = conversion.Source(self.slug(reference), self.path(reference), self.fingerprint(reference))
        if adapter is None:
            return source
        found = self.adapter(adapter, reference)
        assert found.folder is not None
        return source.with_adapter(found.folder, found.slug, found.fingerprint)

    def _pull(self, reference: Reference, progress: PullProgress) -> PulledModel:
        # The network client is loaded here, not with the store: answering questions never needs it.
        from ragvoice.models import fetch_hub, pull

        match reference:
            case CatalogueReference():
                entry = reference.entry
                conversion.forget_damaged(self.root, entry.name)

                def convert(folder: Path, target_format: str) -> Path:
                    source = conversion.Source(entry.name, folder, _entry_fingerprint(entry))
                    return conversion.convert_once(self.root, source, target_format)

                return pull.pull_model(self.root, entry, convert, progress)
            case HubReference():
                began = time.monotonic()
                progress.update(PullEvent(reference.repo, "downloading from the hub"))
                folder = fetch_hub.download_snapshot(reference.repo, reference.revision)
                return PulledModel(reference.repo, folder, "installed", time.monotonic() - began)
            case FolderReference():
                return PulledModel(str(reference.folder), reference.folder, "already installed", 0.0)
            case _:
                assert_never(reference)

    def _is_installed(self, entry: CatalogueEntry) -> bool:
        folder = self.root / entry.name
        files = ((folder / file.path, file.size) for file in entry.files)
        return all(path.is_file() and path.stat().st_size == size for path, size in files)

    def _conversions(self, entry: CatalogueEntry) -> dict[str, Path]:
        """Formats that were made from this entry's bytes."""
        fingerprint = _entry_fingerprint(entry)
        made = (self.root / "converted" / entry.name).glob("*")
        return {folder.name: folder for folder in made if conversion.is_current(folder, fingerprint)}

    def _verify(self, entry: CatalogueEntry) -> Iterator[VerifyResult]:
        for file in entry.files:
            yield _verify_file(entry.name, self.root / entry.name / file.path, file.path, file.sha256)
        for name, folder in sorted(self._conversions(entry).items()):
            for path, sha256 in conversion.recorded_hashes(folder).items():
                yield _verify_file(entry.name, folder / path, f"{name}/{path}", sha256)


def _entry_fingerprint(entry: CatalogueEntry) -> str:
    return checksums.fingerprint((file.path, file.sha256) for file in entry.files)


def _verify_file(model: str, path: Path, shown: str, expected: str) -> VerifyResult:
    if not path.is_file():
        return VerifyResult(model, shown, "missing", expected, None)
    found = checksums.file_sha256(path)
    return VerifyResult(model, shown, "ok" if found == expected else "changed", expected, found)
