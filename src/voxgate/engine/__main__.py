"""`python -m voxgate.engine MODEL --socket PATH`: how an owner starts its engine.

The same as `voxgate engine`, without what a command line for people imports, and with `--lifeline`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from voxgate.engine.catalogue import find
from voxgate.engine.serve import GRACE_S, serve
from voxgate.errors import VoxgateError


def main() -> int:
    """Serve until SIGTERM. Exit code 0 after that, 1 when the engine cannot start."""
    parser = argparse.ArgumentParser(prog="python -m voxgate.engine", description=main.__doc__)
    parser.add_argument("model", help="a model's name, or the folder of a checkpoint")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument(
        "--grace", type=float, default=GRACE_S, help="seconds for accepted work after SIGTERM"
    )
    parser.add_argument(
        "--lifeline",
        action="store_true",
        help="when standard input ends, remove the socket and exit at once",
    )
    given = parser.parse_args()
    try:
        serve(find(given.model), given.socket, given.grace, lifeline=given.lifeline)
    except VoxgateError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
