"""`python -m voxgate.engine MODEL --socket PATH`: how an owner starts its engine.

The same engine as `voxgate engine`, without the imports of the command line, and with `--lifeline`.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate import offline
from voxgate.engine.serve import ENGINE_GRACE_S, serve_model
from voxgate.errors import VoxgateError
from voxgate.hardware.process import configure_process
from voxgate.logs import log_to_standard_error
from voxgate.models.available import install_model
from voxgate.models.catalogue import find_model
from voxgate.models.placement import GPU_PROFILE
from voxgate.settings import CONTEXT_TOKENS, LEAST_CONTEXT_TOKENS, Settings
from voxgate.trace_export import start_export

if TYPE_CHECKING:
    from voxgate.models.catalogue import ModelSpec


def main() -> int:
    """Serve until SIGTERM. Return 0 after that, and 1 when the engine cannot start."""
    offline.inherit()
    arguments = _parse_arguments()
    settings, _ = Settings.examine()  # whoever starts an engine has told of their faults
    log_to_standard_error(settings, engine=True)
    try:
        configure_process(settings)  # before the model's library is imported
        start_export(engine=True)
        serve_model(
            _model_spec(arguments, settings),
            arguments.socket,
            arguments.grace,
            lifeline=arguments.lifeline,
            run_folder=arguments.run_folder,
        )
    except VoxgateError as error:
        sys.stderr.write(f"{error.sentence}\n")
        return 1
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m voxgate.engine", description=main.__doc__)
    parser.add_argument("model", help="a model's name, or the folder of a checkpoint")
    parser.add_argument("--socket", type=Path, required=True, help="the path to listen on")
    parser.add_argument(
        "--grace",
        type=float,
        default=ENGINE_GRACE_S,
        help="seconds for accepted windows after SIGTERM",
    )
    parser.add_argument(
        "--lifeline",
        action="store_true",
        help="when standard input ends, remove the socket and exit at once",
    )
    parser.add_argument("--run-folder", type=Path, help="the folder for the engine's record")
    parser.add_argument("--name", help="the model's name, as the owner knows it")
    parser.add_argument("--revision", help="the revision of the checkpoint")
    parser.add_argument("--profile", help="the profile of the weights")
    parser.add_argument("--device", default="cpu", help="the device: cpu or cuda:N")
    parser.add_argument(
        "--context-tokens",
        type=_context_tokens,
        default=CONTEXT_TOKENS,
        help="the most tokens of a question and its answer together",
    )
    return parser.parse_args()


def _context_tokens(text: str) -> int:
    """Return a number that `Settings.context_tokens` may have. Raises `ValueError` for others."""
    if (tokens := int(text)) < LEAST_CONTEXT_TOKENS:
        raise argparse.ArgumentTypeError(f"{tokens} is below {LEAST_CONTEXT_TOKENS}")
    return tokens


def _model_spec(arguments: argparse.Namespace, settings: Settings) -> ModelSpec:
    """Return the model with what its owner knows of it.

    Raises as `find_model` and `install_model` do.
    """
    known = {"name": arguments.name, "revision": arguments.revision}
    spec = install_model(find_model(arguments.model), settings)
    spec = replace(spec, **{name: value for name, value in known.items() if value})
    spec = replace(spec, context_tokens=arguments.context_tokens)
    default = spec.profile if arguments.device == "cpu" else GPU_PROFILE
    return spec.with_placement(arguments.device, arguments.profile or default)


if __name__ == "__main__":
    sys.exit(main())
