"""`ragvoice finetune ask`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ragvoice.commands.options import AsJson, Groups, Index, style_name


def ask(
    run: Annotated[str, typer.Argument(help="Name of a trained run; `ragvoice finetune list` shows them.")],
    question: Annotated[str, typer.Argument(help="What both are asked.")],
    index: Index = None,
    groups: Groups = None,
    style: Annotated[str, typer.Option(help="short or spoken.")] = "spoken",
    as_json: AsJson = False,
) -> None:
    """Ask the base model and the run's adapter the same question, over the same passages.

    The first question to a new adapter takes a minute longer: it is merged into its base.
    """
    from finetune.proof.evaluating import adapter_flags, base_flags
    from finetune.run_folder import RunFolder
    from ragvoice.build import build_retriever, build_voicebot, open_index
    from ragvoice.commands.progress import stage_bars
    from ragvoice.contract import answer_json
    from ragvoice.settings import read_settings
    from ragvoice.voicebot import check_question

    check_question(question)
    folder = RunFolder.existing(run)
    sides = {"base": base_flags(folder), "adapter": adapter_flags(folder)}
    asker = read_settings(index=index, groups=groups)
    retriever = build_retriever(asker, open_index(asker))
    answers = {}
    with stage_bars() as report:
        for number, (side, flags) in enumerate(sides.items()):
            report("ask", number, len(sides))
            settings = read_settings(index=index, **flags)
            bot = build_voicebot(settings, listens=False, speaks=False, retriever=retriever)
            answers[side] = bot.ask(question, groups=asker.groups, style=style_name(style))
            report("ask", number + 1, len(sides))
    if as_json:
        typer.echo(json.dumps({side: answer_json(answer, None) for side, answer in answers.items()}))
        return
    for side, answer in answers.items():
        typer.echo(f"{side}: {answer.answer}\n  {answer.outcome}, confidence {answer.confidence:.2f}")
