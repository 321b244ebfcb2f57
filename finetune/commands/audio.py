"""`ragvoice finetune audio`, and `finetune data RUN --audio`: question sets -> recordings and a manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

EPILOG = "Example: ragvoice finetune audio data --out spoken --snr 20 --snr 5"


def audio(
    sets: Annotated[list[Path], typer.Argument(help="Folders with questions.jsonl, or files of questions.")],
    out: Annotated[Path, typer.Option(help="Folder for the recordings and manifest.jsonl.")],
    snr: Annotated[
        list[float] | None, typer.Option(help="Speech over noise in dB; may be repeated. Default: 20, 10, 5.")
    ] = None,
    noise: Annotated[Literal["babble", "pink", "white"], typer.Option(help="Kind of noise.")] = "babble",
    limit: Annotated[int | None, typer.Option(min=1, help="Take this many questions, evenly spread.")] = None,
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.9, help="Share of the questions that is kept for the proof, by document.")
    ] = 0.3,
    seed: Annotated[int, typer.Option(help="Of the split and the noise.")] = 0,
) -> None:
    """Speak questions with the configured voice, clean and in noise, for measuring and training a recogniser.

    A run that was stopped goes on where it was.
    """
    from finetune.questions import read_questions
    from finetune.recogniser.spoken import SNRS_DB, build_audio
    from ragvoice.build import build_text_to_speech
    from ragvoice.commands.progress import stage_bars
    from ragvoice.settings import read_settings

    settings = read_settings()
    asked = read_questions(sets)
    count = len(asked)
    if limit is not None and limit < count:
        asked = [asked[i * count // limit] for i in range(limit)]
    with stage_bars() as report:
        manifest = build_audio(
            asked,
            out,
            build_text_to_speech(settings),
            settings.tts if settings.speed == 1 else f"{settings.tts} x{settings.speed:g}",
            snrs_db=SNRS_DB if snr is None else snr,
            noise=noise,
            held_out_share=held_out,
            seed=seed,
            progress=lambda done, total: report("speak", done, total),
        )
    lines = len(manifest.read_text(encoding="utf-8").splitlines())
    typer.echo(f"{lines} recordings of {len(asked)} questions: {manifest}")
