"""`voxgate transcribe`: recordings in, transcripts out."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)
from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from voxgate.cli.exit_codes import FAILED
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import complain, say
from voxgate.transcript.formats import WRITERS

if TYPE_CHECKING:
    from voxgate.cli.backend import TranscriptionBackend
    from voxgate.cli.outputs import Output


# MERGED cli.options
# The options of a transcription as the command line writes them.

LanguageOption: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CODE", help="The language spoken, e.g. en (ISO 639-1).")
]
TemperatureOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=2, metavar="NUMBER", help="Chance in choosing words; 0 takes the likeliest."
    ),
]
TopPOption: TypeAlias = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="NUMBER", help="Choose from this share of the likeliest."),
]
SeedOption: TypeAlias = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="Choose the same way each time.")
]
MaxTokensOption: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="End each transcript after so many tokens."),
]
StopOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="End each transcript before this text; may be repeated."),
]
FrequencyPenaltyOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=-2, max=2, metavar="NUMBER", help="Against what was said already, by how often it was."
    ),
]
PresencePenaltyOption: TypeAlias = Annotated[
    float, typer.Option(min=-2, max=2, metavar="NUMBER", help="Against what was said already.")
]


def transcribe_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|FOLDER|-",
            help="Sound or video in any container; folders, searched at every depth; '-' is "
            "standard input.",
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            "-m",
            "--model",
            metavar="MODEL|FOLDER",
            help="Which model; `voxgate models` lists them. Or the folder of a Voxtral checkpoint.",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            help=f"{', '.join(WRITERS)}; may be repeated.  [default: txt]",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write one file a recording and format into this folder. It is made if need be; "
            "transcripts of earlier runs are replaced.",
        ),
    ] = None,
    language: LanguageOption = None,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = None,
    max_tokens: MaxTokensOption = None,
    stop: StopOption = None,
    frequency_penalty: FrequencyPenaltyOption = 0.0,
    presence_penalty: PresencePenaltyOption = 0.0,
    pcm: Annotated[
        str | None,
        typer.Option(
            metavar="ENCODING:RATE[:CHANNELS]",
            help="The recordings are headerless PCM of this kind, e.g. s16le:16000:1.",
        ),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="VOXGATE_SERVER",
            help="Have a Voxgate server do the work, e.g. http://localhost:8000.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            envvar="VOXGATE_KEY",
            help="Your key there. Rather set the variable: everybody on this machine can see "
            "arguments (ps).",
        ),
    ] = None,
    figures: Annotated[
        bool, typer.Option("--figures", help="Say on standard error how fast it went.")
    ] = False,
) -> None:
    """Transcribe recordings, to standard output or into a folder.

    Only transcripts go to standard output. Several recordings there are txt, each under a line
    with its name. One that fails does not stop the others.
    """
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli import signals
    from voxgate.cli.backend import BatchRun, LocalBackend, ServerBackend
    from voxgate.cli.inputs import collect_inputs
    from voxgate.cli.outputs import OutputFolder, StandardOutput
    from voxgate.errors import UsageError
    from voxgate.transcript.formats import find_writer
    from voxgate.transcript.values import Options

    # All that can be wrong with the call is said before any work.
    settings = apply_settings()
    if server is None and _was_written(context, "key"):
        raise UsageError("--key is for a server: name it with --server, or leave out --key.")
    options = Options(
        language=language.lower() if language is not None else None,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
    )
    declared = PcmDeclaration.parse(pcm) if pcm is not None else None
    workplace: TranscriptionBackend = (
        LocalBackend(settings, model, options)
        if server is None
        else ServerBackend(settings, server, key, model, declared)
    )
    writers = [find_writer(name) for name in dict.fromkeys(formats or ["txt"])]
    found, failures = collect_inputs(recordings, headerless=declared is not None)
    into: Output = (
        OutputFolder(output, writers, found) if output else StandardOutput(writers, found)
    )

    for failure in failures:
        complain(failure)
    work = BatchRun(workplace, options, declared, into)
    complete = signals.run_until_signal(work.run(found)) if found else True
    if figures:
        say(work.figures.line())
    if failures or not complete:
        raise typer.Exit(FAILED)


def _was_written(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line, not in the environment alone."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
