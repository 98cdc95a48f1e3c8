"""`voxgate engine`: one model through the engine protocol, for programs of any language."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import Annotated

import typer

from voxgate.cli.settings import in_force

GRACE_S = 30.0


def engine(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|FOLDER", help="A model's name, or the folder of a Voxtral checkpoint."
        ),
    ],
    socket: Annotated[
        Path, typer.Option(metavar="PATH", help="The Unix socket to listen on; it is made.")
    ],
    grace: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="For windows in hand, after SIGTERM or Ctrl-C."
        ),
    ] = GRACE_S,
) -> None:
    """Serve one model on a Unix socket, window by window.

    docs/engine-protocol.md says what it answers. One line on standard output, {"ready": NAME}, says
    that it takes connections.
    """
    from voxgate.engine.catalogue import find
    from voxgate.engine.placing import placed
    from voxgate.engine.plates import FOLDER
    from voxgate.engine.serve import serve
    from voxgate.registry.shelf import Shelf

    settings = in_force()
    spec = placed(find(model, Shelf(settings)), settings)
    serve(spec, socket, grace, plates=settings.home / FOLDER)
