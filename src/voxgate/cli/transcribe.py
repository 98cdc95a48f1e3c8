"""`voxgate transcribe`: write the transcripts of recordings."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs; typer reads annotations)
from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from voxgate.audio.channels import SoundChoice
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import has_terminal, print_error, print_message
from voxgate.cli.transcribe_options import (
    BeamSizeOption,
    ChannelNamesOption,
    ChannelsOption,
    FiguresOption,
    FormatOption,
    FrequencyPenaltyOption,
    KeyOption,
    KeytermOption,
    LanguageOption,
    MaxTokensOption,
    ModelOption,
    NameLanguageOption,
    OutputOption,
    OverwriteOption,
    PcmOption,
    PresencePenaltyOption,
    PromptOption,
    RecordingsArgument,
    RecursiveOption,
    SeedOption,
    ServerOption,
    SkipExistingOption,
    StopOption,
    TaskOption,
    TemperatureOption,
    TopPOption,
    TrackOption,
    check_key,
)
from voxgate.errors import UsageError
from voxgate.printable import printable
from voxgate.transcript.formats import WRITERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli.backend import TranscriptionBackend
    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.output_folder import FolderOptions
    from voxgate.cli.outputs import Output
    from voxgate.settings import Settings
    from voxgate.transcript.formats import Writer
    from voxgate.transcript.values import Options


def transcribe_command(  # noqa: PLR0917 (typer calls it, by names)
    context: typer.Context,
    recordings: RecordingsArgument,
    model: ModelOption = None,
    formats: FormatOption = None,
    output: OutputOption = None,
    skip_existing: SkipExistingOption = False,
    overwrite: OverwriteOption = False,
    name_language: NameLanguageOption = False,
    recursive: RecursiveOption = True,
    language: LanguageOption = None,
    task: TaskOption = "transcribe",
    prompt: PromptOption = "",
    keyterm: KeytermOption = None,
    beam_size: BeamSizeOption = None,
    temperature: TemperatureOption = 0.0,
    top_p: TopPOption = 1.0,
    seed: SeedOption = None,
    max_tokens: MaxTokensOption = None,
    stop: StopOption = None,
    frequency_penalty: FrequencyPenaltyOption = 0.0,
    presence_penalty: PresencePenaltyOption = 0.0,
    track: TrackOption = None,
    channels: ChannelsOption = "mix",
    channel_names: ChannelNamesOption = None,
    pcm: PcmOption = None,
    server: ServerOption = None,
    key: KeyOption = None,
    figures: FiguresOption = False,
) -> None:
    """Transcribe recordings, to standard output or into a folder.

    Only transcripts are written to standard output. Several recordings there are txt, each under a
    line with its name. One that fails does not stop the others.
    """
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli import signals
    from voxgate.cli.batch import BatchRun
    from voxgate.cli.fetching import check_addresses
    from voxgate.cli.inputs import collect_inputs
    from voxgate.cli.output_folder import FolderOptions
    from voxgate.cli.transcription_work import TranscriptionWork
    from voxgate.transcript.values import Options

    # Every error in the call is raised before any work is done.
    settings = apply_settings()
    _check_no_formats(recordings, formats or [])
    check_key(context, server)
    options = Options(
        language=language,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        max_tokens=max_tokens,
        stop=tuple(stop or ()),
        frequency_penalty=frequency_penalty,
        presence_penalty=presence_penalty,
        vocabulary=tuple(word for word in keyterm or () if word.strip()),
        task=task,
        prompt=prompt,
        beam_size=beam_size,
    )
    declared = PcmDeclaration.parse(pcm) if pcm is not None else None
    names = () if channel_names is None else tuple(map(str.strip, channel_names.split(",")))
    choice = SoundChoice(track, channels, names)
    choice.check(options)
    writers = _choose_writers(formats or [], output)
    if names and not any(writer.shows_channels for writer in writers):
        raise UsageError("json has the text alone, without --channel-names: choose another format.")
    times = any(writer.has_times for writer in writers)
    backend = _choose_backend(settings, options, model, declared, server, key, times=times)
    folder_options = FolderOptions(skip_existing, overwrite, name_language)
    folder_options.check_output(output)
    headerless = declared is not None
    found, errors, unread = collect_inputs(recordings, headerless=headerless, recursive=recursive)
    check_addresses(found, settings)
    destination = _choose_output(output, writers, found, folder_options)

    for error in errors:
        print_error(error)
    work = TranscriptionWork(backend, options, declared, choice, destination)
    batch = BatchRun(work, settings)

    def on_stopped() -> None:
        batch.print_interrupted()
        if output and len(found) > 1:
            print_message("--skip-existing in the same call does those that are left.")

    complete = signals.run_until_signal(batch.run(found), on_stopped) if found else True
    for sentence in unread:
        print_message(sentence)
    if len(found) > 1 or batch.skipped:
        batch.print_summary()
    if figures:
        print_message(work.speed.sentence())
    if errors or not complete:
        raise typer.Exit(FAILED)


def _check_no_formats(recordings: Sequence[str], formats: Sequence[str]) -> None:
    """Raise `UsageError` for a format where recordings stand, as after `-f srt vtt`."""
    known = {*WRITERS, "all"}
    given = [name for name in recordings if name.lower() in known and not os.path.lexists(name)]
    if given:
        raise UsageError(
            f"'{given[0]}' is a format, and there is no file of that name. Type -f "
            f"{','.join([*formats, *given])}."
        )


def _choose_writers(formats: Sequence[str], output: str | None) -> Sequence[Writer]:
    from voxgate.cli.output_file import file_writers, names_file
    from voxgate.transcript.formats import find_writers

    if output is not None and names_file(output):
        return file_writers(output, formats)
    return find_writers(formats or ["txt"])


def _choose_backend(  # noqa: PLR0917 (one for each option)
    settings: Settings,
    options: Options,
    model: str | None,
    pcm: PcmDeclaration | None,
    server: str | None,
    key: str | None,
    *,
    times: bool,
) -> TranscriptionBackend:
    from voxgate.cli.backend import LocalBackend, ServerBackend

    if server is None:
        return LocalBackend(settings, model, options, times=times)
    return ServerBackend(settings, server, key, model, pcm)


def _choose_output(
    named: str | None,
    writers: Sequence[Writer],
    recordings: Sequence[InputRecording],
    options: FolderOptions,
) -> Output:
    from voxgate.cli.output_file import OutputFile, names_file
    from voxgate.cli.output_folder import OutputFolder
    from voxgate.cli.outputs import StandardOutput

    if named in {None, "-"}:
        return StandardOutput(writers, recordings)
    asks = not options.skip_existing and not options.overwrite and _can_ask()
    output: OutputFile | OutputFolder
    if names_file(named):
        output = OutputFile(Path(named), writers[0], recordings, overwrite=options.overwrite)
        question = f"{named} is there already. Replace it?"
    else:
        output = OutputFolder(Path(named), writers, recordings, options, keeps_unasked=asks)
        there = len(output.existing()) if asks else 0
        question = f"{named} has {there} of these transcripts already. Replace them?"
    if asks and output.existing():
        _ask_to_replace(question)
    return output


def _can_ask() -> bool:
    """Return whether somebody at a terminal can answer. Elsewhere transcripts are replaced."""
    return sys.stdin is not None and sys.stdin.isatty() and has_terminal()


def _ask_to_replace(question: str) -> None:
    if not typer.confirm(f"voxgate: {printable(question)}", err=True):
        print_message(
            "nothing was done. -o names another file or folder; --skip-existing keeps a folder's."
        )
        raise typer.Exit(FAILED)
