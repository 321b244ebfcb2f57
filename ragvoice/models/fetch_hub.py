"""Files from a Hugging Face hub: one by one with known hashes for the catalogue, whole snapshots for a hub id."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

from ragvoice.errors import ModelError, SourceUnreachable
from ragvoice.models.catalogue import ModelFile
from ragvoice.models.sources import HubSource
from ragvoice.models.staging import Staging

WEIGHTS = ("*.safetensors", "*.gguf", "*.onnx", "model.bin")
UNWANTED = ["*.h5", "*.msgpack", "*.ot", "*.tflite", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle", "*.py"]
UNWANTED += ["pytorch_model*", "rust_model*", "onnx/*", "openvino/*", "coreml/*"]
"""Weights in other formats than safetensors, GGUF and CTranslate2, and anything that runs code when it is loaded."""


def fetch(source: HubSource, staging: Staging) -> None:
    """Bring every missing file into the staging folder, from the hub's local cache where it is.

    Raises:
        SourceUnreachable: the hub does not answer, does not have the file, or HF_HUB_OFFLINE is set.
        ModelError: a file has another hash than the catalogue says.
        OSError: the disk is full.
    """
    from ragvoice.models import download

    files = [file for file in staging.missing() if not _take_from_cache(source, staging, file)]
    total, done_before = sum(file.size for file in files), 0
    if files and offline():
        raise SourceUnreachable("HF_HUB_OFFLINE is set, and the files are not in the hub's local cache.")
    with download.http_client() as client:
        for file in files:
            name = source.files[file.path]
            target, before = staging.download(file.sha256, ".hub"), done_before

            def on_bytes(done: int, before: int = before, name: str = name) -> None:
                staging.report(f"downloading {name}", before + done, total)

            if not target.exists():
                url = _address(source.repo, source.revision, name)
                download.fetch(client, url, target, file.size, file.sha256, on_bytes, _authorisation())
            staging.accept(file, [target])
            done_before += file.size


def cached_snapshot(repo: str, revision: str | None) -> Path | None:
    """Folder of a repository in the hub's local cache, if it holds all of its weights; asks no server."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
    return folder if any(next(folder.glob(pattern), None) for pattern in WEIGHTS) and _has_every_shard(folder) else None


def _has_every_shard(folder: Path) -> bool:
    """What an interrupted download has left may have some of them."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file() or (folder / "model.safetensors").is_file():
        return True
    shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / shard).is_file() for shard in shards)


def download_snapshot(repo: str, revision: str | None) -> Path:
    """Download a repository to the hub's local cache, without pickles and without code.

    Raises:
        SourceUnreachable: the hub does not answer, refuses, or HF_HUB_OFFLINE is set.
        ModelError: the repository has no weights in a format that is read here.
    """
    import httpx
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    refused = (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, httpx.HTTPError)
    try:
        snapshot_download(repo, revision=revision, ignore_patterns=UNWANTED)
    except (*refused, ImportError, ValueError) as error:  # the last two of a name, or a proxy, that cannot be used
        reason = ": ".join([type(error).__name__, *str(error).splitlines()[:1]])  # a cut connection has no words
        raise SourceUnreachable(
            f"the hub did not give {repo} ({reason.rstrip('.')}). "
            "Set HF_ENDPOINT to your mirror, or place the model in a folder and use that folder's path as its name."
        ) from error
    folder = cached_snapshot(repo, revision)
    if folder is None:
        raise ModelError(f"{repo} has no weights in safetensors, GGUF, ONNX or CTranslate2 format.")
    return folder


def offline() -> bool:
    """HF_HUB_OFFLINE as huggingface_hub reads it, but at the time of the call."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _take_from_cache(source: HubSource, staging: Staging, file: ModelFile) -> bool:
    """Copy a file that another program has downloaded; a wrong one in the cache is not used, and stays there."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(source.repo, source.files[file.path], revision=source.revision)
    if not isinstance(found, str):
        return False
    try:
        staging.accept(file, [Path(found)], keep_parts=True)
    except ModelError:
        return False
    return True


def _address(repo: str, revision: str, file: str) -> str:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return f"{endpoint}/{repo}/resolve/{quote(revision, safe='')}/{quote(file)}"


def _authorisation() -> dict[str, str]:
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}
