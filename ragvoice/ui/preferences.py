"""The page on which an administrator changes the settings, each with what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from ragvoice.files import megabytes
from ragvoice.settings import WORKING_FOLDER_FILE
from ragvoice.settings_file import REBUILD, REINGEST, save_settings, set_elsewhere
from ragvoice.ui.job_view import kindly, open_jobs, show_jobs, start
from ragvoice.ui.wording import label

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.jobs.jobs import Jobs
    from ragvoice.models.catalogue import Task
    from ragvoice.models.costs import ModelCost
    from ragvoice.people.person import Person
    from ragvoice.settings import Settings

_LANGUAGES = ("auto", "en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "cs", "da", "uk", "ja", "zh")
"""Offered; any ISO 639-1 code can be typed."""

_NOTE = "settings_note"
"""In the session's state: the section that has just been saved, and what that takes."""


@dataclass(frozen=True)
class Field:
    """One setting. Its limits and its default are those of `Settings`."""

    name: str
    label: str
    help: str
    kind: Literal["model", "choice", "whole", "share", "decimal", "switch", "text"]
    task: Task | None = None
    choices: tuple[str, ...] = ()


SECTIONS: Mapping[str, tuple[Field, ...]] = {
    "Answers": (
        Field("llm", "Language model", "Writes the answers. A larger one is slower.", "model", "text-generation"),
        Field("adapter", "Adapter", "auto: the one in service; none: the bare model; or a folder", "text"),
        Field("max_new_tokens", "Longest answer in tokens", "About four characters each; more take longer", "whole"),
        Field("min_confidence", "Least confidence", "Below it nothing is answered; empty: as fitted", "share"),
        Field("unclear_speech", "Ask back below", "Confidence of the recogniser; 0 never asks back", "share"),
    ),
    "Voice": (
        Field("stt", "Recogniser", "Understands speech. A larger one is slower and hears better.", "model",
              "speech-to-text"),
        Field("language", "Language of the speech", "auto detects it, which takes a little longer", "choice",
              choices=_LANGUAGES),
        Field("tts", "Voice", "Speaks the answers", "model", "text-to-speech"),
        Field("speed", "Speaking rate", "1 is the voice's own", "decimal"),
    ),
    "Retrieval": (
        Field("embedder", "Embedder", "Finds passages by meaning. Another one needs a new index.", "model",
              "embedding"),
        Field("dense_weight", "Share of meaning", "The rest of the score is by words (BM25)", "share"),
        Field("prompt_passages", "Passages that are read", "More take longer: the model reads each of them", "whole"),
        Field("relative_score", "As good as the best", "Only passages with this share of its score", "share"),
        Field("prompt_tokens", "Longest reading in tokens", "Upper limit for all passages together", "whole"),
        Field("reranker", "Reranker", "A cross-encoder, folder or hub id; costs a second and more a question", "text"),
    ),
    "Documents": (
        Field("ocr", "Read scanned pages", "Some seconds a page while ingesting", "switch"),
        Field("recordings", "Transcribe recordings", "About a tenth of their length while ingesting", "switch"),
        Field("chunk_tokens", "Longest passage in tokens", "Of the embedder", "whole"),
        Field("overlap_tokens", "Overlap in tokens", "Shared by neighbouring passages", "whole"),
        Field("max_file_mib", "Largest file in MiB", "Larger ones are skipped, and not taken as an upload", "whole"),
    ),
    "Privacy": (
        Field("turn_log", "Keep questions and answers", "For histories, ratings and fine-tuning", "switch"),
        Field("turn_log_days", "For so many days", "Then they are deleted", "whole"),
    ),
}  # fmt: skip


def render(desk: Desk, person: Person, jobs: Jobs | None = None) -> None:
    """:raises AccessError: when the person may not change the settings."""
    from ragvoice.settings import read_settings

    person.require("settings")
    jobs = jobs or open_jobs(desk.settings)
    st.title("Settings", anchor=False)
    with kindly():
        current = read_settings()
        if Path(WORKING_FOLDER_FILE).is_file():
            st.info(f"{WORKING_FOLDER_FILE} in the working folder decides; change the settings there.")
        _pending(desk.settings, current)
        show_jobs(jobs, person, "pull")
        costs = _costs()
        for tab, (title, fields) in zip(st.tabs(list(SECTIONS)), SECTIONS.items(), strict=True):
            with tab:
                _section(jobs, person, current, title, fields, costs)


def bounds(name: str) -> tuple[float | None, float | None]:
    """Least and greatest value that `Settings` takes; None is no limit. An open end counts as a closed one."""
    from ragvoice.settings import Settings

    least, greatest = None, None
    for rule in Settings.model_fields[name].metadata:
        least = next((value for key in ("ge", "gt") if (value := getattr(rule, key, None)) is not None), least)
        greatest = next((value for key in ("le", "lt") if (value := getattr(rule, key, None)) is not None), greatest)
    return least, greatest


def changes(current: Settings, entered: Mapping[str, Any]) -> dict[str, Any]:
    """What was entered and is not so yet; an empty text is no value."""
    wanted = {name: None if value == "" else value for name, value in entered.items()}
    return {name: value for name, value in wanted.items() if value != getattr(current, name)}


