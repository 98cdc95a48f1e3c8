"""`voxgate serve`: the server, until a signal ends it."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)
from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import say

# MERGED cli.logs
# The server's log: one line an event, on standard error.

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


def log_to_standard_error() -> None:
    """Let what the server says reach standard error: its own at INFO, of libraries warnings.

    Of uvicorn errors alone: it warns of whatever strangers send that is no HTTP.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("voxgate").setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


HOST, PORT = "127.0.0.1", 8000


def serve_command(
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

    from voxgate.api.server import ApiServer
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import find_named_model

    settings = apply_settings()
    models = [find_named_model(name, AvailableModels(settings)).name for name in preload or ()]
    log_to_standard_error()
    server = ApiServer(settings, host=host, port=port, preload=models)

    def ready() -> None:
        say(f"listening on {server.url}/api/v1 (the same at /v1); its pages are at /docs.")
        if settings.auth == "off":
            say("warning: it asks for no keys; whoever works on this machine may use it.")

    def first_key(secret: str) -> None:
        say(f"the first key, shown this once: {secret}")

    asyncio.run(server.run(ready=ready, first_key=first_key))
