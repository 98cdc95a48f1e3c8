"""`python -m voxgate.engine MODEL --socket PATH`: how an owner starts its engine.

The same as `voxgate engine`, without what a command line for people imports, and with `--lifeline`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from voxgate import offline
from voxgate.engine.serve import ENGINE_GRACE_S, serve_model
from voxgate.errors import VoxgateError
from voxgate.models.catalogue import find_model
from voxgate.models.placement import GPU_PROFILE


def main() -> int:
    """Serve until SIGTERM. Exit code 0 after that, 1 when the engine cannot start."""
    offline.inherit()
    parser = argparse.ArgumentParser(prog="python -m voxgate.engine", description=main.__doc__)
    parser.add_argument("model", help="a model's name, or the folder of a checkpoint")
    parser.add_argument("--socket", type=Path, required=True, help="where to listen")
    parser.add_argument(
        "--grace",
        type=float,
        default=ENGINE_GRACE_S,
        help="seconds for accepted work after SIGTERM",
    )
    parser.add_argument(
        "--lifeline",
        action="store_true",
        help="when standard input ends, remove the socket and exit at once",
    )
    parser.add_argument("--plates", type=Path, help="the folder where engines can be found")
    parser.add_argument("--name", help="what the owner calls the model")
    parser.add_argument("--revision", help="which of its revisions this is")
    parser.add_argument("--profile", help="how its weights are held")
    parser.add_argument("--device", default="cpu", help="where it computes: cpu or cuda:N")
    given = parser.parse_args()
    known = {name: vars(given)[name] for name in ("name", "revision")}
    try:
        spec = replace(
            find_model(given.model), **{name: fact for name, fact in known.items() if fact}
        )
        usual = spec.profile if given.device == "cpu" else GPU_PROFILE
        spec = spec.with_placement(given.device, given.profile or usual)
        serve_model(spec, given.socket, given.grace, lifeline=given.lifeline, plates=given.plates)
    except VoxgateError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
