"""Files of a model from a folder on this machine: a share, a USB disk, what a colleague sent."""

from __future__ import annotations

from ragvoice.errors import SourceUnreachable
from ragvoice.models.sources import FolderSource
from ragvoice.models.staging import Staging


def fetch(source: FolderSource, staging: Staging) -> None:
    """Copy every missing file into the staging folder.

    Raises:
        SourceUnreachable: the folder or a file in it is not there.
        ModelError: a file has another hash than the catalogue says.
    """
    for file in staging.missing():
        origin = source.path / source.files[file.path]
        if not origin.is_file():
            raise SourceUnreachable(f"{origin} does not exist.")
        staging.report(f"copying {file.path}")
        staging.accept(file, [origin], keep_parts=True)
