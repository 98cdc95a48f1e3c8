"""`serve`: one model, loaded, on a Unix socket, until a signal or its owner's end."""

from __future__ import annotations

import json
import logging
import os
import signal
from contextlib import nullcontext, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

from voxgate.engine.app import create_app
from voxgate.engine.catalogue import load
from voxgate.engine.plates import Plate, hung_out, place
from voxgate.engine.scheduler import Scheduler
from voxgate.engine.server import Server, listening

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.engine.catalogue import ModelSpec

GRACE_S = 30.0  # for accepted work after SIGTERM
LAST_STEP_S = 5.0  # how long the exit waits for a step that is being taken


def serve(
    model: ModelSpec,
    socket: Path,
    grace_s: float = GRACE_S,
    *,
    lifeline: bool = False,
    plates: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Takes the whole process, its standard output included.

    One line there, `{"ready": NAME}`, says that the socket takes connections; everything else, also
    what libraries print, goes to standard error. With `lifeline` the process lives as long as its
    standard input: whoever started it keeps the other end and never writes. In the folder
    `plates` it can be found while it lives. Raises `VoxgateError` when the engine cannot start, and
    whatever the model's library raises.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    leave_on: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if lifeline:
        # Ctrl-C goes to every process of a terminal: what it means is the owner's decision.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_on = (signal.SIGTERM,)
        plate = None if plates is None else place(plates, os.getpid())
        Thread(target=_die_with_the_owner, args=(socket, plate), daemon=True).start()
    with hung_out(Plate.of(model, socket), plates) if plates else nullcontext():
        recogniser = load(model)
        with listening(socket) as listener:
            scheduler = Scheduler(recogniser.capabilities.concurrency)
            app = create_app(recogniser, scheduler)
            ready = partial(_announce, recogniser.name, stdout)
            Server(app, grace_s, leave_on, ready).run(sockets=[listener])
            scheduler.stop(LAST_STEP_S)
    if lifeline:
        with suppress(OSError):  # the owner does it too, unless it was killed meanwhile
            socket.parent.rmdir()


def _announce(model: str, stdout: int) -> None:
    os.write(stdout, json.dumps({"ready": model}).encode() + b"\n")
    os.close(stdout)


def _die_with_the_owner(path: Path, plate: Path | None) -> None:
    """Read standard input until it ends; then the owner is gone, by whatever death.

    The socket, its folder, when nothing else is in it, and the plate have nobody else to remove
    them.

    Not PR_SET_PDEATHSIG: it is Linux's alone, it fires when the owner's *thread* ends, and it is
    lost when the owner dies before the call. The end of a pipe is none of these.
    """
    while os.read(0, 1024):
        pass
    with suppress(OSError):  # a living owner may have removed them, or there is no socket yet
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    if plate is not None:
        with suppress(OSError):
            plate.unlink(missing_ok=True)
    os._exit(1)
