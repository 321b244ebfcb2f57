"""What an owner of the documents may do with them, in the name of a person: every call takes the right `documents`.

The page and other entry points call these rather than the parts of a job, so that nobody gets round the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from ingest.state import IndexState, index_state
from ingest.uploads import LARGEST_MIB, PREFIX, Uploaded, delete_upload, save_upload, version_of
from ragvoice.build import build_vector_store
from ragvoice.jobs.work import UPLOADS
from ragvoice.people.person import Person
from ragvoice.retrieval.generations import current_generation, open_catalogue
from ragvoice.settings import Settings, home

_WAIT_S = 5.0
"""For a writer of the index that is about to end."""


def uploads_folder() -> Path:
    return home() / UPLOADS


class DocumentOwner:
    def __init__(self, person: Person, settings: Settings):
        """:raises AccessError: when the person may not look after the documents."""
        person.require("documents")
        self._person = person
        self._settings = settings

    @property
    def largest_mib(self) -> int:
        """Of one upload."""
        return min(LARGEST_MIB, self._settings.max_file_mib)

    def state(self) -> IndexState:
        """What `ragvoice status` shows."""
        return index_state(self._settings.index_path, build_vector_store(self._settings))

    def upload(self, name: str, content: BinaryIO, groups: Sequence[str]) -> Uploaded:
        """Into the folder of the uploads; an ingest of it brings the file into the index.

        :raises UsageError, DocumentError: as `save_upload`.
        """
        return save_upload(uploads_folder(), name, content, groups, self._person.name, self.largest_mib)

    def file_of(self, doc_id: str) -> Path | None:
        """The uploaded file that a document was made from, and nothing else; None when it was not uploaded."""
        with closing(open_catalogue(current_generation(self._settings.index_path))) as database:
            row = database.execute("SELECT root, file FROM documents WHERE doc_id = ?", (doc_id,)).fetchone()
        if row is None or Path(row[0]) != uploads_folder().resolve() or doc_id != f"{PREFIX}/{row[1]}":
            return None
        return Path(row[0]) / str(row[1])

    def remove(self, doc_id: str) -> bool:
        """Out of the index; an uploaded file is deleted, too.

        :returns: Whether it is gone for good: else its file, or one that was uploaded meanwhile, brings it back at
            the next ingest.
        :raises UsageError: when there is no such document.
        :raises VectorIndexError: when another job writes the index.
        """
        from ingest.job import remove

        file = self.file_of(doc_id)
        version = version_of(file) if file else None
        remove(doc_id, self._settings.index_path, build_vector_store(self._settings), wait_s=_WAIT_S)
        return file is not None and delete_upload(file, version)

    def forget(self, folder: Path) -> int:
        """Take a whole ingested folder out of the index.

        :returns: How many documents it had.
        :raises UsageError: when the index does not know it.
        """
        from ingest.job import forget

        return forget(folder, self._settings.index_path, build_vector_store(self._settings), wait_s=_WAIT_S)
