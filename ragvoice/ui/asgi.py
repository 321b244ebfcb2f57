"""The page and the voice door in one ASGI process."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragvoice.errors import AccessError, RagVoiceError, UsageError
from ragvoice.people.accounts import Accounts
from ragvoice.people.person import Person
from ragvoice.server import shared
from ragvoice.server.admission import authenticator, check_bind
from ragvoice.server.connection import LiveLoop
from ragvoice.server.realtime import realtime_route
from ragvoice.server.session import Session
from ragvoice.server.sign_ins import OVER, sign_in_route
from ragvoice.server.tickets import Admitted
from ragvoice.ui.sign_in import oidc_is_configured, people_sign_in
from ragvoice.voice.messages import LoopOptions

if TYPE_CHECKING:
    from streamlit.starlette import App

SCRIPT = Path(__file__).parent / "start.py"
"""What Streamlit runs for every page."""
_ENDLESS_S = 24 * 3600.0
_AGAIN_S = 5.0
"""Between two tries to load the models."""

_log = logging.getLogger(__name__)


def app_parts(address: str | None = None) -> dict[str, Any]:
    """What the app is made of: `App(**app_parts())`. `streamlit run` finds an app only where it is made in its file.

    Exits with a sentence when the server would listen to other machines and nobody had to sign in.

    :param address: That it listens on; None is what Streamlit is configured with.
    """
    from streamlit import config

    try:
        settings = shared.desk().settings
        check_bind(address or config.get_option("server.address") or "", people_sign_in(settings))
    except UsageError as error:
        raise SystemExit(f"ragvoice: {error}") from error
    anyone = Person(settings.person, "admin", settings.groups)
    authenticate = authenticator(shared.tickets, lambda: people_sign_in(settings), anyone)
    routes = [
        realtime_route(open_loop, authenticate, shared.sign_ins, per_person=settings.connections_per_person),
        sign_in_route(shared.sign_ins),
    ]
    return {"script_path": SCRIPT, "routes": routes, "lifespan": lifespan}


@asynccontextmanager
async def lifespan(_app: App) -> AsyncIterator[None]:
    """The page is there at once; the models are loaded meanwhile, and read the documents while nobody asks."""
    closed = threading.Event()
    threading.Thread(target=_warm, args=(closed,), name="load-models", daemon=True).start()
    yield
    closed.set()


def _warm(closed: threading.Event) -> None:
    desk, said = shared.desk(), ""
    while not closed.is_set():
        try:
            _ = desk.models
            break
        except RagVoiceError as error:  # the page says it to whoever asks; the first document may come later
            if str(error) != said:
                _log.warning("The models are not loaded yet: %s", said := str(error))
        closed.wait(_AGAIN_S)
    # Streamlit collects garbage after every script, several times a second while an answer is drawn. With all modules
    # and models to look at, that takes so long that the thread which answers hardly runs.
    gc.collect()
    gc.freeze()
    if not closed.is_set():
        desk.read_while_idle(closed)


def open_loop(admitted: Admitted, session: Session) -> LiveLoop:
    desk = shared.desk()
    accounts = Accounts(desk.settings.people_path)
    return desk.loop(
        admitted.person,
        admitted.conversation_id,
        loop_options(session),
        as_of_now=lambda _: person_now(accounts, admitted),
        shown=admitted.by_page,
    )


def person_now(accounts: Accounts, admitted: Admitted) -> Person:
    """A connection may outlive a role, groups, an account and a sign-in; a company names groups at the next one only.

    :raises AccessError: when people sign in, and this sign-in or its account is over.
    """
    sign_in = shared.sign_ins.get(admitted.sign_in) if admitted.sign_in is not None else None
    if oidc_is_configured() or not accounts.exist():
        return admitted.person
    if sign_in is None:
        raise AccessError(OVER)
    return shared.sign_ins.person(sign_in, accounts)


def loop_options(session: Session) -> LoopOptions:
    """What a client of the Realtime API may choose, as the voice loop calls it."""
    options = LoopOptions(echo="cancelled" if session.interrupts else "half_duplex", answer_at_once=session.responds)
    if session.by_hand:
        return replace(options, pause_s=_ENDLESS_S, patient_pause_s=_ENDLESS_S)
    if session.pause_s is not None:
        return replace(options, pause_s=session.pause_s, patient_pause_s=max(session.pause_s, options.patient_pause_s))
    return options
