"""The WebSocket at /v1/realtime: OpenAI's Realtime API, as far as one voice loop needs it, in front of a voice loop.

Text frames are JSON events (`client_events`, `server_events`); a binary frame is sound as `input_audio_buffer.append`
carries it, without base64. What cannot be used is answered with an `error` event and the connection goes on. A client
that goes away closes its loop, and so does one whose sign-in is over.

Close codes: 4401 not admitted, or not any more; 1013 too many connections.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from dataclasses import replace

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from ragvoice.errors import AccessError, BusyError, RagVoiceError
from ragvoice.people.loopback import is_local
from ragvoice.server.admission import Authenticate, check_origin, ticket_of
from ragvoice.server.connection import NOT_ADMITTED, Connection, OpenLoop
from ragvoice.server.server_events import error_event
from ragvoice.server.sign_ins import SignIns

PATH = "/v1/realtime"
MAX_CONNECTIONS = 64
TRY_AGAIN_LATER = 1013


def realtime_route(
    open_loop: OpenLoop,
    authenticate: Authenticate,
    sign_ins: SignIns,
    *,
    per_person: int,
    max_connections: int = MAX_CONNECTIONS,
) -> WebSocketRoute:
    """:param per_person: Connections of one person, so that nobody takes all.
    :param max_connections: Of all people together.
    """
    connected = Counter[str]()

    async def endpoint(websocket: WebSocket) -> None:
        offered = [name.strip() for name in websocket.headers.get("sec-websocket-protocol", "").split(",")]
        await websocket.accept("realtime" if "realtime" in offered else None)
        local = is_local(websocket.headers, websocket.client.host if websocket.client else None)
        try:
            check_origin(websocket.headers.get("origin"), websocket.headers.get("host"))
            admitted = authenticate(ticket_of(websocket.headers.get("authorization"), offered), local)
            admitted.person.require("ask")
            if admitted.sign_in is not None:
                sign_ins.get(admitted.sign_in)
        except AccessError as error:
            await _refuse(websocket, error, NOT_ADMITTED)
            return
        name = admitted.person.name
        if connected[name] >= per_person:
            why = f"You have {per_person} pages open already. Close one of them, and this one connects by itself."
            await _refuse(websocket, BusyError(why), TRY_AGAIN_LATER)
            return
        if connected.total() >= max_connections:
            why = f"{connected.total()} people are connected, and more would slow everyone down. Try again soon."
            await _refuse(websocket, BusyError(why), TRY_AGAIN_LATER)
            return
        chosen = admitted.conversation_id or websocket.query_params.get("conversation_id") or uuid.uuid4().hex
        connected[name] += 1
        try:
            await Connection(websocket, replace(admitted, conversation_id=chosen), open_loop, sign_ins).run()
        finally:
            connected[name] -= 1
            if not connected[name]:
                del connected[name]

    return WebSocketRoute(PATH, endpoint, name="realtime")


async def _refuse(websocket: WebSocket, error: RagVoiceError, code: int) -> None:
    await websocket.send_text(json.dumps(error_event(error)))
    await websocket.close(code, str(error)[:100])
