"""The command line's arguments, before they are parsed: a recording alone is transcribed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.audio.file_kinds import HEADERLESS_SUFFIXES, MEDIA_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Container, Sequence


GLOBAL_OPTIONS = {"--version", "--offline", "-h", "--help"}
"""Those of `voxgate` itself, which stand before a command. None has a value."""


def name_command(arguments: Sequence[str], commands: Container[str]) -> list[str]:
    """Return the arguments with `transcribe` before a recording that stands where a command should.

    A command's name comes first, even if a file has it too. What neither exists nor looks like a
    path stays where it is: it is a mistyped command.
    """
    at = next((at for at, each in enumerate(arguments) if each not in GLOBAL_OPTIONS), None)
    if at is None or not _names_recording(arguments[at:], commands):
        return list(arguments)
    return [*arguments[:at], "transcribe", *arguments[at:]]


def _names_recording(arguments: Sequence[str], commands: Container[str]) -> bool:
    """Return whether a recording, or options and then a recording, stand where a command should."""
    if not arguments[0].startswith("-") or arguments[0] == "-":
        return arguments[0] not in commands and _is_path(arguments[0])
    return any(map(_is_path, arguments)) and not any(each in commands for each in arguments)


def _is_path(argument: str) -> bool:
    return (
        argument == "-"
        or os.sep in argument
        or Path(argument).suffix.lower() in MEDIA_SUFFIXES | HEADERLESS_SUFFIXES
        or os.path.lexists(argument)
    )
