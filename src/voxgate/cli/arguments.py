"""The command line's arguments, before they are parsed: a recording alone is transcribed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.file_kinds import HEADERLESS_SUFFIXES, MEDIA_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


def name_command(arguments: Sequence[str], commands: Container[str]) -> list[str]:
    """Return the arguments with `transcribe` before a recording that stands where a command should.

    A command's name comes first, even if a file has it too. What neither exists nor looks like a
    path stays where it is: it is a mistyped command.
    """
    first = next((at for at, each in enumerate(arguments) if not _is_option(each)), None)
    if first is None or arguments[first] in commands or not _is_path(arguments[first]):
        return list(arguments)
    return [*arguments[:first], "transcribe", *arguments[first:]]


def _is_option(argument: str) -> bool:
    """Return whether an argument is an option; none that may precede a command has a value."""
    return argument.startswith("-") and argument != "-"


def _is_path(argument: str) -> bool:
    return (
        argument == "-"
        or os.sep in argument
        or Path(argument).suffix.lower() in MEDIA_SUFFIXES | HEADERLESS_SUFFIXES
        or os.path.lexists(argument)
    )
