"""The script behind every page: who is there, what they may open."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from ragvoice.errors import RagVoiceError
from ragvoice.ui.wording import label, trouble

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.person import Person, Right
    from ragvoice.ui.ask import LiveVoice

_log = logging.getLogger(__name__)
_FOLDER = Path(__file__).parent

PAGES: tuple[tuple[Right, str, str, str], ...] = (
    ("ask", "Ask", "ask", ":material/graphic_eq:"),
    ("documents", "Documents", "documents", ":material/folder_open:"),
    ("quality", "Quality", "quality", ":material/monitoring:"),
    ("finetuning", "Fine-tuning", "tuning", ":material/tune:"),
    ("settings", "Settings", "preferences", ":material/settings:"),
    ("people", "People", "people_page", ":material/group:"),
)
"""Right, title, module with `render(desk, person)`, icon. The library checks the right again."""


def draw(
    find_person: Callable[[], Person | None], desk: Callable[[], Desk], live_voice: LiveVoice | None = None
) -> None:
    """
    :param find_person: Whoever looks at the page; None where nobody is signed in, with the way to do so drawn.
    :param desk: The one of this process; its errors are shown, not raised.
    :param live_voice: Draws the live microphone of the page Ask; None leaves it out.
    """
    # A Material symbol or an emoji would be fetched from the network.
    st.set_page_config(page_title="ragvoice", page_icon=_FOLDER / "icon.svg", layout="wide")
    st.html(_FOLDER / "style.css")
    person = find_person()
    if person is None:
        _keep_address()
        return
    more: dict[str, dict[str, Any]] = {"ask": {"live_voice": live_voice}}
    pages = [
        st.Page(
            _page(module, person, desk, more.get(module, {})),
            title=title,
            icon=icon,
            url_path=module,
            default=module == "ask",
        )
        for right, title, module, icon in PAGES
        if person.may(right)
    ]
    st.navigation(pages, expanded=True).run()


def _keep_address() -> None:
    """While somebody signs in: without this the links of who has just left would stay, and the address be lost."""
    pages = [st.Page(_nothing, title=title, url_path=module, default=module == "ask") for _, title, module, _ in PAGES]
    st.navigation(pages, position="hidden")


def _nothing() -> None:
    """The form to sign in is drawn already."""


def _page(module: str, person: Person, desk: Callable[[], Desk], more: dict[str, Any]) -> Callable[[], None]:
    def page() -> None:
        render = import_module(f"ragvoice.ui.{module}").render
        try:
            render(desk(), person, **more)
        except (RagVoiceError, OSError) as error:
            if isinstance(error, OSError):
                _log.exception("The page %s failed", module)
            words = trouble(error)
            st.error(f"**{words.title}**\n\n{label(words.message, 400)}\n\n{words.advice}", icon=":material/error:")

    return page
