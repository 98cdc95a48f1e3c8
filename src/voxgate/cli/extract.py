"""`voxgate extract`: data from recordings, by a JSON schema."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs; typer reads annotations)
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.audio.channels import SoundChoice
from voxgate.cli.answer_options import (  # noqa: TC001 (typer evaluates them)
    AnsweringModelOption,
    AnswerServerOption,
    AnswerTemperatureOption,
    AnswerTokensOption,
)
from voxgate.cli.settings import apply_settings
from voxgate.cli.transcribe_options import (
    KeyOption,
    OverwriteOption,
    RecordingsArgument,
    RecursiveOption,
    SeedOption,
    check_key,
)
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.outputs import Output


def extract_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    recordings: RecordingsArgument,
    schema: Annotated[
        str,
        typer.Option(
            "-s",
            "--schema",
            metavar="FILE|NAME",
            help="A JSON schema that says what is wanted, or a ready one: minutes, call-notes, "
            "to-do.",
        ),
    ],
    model: AnsweringModelOption = None,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR|FILE",
            help="Write one file per recording into this folder: talk.json. Or the file for one "
            "recording; or -, as without it.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    recursive: RecursiveOption = True,
    temperature: AnswerTemperatureOption = 0.0,
    seed: SeedOption = None,
    max_tokens: AnswerTokensOption = None,
    server: AnswerServerOption = None,
    key: KeyOption = None,
) -> None:
    """Extract data from recordings: JSON that follows a schema.

    It is indented in a terminal, else one line for each recording (JSON Lines). Data that was cut
    off is not printed, but an error. The model must be able to answer, as a Voxtral is.
    """
    from voxgate.cli.batch import run_batch
    from voxgate.cli.extraction import LocalExtraction, ServerExtraction
    from voxgate.cli.inputs import collect_inputs
    from voxgate.cli.schema_file import read_schema
    from voxgate.cli.transcription_work import TranscriptionWork
    from voxgate.transcript.values import Options

    settings = apply_settings()
    check_key(context, server)
    options = Options(temperature=temperature, seed=seed, max_tokens=max_tokens)
    text = read_schema(schema)
    backend = (
        LocalExtraction(settings, model, text)
        if server is None
        else ServerExtraction(settings, server, key, model, text)
    )
    inputs = collect_inputs(recordings, headerless=False, recursive=recursive)
    destination = _choose_output(output, inputs.recordings, overwrite=overwrite)
    work = TranscriptionWork(backend, options, None, SoundChoice(), destination)
    run_batch(work, inputs, settings)


def _choose_output(
    named: str | None, recordings: Sequence[InputRecording], *, overwrite: bool
) -> Output:
    from voxgate.cli.data_output import DATA, DataOutput
    from voxgate.cli.output_file import OutputFile, names_file
    from voxgate.cli.output_folder import FolderOptions, OutputFolder

    if named in {None, "-"}:
        if overwrite:
            raise UsageError("--overwrite is for files: add -o DIR.")
        return DataOutput(recordings)
    if not names_file(named):
        return OutputFolder(Path(named), [DATA], recordings, FolderOptions(overwrite=overwrite))
    if not named.lower().endswith(DATA.extension):
        raise UsageError(
            f"{named} is no name for JSON. Name a file that ends in .json, or a folder."
        )
    return OutputFile(Path(named), DATA, recordings, overwrite=overwrite)
