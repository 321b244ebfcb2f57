"""`ragvoice transcribe` and `ragvoice speak`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ragvoice.commands.options import AsJson


def transcribe(
    files: Annotated[list[Path], typer.Argument(help="Recordings: WAV, FLAC, MP3, M4A, OGG, WebM ...")],
    language: Annotated[str | None, typer.Option(help="ISO 639-1 code, or auto.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write down what recordings say. A file that cannot be used is reported, the others go on."""
    from ragvoice.build import build_speech_to_text
    from ragvoice.contract import transcription_json
    from ragvoice.errors import RagVoiceError
    from ragvoice.settings import read_settings
    from ragvoice.speech.audio import decode

    recogniser = build_speech_to_text(read_settings(language=language))
    failed = False
    for file in files:
        try:
            heard = recogniser.transcribe(decode(file))
        except RagVoiceError as error:
            failed = True
            if as_json:
                typer.echo(json.dumps({"file": str(file), "error": {"code": error.code, "message": str(error)}}))
            else:
                typer.echo(f"{file}: {error}", err=True)
            continue
        if as_json:
            typer.echo(json.dumps(transcription_json(str(file), heard)))
        else:
            typer.echo(heard.text or "(no speech)")
    if failed:
        raise typer.Exit(1)


def speak(
    text: Annotated[str, typer.Argument(help="What to say.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="WAV file to write.")],
) -> None:
    """Say a text with the configured voice and write it to a WAV file."""
    import numpy as np

    from ragvoice.build import build_text_to_speech
    from ragvoice.datatypes import AudioChunk
    from ragvoice.errors import UsageError
    from ragvoice.sentences import split_sentences
    from ragvoice.settings import read_settings
    from ragvoice.speech.audio import write_wav
    from ragvoice.speech.speakable import speakable

    if not text.strip():
        raise UsageError("There is nothing to say: the text is empty.")
    voice = build_text_to_speech(read_settings())
    sentences = [voice.synthesise(speakable(text[start:end])).samples_t for start, end in split_sentences(text)]
    write_wav(output, AudioChunk(np.concatenate(sentences), voice.sample_rate_hz))
    typer.echo(f"audio: {output}")
