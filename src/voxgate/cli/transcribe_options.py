"""The options of `voxgate transcribe`, and what its help says of each. `voxgate eval` has some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from voxgate.audio.channels import Channels
from voxgate.errors import UsageError
from voxgate.transcript.formats import WRITERS
from voxgate.transcript.values import Task

if TYPE_CHECKING:
    from voxgate.transcript.formats import Writer


def _listed(writer: Writer) -> str:
    return f"{writer.name} ({writer.content})" if writer.content else writer.name


RecordingsArgument: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER|URL|-",
        help="Sound or video in any container; folders; addresses (https://...); '-' is standard "
        "input.",
    ),
]
ModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL|FOLDER",
        help="Which model; `voxgate models` lists them. Or the folder of a Voxtral checkpoint.",
    ),
]
FormatOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "-f",
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(map(_listed, WRITERS.values()))}, or all; several with commas.  "
        "[default: txt]",
    ),
]
OutputOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="DIR|FILE",
        help="Write one file per recording and format into this folder. It is created if needed. "
        "Or the file for one recording, whose ending is its format: film.srt; or -, as without it.",
    ),
]
TrackOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NUMBER|LANGUAGE",
        help="Which sound track of a film, e.g. 2 or de.  [default: its main one]",
    ),
]
ChannelsOption: TypeAlias = Annotated[
    Channels,
    typer.Option(
        help="Mix the channels, or recognise each by itself: the parties of a call. Then txt, srt "
        "and vtt begin a line with a dash where another party speaks, tsv and verbose_json have "
        "the number of the channel, and json has the text alone."
    ),
]
ChannelNamesOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Name the parties of split channels, e.g. Caller,Agent, in place of dashes and "
        "numbers.",
    ),
]
SkipExistingOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        help="Leave out recordings that have their transcripts in the folder already, with "
        "--name-language in any language. A recording that was changed since is transcribed again.",
    ),
]
OverwriteOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace transcripts of earlier runs without a question. Only a terminal is asked; "
        "elsewhere they are replaced, and named.",
    ),
]
NameLanguageOption: TypeAlias = Annotated[
    bool,
    typer.Option("--name-language", help="Name the language in the files' names: film.en.srt."),
]
RecursiveOption: TypeAlias = Annotated[
    bool,
    typer.Option("--recursive/--no-recursive", help="Search the folders in folders, too."),
]
PcmOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ENCODING:RATE[:CHANNELS]",
        help="The recordings are headerless PCM of this kind, e.g. s16le:16000:1.",
    ),
]
ServerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="VOXGATE_SERVER",
        help="Transcribe on a Voxgate server, e.g. http://localhost:8000.",
    ),
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        envvar="VOXGATE_KEY",
        help="Your key for the server. Rather set the variable: everybody on this machine can "
        "see arguments (ps).",
    ),
]
FiguresOption: TypeAlias = Annotated[
    bool, typer.Option("--figures", help="Print the speed to standard error.")
]
LanguageOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-l",
        "--language",
        metavar="LANGUAGE",
        help="The language spoken, e.g. en, en-US or English; auto detects it.  [default: auto]",
    ),
]
TemperatureOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=2, metavar="NUMBER", help="Randomness in choosing words; 0 takes the likeliest."
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
        min=-2, max=2, metavar="NUMBER", help="Penalise words by how often they occurred."
    ),
]
PresencePenaltyOption: TypeAlias = Annotated[
    float, typer.Option(min=-2, max=2, metavar="NUMBER", help="Penalise words that occurred.")
]
TaskOption: TypeAlias = Annotated[
    Task, typer.Option(help="Write what is said, or translate it into English.")
]
PromptOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TEXT", help="A text that could precede the recording, of its style and spelling."
    ),
]
KeytermOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORDS",
        help="A word or phrase that is probably spoken; may be repeated. Commas do not divide it.",
    ),
]
BeamSizeOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=10,
        metavar="NUMBER",
        help="Compare so many texts, with a Whisper; more is slower.  [default: 5]",
    ),
]


def check_key(context: typer.Context, server: str | None) -> None:
    """Raise `UsageError` for a key without a server. One in VOXGATE_KEY may wait for a server."""
    source = context.get_parameter_source("key")
    if server is None and source is not None and source.name == "COMMANDLINE":
        raise UsageError("--key is for a server: name it with --server, or leave out --key.")
