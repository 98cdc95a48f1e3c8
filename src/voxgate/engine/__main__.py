"""`python -m voxgate.engine MODEL --socket PATH`: one model, loaded, on a Unix socket.

One line on standard output, `{"ready": MODEL}`, says that the socket takes connections; everything
else, also what libraries print, goes to standard error. With `--lifeline` the engine lives as long
as its standard input: whoever started it keeps the other end and never writes.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from threading import Thread

from voxgate.engine.app import create_app
from voxgate.engine.catalogue import find, load
from voxgate.engine.scheduler import Scheduler
from voxgate.engine.server import Server, listening
from voxgate.errors import VoxgateError

LAST_STEP_S = 5.0  # how long the exit waits for a step that is being taken


def main() -> int:
    """Serve until SIGTERM. Exit code 0 after that, 1 when the engine cannot start."""
    arguments = _arguments()
    stdout = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    leave_on: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if arguments.lifeline:
        # Ctrl-C goes to every process of a terminal: what it means is the owner's decision.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_on = (signal.SIGTERM,)
        Thread(target=_die_with_the_owner, args=(arguments.socket,), daemon=True).start()
    try:
        recogniser = load(find(arguments.model))
        with listening(arguments.socket) as listener:
            scheduler = Scheduler(recogniser.capabilities.concurrency)
            app = create_app(recogniser, scheduler)
            server = Server(
                app, arguments.grace, leave_on, ready=lambda: _announce(recogniser.name, stdout)
            )
            server.run(sockets=[listener])
            scheduler.stop(LAST_STEP_S)
    except VoxgateError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    return 0


def _announce(model: str, stdout: int) -> None:
    os.write(stdout, json.dumps({"ready": model}).encode() + b"\n")
    os.close(stdout)


def _die_with_the_owner(path: Path) -> None:
    """Read standard input until it ends; then the owner is gone, by whatever death.

    The socket and its folder, when nothing else is in it, have nobody else to remove them.

    Not PR_SET_PDEATHSIG: it is Linux's alone, it fires when the owner's *thread* ends, and it is
    lost when the owner dies before the call. The end of a pipe is none of these.
    """
    while os.read(0, 1024):
        pass
    with suppress(OSError):  # a living owner may have removed them, or there is no socket yet
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    os._exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m voxgate.engine", description=main.__doc__)
    parser.add_argument("model", help="a model's name, as `voxgate models` lists it")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument(
        "--grace", type=float, default=30.0, help="seconds for accepted work after SIGTERM"
    )
    parser.add_argument(
        "--lifeline",
        action="store_true",
        help="when standard input ends, remove the socket and exit at once",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
