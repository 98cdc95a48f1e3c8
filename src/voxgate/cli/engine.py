"""`voxgate engine`: one model through the engine protocol, for programs of any language."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from voxgate.cli.serve import begin_telemetry
from voxgate.cli.settings import apply_settings

COMMAND_GRACE_S = 30.0


def engine_command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|FOLDER", help="A model's name, or the folder of a checkpoint."
        ),
    ],
    socket: Annotated[
        Path, typer.Option(metavar="PATH", help="The Unix socket to listen on; it is created.")
    ],
    grace: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="For windows in progress, after SIGTERM or Ctrl-C."
        ),
    ] = COMMAND_GRACE_S,
) -> None:
    """Serve one model on a Unix socket, window by window.

    docs/engine-protocol.md describes its responses. It writes one line to standard output,
    {"ready": NAME}, when it accepts connections.
    """
    from voxgate.engine.serve import serve_model
    from voxgate.models.available import AvailableModels, install_model
    from voxgate.models.catalogue import find_model
    from voxgate.models.placement import place_model
    from voxgate.models.running import RUN_FOLDER

    settings = apply_settings()
    begin_telemetry(settings, engine=True)
    spec = install_model(find_model(model, AvailableModels(settings)), settings)
    spec = place_model(spec, settings)
    serve_model(spec, socket, grace, run_folder=settings.home / RUN_FOLDER)
