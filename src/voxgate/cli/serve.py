"""`voxgate serve`: run the server until a signal stops it."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)
from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.settings import apply_settings_and_keys
from voxgate.cli.streams import log_messages, print_message, write_output
from voxgate.configuration.values import MAX_PORT

if TYPE_CHECKING:
    from voxgate.settings import Settings


def serve_command(
    host: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="The address to listen on; 0.0.0.0 is every address of this machine.  "
            "[default: VOXGATE_HOST, or 127.0.0.1]",
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_PORT,
            metavar="NUMBER",
            help="The port to listen on; 0 is any free port.  [default: VOXGATE_PORT, or 8000]",
        ),
    ] = None,
    preload: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL", help="Start this model now, not at its first use; may be repeated."
        ),
    ] = None,
) -> None:
    """Serve OpenRouter's transcription API, for OpenRouter's, OpenAI's and Mistral's clients.

    A browser is shown pages at the same address.

    The keys in voxgate.toml are applied first. Without any key it creates one and prints it once:
    to standard output, unless standard error is a terminal with plain lines.
    After Ctrl-C, requests in progress may finish for VOXGATE_DRAIN_S seconds; a second Ctrl-C ends
    them.
    """
    import asyncio
    from dataclasses import replace

    from voxgate.api.open_files import raise_limit
    from voxgate.api.server import ApiServer
    from voxgate.cli.listed_keys import apply_keys
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import find_named_model
    from voxgate.web.mount import add_pages

    settings, keys = apply_settings_and_keys()
    begin_telemetry(settings)
    available = AvailableModels(settings)
    available.check_aliases()
    available.check_helpers()
    available.check_endpoints()
    settings = replace(settings, prices=available.prices())
    models = [find_named_model(name, available).name for name in preload or ()]
    print_left_out(settings)
    raise_limit()
    server = ApiServer(
        settings,
        host=settings.host if host is None else host,
        port=settings.port if port is None else port,
        preload=models,
        pages=add_pages,
    )

    def ready() -> None:
        print_message(
            f"listening on {server.url}/api/v1 (the same at /v1); open {server.url} in a browser."
        )
        if settings.auth == "off":
            print_message(
                "warning: it requires no keys; everybody on this machine may use it.",
                logging.WARNING,
            )

    def first_key(secret: str) -> None:
        if settings.log_format == "text" and sys.stderr.isatty():
            print_message(f"the first key, shown only now: {secret}")
        else:  # logs are kept, and read by others
            write_output(f"{secret}\n")
            print_message("the first key was written to standard output. It is shown only now.")

    async def run() -> None:
        await apply_keys(settings, keys)
        await server.run(ready=ready, first_key=first_key, on_stop=print_stopping)

    asyncio.run(run())


def print_stopping(jobs: int) -> None:
    """Say that a server stops, and what it waits for."""
    if not jobs:
        print_message("stopping.")
        return
    requests, them = ("request", "it") if jobs == 1 else ("requests", "them")
    print_message(f"stopping: {jobs} {requests} may finish; press Ctrl-C again to end {them} now.")


def print_left_out(settings: Settings) -> None:
    """Say which models cannot be read, and which providers Voxgate does not use offline."""
    from voxgate.models.elsewhere import left_out
    from voxgate.models.store.registry import Registry

    for error in Registry.open(settings).unreadable().values():
        print_message(f"warning: {error.sentence}", logging.WARNING)

    if names := left_out(settings):
        print_message(
            f"warning: Voxgate must stay offline, so these providers are left out, which are on "
            f"other machines: {', '.join(names)}.",
            logging.WARNING,
        )


def begin_telemetry(settings: Settings, *, engine: bool = False) -> None:
    """Log to standard error as the settings say, and send traces where the environment says.

    In JSON, all that the command says is logged. Raises as `start_export` does.
    """
    from voxgate.logs import log_to_standard_error
    from voxgate.trace_export import start_export

    log_to_standard_error(settings, engine=engine)
    if settings.log_format == "json":
        log_messages()
    start_export(engine=engine)
