"""The script behind every page: who is there, what they may open."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ragvoice.errors import RagVoiceError
from ragvoice.ui.wording import label, trouble

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person, Right

_FOLDER = Path(__file__).parent

Render = Callable[["Desk", "Person"], None]

PAGES: tuple[tuple[Right, str, str, str], ...] = (
    ("ask", "Ask", "ask", ":material/graphic_eq:"),
    ("documents", "Documents", "documents", ":material/folder_open:"),
    ("quality", "Quality", "quality", ":material/monitoring:"),
    ("finetuning", "Fine-tuning", "tuning", ":material/tune:"),
    ("settings", "Settings", "preferences", ":material/settings:"),
    ("people", "People", "people_page", ":material/group:"),
)
"""Right, title, module with `render(desk, person)`, icon. The library checks the right again."""


def draw(find_person: Callable[[], Person], desk: Callable[[], Desk]) -> None:
    """
    :param find_person: Whoever looks at the page; ends the run where nobody is signed in.
    :param desk: The one of this process; its errors are shown, not raised.
    """
    # A Material symbol or an emoji would be fetched from the network.
    st.set_page_config(page_title="ragvoice", page_icon=_FOLDER / "icon.svg", layout="wide")
    st.html(_FOLDER / "style.css")
    person = find_person()
    pages = [
        st.Page(_page(module, person, desk), title=title, icon=icon, url_path=module, default=module == "ask")
        for right, title, module, icon in PAGES
        if person.may(right)
    ]
    st.navigation(pages, expanded=True).run()


def _page(module: str, person: Person, desk: Callable[[], Desk]) -> Callable[[], None]:
    def page() -> None:
        render: Render = import_module(f"ragvoice.ui.{module}").render
        try:
            render(desk(), person)
        except RagVoiceError as error:
            words = trouble(error)
            st.error(f"**{words.title}**\n\n{label(words.message, 400)}\n\n{words.advice}", icon=":material/error:")

    return page
