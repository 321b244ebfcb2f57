"""Settings decide how files are read; the choice travels to the processes that parse."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from ingest.command import load_options
from ingest.loaders import load
from ingest.loaders.captions import TransformersCaptioner
from ragvoice.errors import DocumentError, ModelError
from ragvoice.settings import Settings, read_settings


def test_recordings_are_transcribed_with_the_configured_recogniser(settings: Settings) -> None:
    options = pickle.loads(pickle.dumps(load_options(settings)))
    assert options.transcriber is not None
    assert hasattr(options.transcriber(), "transcribe")
    assert options.captioner is None
    assert options.ocr


def test_what_is_switched_off_stays_off(clean_environment: Path) -> None:
    options = load_options(read_settings(ocr=False, recordings=False))
    assert (options.ocr, options.transcriber) == (False, None)


def test_a_folder_of_a_captioner_is_used_and_a_model_that_is_not_here_ends_the_job_early(
    clean_environment: Path, tmp_path: Path
) -> None:
    options = pickle.loads(pickle.dumps(load_options(read_settings(captioner=str(tmp_path)))))
    with pytest.raises(ModelError, match="cannot be loaded as a model that describes images"):
        options.captioner()
    assert options.captioner.func is TransformersCaptioner
    with pytest.raises(ModelError, match="ragvoice models pull acme/captions"):
        load_options(read_settings(captioner="acme/captions"))


def test_the_reason_for_a_file_that_is_too_large_names_the_setting(clean_environment: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * (2**20 + 1))
    with pytest.raises(DocumentError, match=r"more than the limit of 1 MiB for one file \(the setting max_file_mib\)"):
        list(load(path, load_options(read_settings(max_file_mib=1))))
    assert next(load(path, load_options(read_settings(max_file_mib=2)))).page_content.startswith("xxx")
    assert load_options(read_settings(max_file_mib=5000)).max_unpacked_bytes == 5000 * 2**20
