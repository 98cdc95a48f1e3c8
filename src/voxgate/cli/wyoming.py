"""`voxgate wyoming`: serve Home Assistant until a signal stops it."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)
from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Annotated

import typer

from voxgate.cli.serve import begin_telemetry, print_left_out, print_stopping
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message

URI = "tcp://127.0.0.1:10300"


def wyoming_command(
    uri: Annotated[
        str,
        typer.Option(
            metavar="tcp://HOST:PORT",
            help="The address to listen on; tcp://0.0.0.0:10300 is every address of this machine.",
        ),
    ] = URI,
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL",
            help="The model for clients that name none.  [default: that of `voxgate transcribe`]",
        ),
    ] = None,
) -> None:
    """Serve the Wyoming protocol, for Home Assistant.

    Its clients have no keys: whoever reaches the address may use it. After Ctrl-C, recordings that
    have arrived may be finished for VOXGATE_DRAIN_S seconds; a second Ctrl-C ends them.
    """
    import asyncio
    from dataclasses import replace

    from voxgate.api.auth import is_loopback
    from voxgate.api.open_files import raise_limit
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import find_named_model
    from voxgate.models.default_model import DEFAULT_NAME

    settings = apply_settings()
    begin_telemetry(settings)
    _check_library()
    from voxgate.api.wyoming.server import WyomingServer

    available = AvailableModels(settings)
    available.check_aliases()
    available.check_helpers()
    available.check_endpoints()
    settings = replace(settings, prices=available.prices())
    chosen = find_named_model(model or DEFAULT_NAME, available).name
    print_left_out(settings)
    raise_limit()

    async def serve() -> None:
        server = WyomingServer(settings, uri=uri, model=chosen)

        def ready() -> None:
            print_message(f"listening on {server.uri}; {chosen} is used where none is named.")
            if not is_loopback(server.host):
                print_message(
                    "warning: Wyoming has no keys; everybody who reaches it may use it.",
                    logging.WARNING,
                )

        await server.run(ready=ready, on_stop=print_stopping)

    asyncio.run(serve())


def _check_library() -> None:
    """Raise `UsageError` where the protocol's library is not installed."""
    from voxgate.errors import UsageError
    from voxgate.installation import Installation

    if find_spec("wyoming") is None:
        command = Installation.find().install_extra("wyoming")
        raise UsageError(f"`voxgate wyoming` needs the package wyoming: `{command}`.")
