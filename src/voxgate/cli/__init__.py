"""The command line: one file for each command.

Importing this package imports only what `voxgate --help` needs. Each command imports its modules
when it runs.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from voxgate._version import __version__
from voxgate.cli import bench, config, db, keys, models, providers, streams
from voxgate.cli.arguments import name_command
from voxgate.cli.ask import ask_command, summarize_command
from voxgate.cli.doctor import doctor_command
from voxgate.cli.engine import engine_command
from voxgate.cli.eval import eval_command
from voxgate.cli.exit_codes import exit_on_error
from voxgate.cli.extract import extract_command
from voxgate.cli.group import CommandGroup
from voxgate.cli.peer_arguments import translate_options
from voxgate.cli.ps import ps_command, unload_command
from voxgate.cli.serve import serve_command
from voxgate.cli.status import status_command
from voxgate.cli.transcribe import transcribe_command
from voxgate.cli.usage import usage_command
from voxgate.cli.wyoming import wyoming_command

app = typer.Typer(
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help needs no rich, and reads the same in a pipe
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        streams.write_output(f"voxgate {__version__}\n")
        raise typer.Exit


def _set_offline(requested: bool) -> None:
    if requested:
        os.environ["VOXGATE_OFFLINE"] = "1"  # child processes inherit it


@app.callback(epilog="Exit codes: 0 all done, 1 something failed, 2 wrong usage.")
def voxgate(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option("--offline", callback=_set_offline, help="Allow no network connections."),
    ] = False,
) -> None:
    """Speech to text on your own machine."""


app.command("transcribe")(transcribe_command)
app.command("extract")(extract_command)
app.command("ask")(ask_command)
app.command("summarize")(summarize_command)
app.command("eval")(eval_command)
app.command("serve")(serve_command)
app.command("wyoming")(wyoming_command)
app.add_typer(keys.keys_app)
app.command("usage")(usage_command)
app.command("status")(status_command)
app.add_typer(db.db_app)
app.add_typer(models.models_app)
app.add_typer(providers.providers_app)
app.command("ps")(ps_command)
app.command("unload")(unload_command)
app.command("engine")(engine_command)
app.add_typer(bench.bench_app)
app.add_typer(config.config_app)
app.command("doctor")(doctor_command)


def main() -> None:
    """Run the command in the arguments, and exit with its code."""
    streams.repair_streams()
    with exit_on_error():
        arguments = name_command(sys.argv[1:], typer.main.get_group(app).commands)
        app(translate_options(arguments), prog_name="voxgate")
