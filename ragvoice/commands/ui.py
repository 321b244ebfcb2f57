"""`ragvoice ui`: the page and the voice door."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ragvoice.commands.options import Index


def ui(
    host: Annotated[
        str, typer.Option(help="Address to listen on; another one than this machine needs accounts.", metavar="ADDRESS")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one.")] = 8501,
    index: Index = None,
) -> None:
    """Open the page: ask aloud or in writing, look after documents, quality and settings. Ctrl-C ends it."""
    from ragvoice.errors import UsageError
    from ragvoice.settings import read_settings

    try:
        from streamlit.starlette import App
    except ImportError as error:
        raise UsageError("streamlit is missing. Install: pip install 'ragvoice[app]'") from error
    from ragvoice.server import shared
    from ragvoice.server.admission import check_bind
    from ragvoice.ui.asgi import app_parts
    from ragvoice.ui.sign_in import people_sign_in

    settings = read_settings(index=index)
    check_bind(host, people_sign_in(settings))
    shared.open_desk(settings)
    options: dict[str, Any] = {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
    }
    App(**app_parts(host)).run(config=options)
