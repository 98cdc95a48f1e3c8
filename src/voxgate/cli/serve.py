"""`voxgate serve`: the server, until a signal ends it."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

from typing import Annotated

import typer

from voxgate.cli.settings import in_force
from voxgate.cli.streams import say

HOST, PORT = "127.0.0.1", 8000


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 is every one of this machine.")
    ] = HOST,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 is any that is free.")
    ] = PORT,
    preload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL", help="Start this model now, not at its first use; may be repeated."
        ),
    ] = None,
) -> None:
    """Serve OpenRouter's transcription API, for OpenRouter's, OpenAI's and Mistral's clients.

    With no key yet, it makes one and shows it once. Ctrl-C lets work under way finish for
    VOXGATE_DRAIN_S seconds; a second one does not.
    """
    import asyncio

    from voxgate.api.server import Server
    from voxgate.cli.logs import to_standard_error
    from voxgate.engine.catalogue import named
    from voxgate.registry.shelf import Shelf

    settings = in_force()
    models = [named(name, Shelf(settings)).name for name in preload or ()]
    to_standard_error()
    server = Server(settings, host=host, port=port, preload=models)

    def ready() -> None:
        say(f"listening on {server.url}/api/v1 (the same at /v1); its pages are at /docs.")
        if settings.auth == "off":
            say("warning: it asks for no keys; whoever works on this machine may use it.")

    def first_key(secret: str) -> None:
        say(f"the first key, shown this once: {secret}")

    asyncio.run(server.run(ready=ready, first_key=first_key))
