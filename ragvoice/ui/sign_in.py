"""Who is there: through the company's sign-in, by the password file, or anybody on this machine. docs/people.md"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.datastructures import Headers

from ragvoice.errors import AccessError, RagVoiceError
from ragvoice.people.accounts import Accounts
from ragvoice.people.claims import ClaimRules, person_of_claims
from ragvoice.people.loopback import is_local
from ragvoice.people.person import Person
from ragvoice.server import shared
from ragvoice.server.admission import check_origin
from ragvoice.server.sign_ins import HEADER, PATH, SignIn
from ragvoice.settings import Settings, read_settings

_SIGNED_IN = "signed_in"
"""In the session's state: the `SignIn`."""
_FIRST_SEEN = "claims_first_seen"
"""There, too: when a company's sign-in was seen that does not say when it was made."""
_OFFER = "sign_in_offer"
"""There, too: for which the browser fetches its cookie."""
_FETCH = """<script>fetch({path}, {{method: "POST", headers: {{{header}: {offer}}}}})</script>"""
OPEN_NOTE = "No accounts: anyone on this machine can use this page."
CLOSED_NOTE = (
    "This page has no accounts yet, so it is open on its own machine only. There, open it as http://localhost, or add "
    "people first: ragvoice people add NAME --role admin"
)


def current_person(settings: Settings | None = None) -> Person | None:
    """Whoever looks at the page. None while nobody is signed in: then how to sign in, or why not, is drawn.

    Called at the top of every run, so that a changed role or a removed account counts from the next click on.
    """
    settings = settings or read_settings()
    try:
        if oidc_is_configured():
            return _by_company(settings)
        accounts = _accounts(settings.people_path)
        if accounts.exist():
            return _by_password(settings, accounts)
        return _anyone(settings)
    except RagVoiceError as error:
        st.error(str(error), icon=":material/lock:")
        return None


def current_sign_in() -> str | None:
    """Id of the `SignIn` of whoever looks at the page; None where nobody signs in."""
    sign_in = st.session_state.get(_SIGNED_IN)
    return sign_in.id if sign_in else None


def people_sign_in(settings: Settings) -> bool:
    """Whether there is any way to sign in, so that the page may be shown to other machines."""
    return oidc_is_configured() or Accounts(settings.people_path).exist()


def oidc_is_configured() -> bool:
    return bool(st.secrets.load_if_toml_exists() and "auth" in st.secrets)


def _by_company(settings: Settings) -> Person | None:
    claims = st.user.to_dict()
    if not claims.get("is_logged_in"):
        _show_company_sign_in()
        return None
    issued = claims.get("iat")
    if not isinstance(issued, int | float):
        issued = claims["iat"] = st.session_state.setdefault(_FIRST_SEEN, time.time())
    text = json.dumps(claims, sort_keys=True, default=str)
    sign_in = st.session_state[_SIGNED_IN] = shared.sign_ins.at_company(text, issued + 3600.0 * settings.sign_in_hours)
    if not shared.sign_ins.is_open(sign_in):
        _sign_out()
        _show_company_sign_in()
        return None
    rules = ClaimRules(
        settings.oidc_name,
        settings.oidc_groups,
        settings.oidc_owners,
        settings.oidc_admins,
        settings.oidc_sends_verified,
    )
    try:
        person = person_of_claims(claims, rules)
    except AccessError:
        st.button("Sign in as somebody else", on_click=_sign_out_at_company)
        raise
    _show_sign_out(person, _sign_out_at_company)
    return person


def _sign_out_at_company() -> None:
    _sign_out()
    st.logout()


def _show_company_sign_in() -> None:
    st.title("Sign in")
    if find_spec("authlib") is None:
        raise AccessError("Sign-in through a company needs Authlib. Install: pip install 'Authlib>=1.3.2'")
    section: Mapping[str, Any] = st.secrets["auth"]
    if "client_id" in section:
        st.button("Sign in", type="primary", on_click=st.login)
    for name, value in section.items():
        if isinstance(value, Mapping) and "client_id" in value:
            st.button(f"Sign in with {name.title()}", on_click=st.login, args=(name,))


def _by_password(settings: Settings, accounts: Accounts) -> Person | None:
    account = _signed_in(accounts)
    if account is None:
        _show_form(accounts, 3600.0 * settings.sign_in_hours)
        return None
    _give_cookie()
    _show_sign_out(account, _sign_out)
    return account


def _signed_in(accounts: Accounts) -> Person | None:
    """The person as the file has them now; None when they have to sign in, again or for the first time."""
    sign_in = st.session_state.get(_SIGNED_IN) or _kept()
    if sign_in is None:
        return None
    st.session_state[_SIGNED_IN] = sign_in
    try:
        return shared.sign_ins.person(sign_in, accounts)
    except AccessError:
        _sign_out()
        return None


def _kept() -> SignIn | None:
    """By the browser's cookie, which it also sends for a page on another port of this host; Streamlit lets that in."""
    headers = Headers(st.context.headers.to_dict())
    try:
        check_origin(headers.get("origin"), headers.get("host"))
    except AccessError:
        return None
    return shared.sign_ins.of(st.context.cookies, headers.get("host"))


def _give_cookie() -> None:
    """To the browser, which is drawn this until it has fetched it; without, a reloaded page asks to sign in again."""
    offer = st.session_state.get(_OFFER, "")
    if shared.sign_ins.is_offered(offer):
        script = _FETCH.format(path=json.dumps(PATH), header=json.dumps(HEADER), offer=json.dumps(offer))
        st.html(script, unsafe_allow_javascript=True)


def _show_form(accounts: Accounts, lifetime_s: float) -> None:
    with st.container(horizontal_alignment="center"), st.form("sign_in", width=420):
        st.title("Sign in", anchor=False)
        name = st.text_input("Name", autocomplete="username")
        password = st.text_input("Password", type="password", autocomplete="current-password")
        sent = st.form_submit_button("Sign in", type="primary")
        if not sent:
            return
        try:
            account = accounts.sign_in(name, password)
        except AccessError as error:
            st.error(str(error), icon=":material/lock:")
            return
        st.session_state.clear()
        sign_in = shared.sign_ins.begin(account.person.name, account.password, lifetime_s)
        st.session_state[_SIGNED_IN], st.session_state[_OFFER] = sign_in, shared.sign_ins.offer(sign_in)
        st.rerun()


def _sign_out() -> None:
    """Nothing of this person is left for the next one, nor for another page of the browser."""
    if sign_in := st.session_state.get(_SIGNED_IN):
        shared.sign_ins.end(sign_in)
    st.session_state.clear()


def _show_sign_out(person: Person, sign_out: Any) -> None:
    with st.sidebar:
        # Markdown would make a link of an address.
        st.html(f'<div class="rv-who">Signed in as {escape(person.name)}</div>')
        st.button("Sign out", icon=":material/logout:", on_click=sign_out)


def _anyone(settings: Settings) -> Person:
    if not is_local(st.context.headers.to_dict(), st.context.ip_address):
        raise AccessError(CLOSED_NOTE)
    st.sidebar.info(OPEN_NOTE, icon=":material/lock_open:")
    return Person(settings.person, "admin", settings.groups)


@st.cache_resource
def _accounts(file: Path) -> Accounts:
    """One for all sessions, so that guessing in many of them is slow, too."""
    return Accounts(file)
