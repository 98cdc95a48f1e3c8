"""The options of `voxgate extract`, `ask` and `summarize`, and how their calls run."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)
from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from voxgate.cli.exit_codes import FAILED

if TYPE_CHECKING:
    from voxgate.cli.batch import BatchWork
    from voxgate.cli.inputs import Inputs
    from voxgate.settings import Settings

AnsweringModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL|FOLDER",
        help="Which model.  [default: of those that answer, the one that was installed last]",
    ),
]
AnswerTemperatureOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=2, metavar="NUMBER", help="Randomness in choosing words; 0 takes the likeliest."
    ),
]
AnswerTokensOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="NUMBER",
        help="Write at most so many tokens for each recording.  [default: what fits the model]",
    ),
]
AnswerServerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="VOXGATE_SERVER",
        help="Do it on a Voxgate server, e.g. http://localhost:8000.",
    ),
]


def run_batch(work: BatchWork, inputs: Inputs, settings: Settings) -> None:
    """Do the work with every recording, and say what became of several.

    Raises `typer.Exit` with `FAILED` where one failed.
    """
    from voxgate.cli import signals
    from voxgate.cli.batch import BatchRun
    from voxgate.cli.fetching import check_addresses
    from voxgate.cli.streams import print_error, print_message

    check_addresses(inputs.recordings, settings)
    for error in inputs.failures:
        print_error(error)
    batch = BatchRun(work, settings)
    found = inputs.recordings
    complete = not found or signals.run_until_signal(batch.run(found), batch.print_interrupted)
    for sentence in inputs.unread:
        print_message(sentence)
    if len(found) > 1:
        batch.print_summary()
    if inputs.failures or not complete:
        raise typer.Exit(FAILED)
