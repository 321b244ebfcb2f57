"""The page of who looks after people: add, change, remove."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import streamlit as st

from ragvoice.errors import RagVoiceError, TurnLogError
from ragvoice.people.passwords import SHORTEST
from ragvoice.people.person import Person, Role
from ragvoice.ui.sign_in import oidc_is_configured

if TYPE_CHECKING:
    from ragvoice.desk import Desk
    from ragvoice.people.accounts import Accounts

_ROLES: tuple[Role, ...] = get_args(Role)
_MEANING: dict[Role, str] = {
    "asker": "Asker: asks questions",
    "owner": "Owner: also documents, quality and fine-tuning",
    "admin": "Admin: also settings and people",
}
_NOTE = "people_note"
"""In the session's state: what has just been done."""


def render(desk: Desk, person: Person) -> None:
    """:raises AccessError: for anybody but an admin."""
    accounts = desk.accounts(person)
    st.title("People", anchor=False)
    if oidc_is_configured():
        st.info(
            "People sign in through your company. Their groups come from there; the settings oidc_owners and "
            "oidc_admins say who may do more than ask.",
            icon=":material/badge:",
        )
        return
    if note := st.session_state.pop(_NOTE, None):
        st.success(note, icon=":material/check:")
    people = accounts.all()
    if not people:
        st.info(
            "Nobody signs in yet: this page is open, on this machine only. Add yourself as the first admin; from then "
            "on everybody signs in, and other machines can be served.",
            icon=":material/lock_open:",
        )
    groups = _known_groups(desk, person, people)
    for one in people:
        with st.expander(f"{one.name} · {one.role}" + (f" · {', '.join(one.groups)}" if one.groups else "")):
            _show_person(desk, person, accounts, one, groups)
    _show_add(accounts, groups, first=not people)


def _show_person(desk: Desk, admin: Person, accounts: Accounts, one: Person, groups: list[str]) -> None:
    with st.form(f"change {one.name}", border=False):
        role = st.selectbox("Role", _ROLES, _ROLES.index(one.role), format_func=_MEANING.__getitem__)
        chosen = _groups_of(groups, one.groups)
        if st.form_submit_button("Save"):
            _done(lambda: accounts.change(one.name, role=role, groups=chosen), f"{one.name} is changed.")
    st.divider()
    with st.form(f"password {one.name}", border=False, clear_on_submit=True):
        password = _new_password()
        if st.form_submit_button("Set the password"):
            _done(lambda: accounts.set_password(one.name, password), f"{one.name} has a new password.")
    st.divider()
    with st.form(f"remove {one.name}", border=False):
        forget = st.checkbox(
            "Also delete what they have asked", help="Else it would belong to a later person of the same name."
        )
        sure = st.checkbox(f"Yes, remove {one.name}")
        if st.form_submit_button("Remove", icon=":material/delete:"):
            if not sure:
                st.warning("Tick the box to remove this person.")
            else:
                _done(lambda: _remove(desk, admin, accounts, one, forget), f"{one.name} is removed.")


def _show_add(accounts: Accounts, groups: list[str], *, first: bool) -> None:
    st.subheader("Add a person", anchor=False)
    with st.form("add"):
        name = st.text_input("Name", help="Their e-mail address, or any name.", autocomplete="off")
        role = st.selectbox("Role", _ROLES, _ROLES.index("admin") if first else 0, format_func=_MEANING.__getitem__)
        chosen = _groups_of(groups, ())
        password = _new_password()
        if st.form_submit_button("Add", type="primary"):
            person = Person(name.strip(), role, tuple(chosen))
            _done(lambda: accounts.add(person, password), f"{person.name} can sign in now.")


def _groups_of(known: list[str], chosen: tuple[str, ...]) -> list[str]:
    return st.multiselect(
        "Groups",
        known,
        chosen,
        accept_new_options=True,
        help="They read documents for these groups, and those for everyone.",
        placeholder="None: documents for everyone",
    )


def _new_password() -> str:
    return st.text_input(
        "New password", type="password", help=f"At least {SHORTEST} characters.", autocomplete="new-password"
    )


def _remove(desk: Desk, admin: Person, accounts: Accounts, one: Person, forget: bool) -> None:
    accounts.remove(one.name)
    if not forget:
        return
    try:
        desk.forget_turns(admin, one.name)
    except TurnLogError as error:  # the page does not list them any more
        raise TurnLogError(
            f"{one.name} is removed, and what they have asked may still be there. {error} To delete it, run: "
            f"ragvoice turns forget --person {shlex.quote(one.name)}"
        ) from error


def _done(act: Callable[[], object], note: str) -> None:
    """Do it and show the page as it is then, or say why not."""
    try:
        act()
    except RagVoiceError as error:
        st.error(str(error))
        return
    st.session_state[_NOTE] = note
    st.rerun()


def _known_groups(desk: Desk, person: Person, people: list[Person]) -> list[str]:
    """Of people and documents; the index may not be there yet."""
    found = {group for one in people for group in one.groups}
    with suppress(RagVoiceError):
        found |= {group for document in desk.documents(person) for group in document.allowed_groups}
    return sorted(found)