def consequences(names: Mapping[str, Any] | list[str]) -> list[str]:
    """What must happen before changed settings count, a sentence each."""
    rebuilt, read_again = sorted(REBUILD & {*names}), sorted(REINGEST & {*names})
    sentences = ["Restart ragvoice: running pages keep the models they have loaded."] if names else []
    if rebuilt:
        sentences.append(f"Then rebuild the index, on the page Documents, under Upkeep ({', '.join(rebuilt)}).")
    elif read_again:
        sentences.append(f"The next ingest reads documents with it ({', '.join(read_again)}).")
    return sentences


def cost_words(cost: ModelCost) -> str:
    """Of a model in use."""
    where = f"{megabytes(cost.disk_bytes)} on disk" if cost.installed else "not on this machine"
    return f"{cost.name}: {where}, about {megabytes(cost.weights_bytes)} in memory, licence {cost.licence}"


def _pending(running: Settings, current: Settings) -> None:
    names = [field.name for field in _all_fields() if getattr(running, field.name) != getattr(current, field.name)]
    if names:
        named = ", ".join(field.label for field in _all_fields() if field.name in names)
        st.warning(
            f"**Saved, not yet in force:** {named}. " + " ".join(consequences(names)), icon=":material/restart_alt:"
        )


def _costs() -> dict[str, list[ModelCost]]:
    """By task."""
    from ragvoice.build import build_store
    from ragvoice.models.costs import model_costs

    store = build_store()
    return {field.task: model_costs(store, field.task) for field in _all_fields() if field.task}


def _section(
    jobs: Jobs,
    person: Person,
    current: Settings,
    title: str,
    fields: tuple[Field, ...],
    costs: Mapping[str, list[ModelCost]],
) -> None:
    for field in fields:
        if field.task:
            _cost_table(jobs, person, field, costs[field.task])
    with st.form(f"settings-{title}"):
        entered = {field.name: _widget(field, current, costs) for field in fields}
        if st.form_submit_button("Save", type="primary", icon=":material/save:"):
            changed = changes(current, entered)
            if not changed:
                st.info("Nothing was changed.")
                return
            with kindly():
                file = save_settings(person, changed)
                said = f"Saved to {label(str(file), 200)}. " + " ".join(consequences(changed))
                st.session_state[_NOTE] = title, said
                st.rerun()
        if st.session_state.get(_NOTE, ("",))[0] == title:
            st.success(st.session_state.pop(_NOTE)[1])


def _cost_table(jobs: Jobs, person: Person, field: Field, costs: list[ModelCost]) -> None:
    from ragvoice.jobs.work import Pull

    with st.expander(f"{field.label}: what the choices cost", icon=":material/scale:"):
        st.dataframe(
            [
                {
                    "Model": cost.name,
                    "Here": "yes" if cost.installed else "no",
                    "Download": megabytes(cost.download_bytes),
                    "On disk": megabytes(cost.disk_bytes) if cost.installed else "-",
                    "In memory, about": megabytes(cost.weights_bytes),
                    "Licence": cost.licence,
                }
                for cost in costs
            ],
            hide_index=True,
        )
        for cost in costs:
            if not cost.installed and st.button(
                f"Download {cost.name}, {megabytes(cost.download_bytes)}", key=f"pull-{field.name}-{cost.name}",
                icon=":material/download:",
            ):  # fmt: skip
                start(jobs, person, Pull(cost.name))


def _widget(field: Field, current: Settings, costs: Mapping[str, list[ModelCost]]) -> Any:
    value, elsewhere = getattr(current, field.name), set_elsewhere(field.name)
    shared: dict[str, Any] = {
        "help": f"{field.help}; {elsewhere}" if elsewhere else field.help,
        "disabled": elsewhere is not None,
        "key": f"setting-{field.name}-{value}",  # a value that has changed elsewhere is not sent back as it was
    }
    least, greatest = bounds(field.name)
    match field.kind:
        case "model" | "choice":
            known = [cost.name for cost in costs[field.task]] if field.task else list(field.choices)
            options = known if value in known else [value, *known]
            chosen = st.selectbox(field.label, options, options.index(value), accept_new_options=True, **shared)
            for cost in costs[field.task] if field.task else ():
                if cost.name == value:
                    st.caption(label(cost_words(cost), 200))
            return chosen
        case "whole":
            return st.number_input(field.label, _whole(least), _whole(greatest), value, 1, **shared)
        case "share":
            return st.number_input(field.label, 0.0, 1.0, value, 0.05, **shared)
        case "decimal":
            return st.number_input(field.label, _decimal(least), _decimal(greatest), value, 0.05, **shared)
        case "switch":
            return st.toggle(field.label, value, **shared)
        case "text":
            return st.text_input(field.label, value or "", **shared)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _decimal(value: float | None) -> float | None:
    return None if value is None else float(value)


def _all_fields() -> Iterator[Field]:
    for fields in SECTIONS.values():
        yield from fields
