"""Standard output and standard error, whatever the caller has made of them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from voxgate.errors import OutputError

if TYPE_CHECKING:
    from typing import TextIO

    from voxgate.errors import VoxgateError

HARMLESS = "\u00a0\u202f\u3000\u200c\u200d"  # spaces and joiners, unprintable only by their class
READER_GONE = 141  # what a shell reports of a process that SIGPIPE ended


def repair_streams() -> None:
    """Put /dev/null where a standard stream is closed.

    The next file to be opened would get its number, and then messages or a transcript.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stderr = _or_nowhere(sys.stderr)


def emit(text: str) -> None:
    """Write to standard output at once, as UTF-8.

    Raises `OutputError`, and `typer.Exit` when the reader has gone: that is no failure of ours.
    """
    fd = standard_output()
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        while data:  # straight to the kernel: no buffer is left to fail when the process exits
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise typer.Exit(READER_GONE) from None
    except OSError as error:
        raise OutputError(
            f"Standard output cannot be written: {error.strerror}. Free some space there, or send "
            f"the output elsewhere."
        ) from error


def standard_output() -> int:
    """Its descriptor. Raises `OutputError` when the caller has closed it."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        raise OutputError("Standard output is closed, so nothing can be written. Leave it open.")
    return stdout.fileno()


def printable(text: str) -> str:
    """The text with escapes for what a terminal would obey or break the line at."""
    return "".join(
        character
        if character.isprintable() or character in HARMLESS
        else character.encode("unicode_escape").decode()
        for character in text
    )


def say(line: str) -> None:
    """Write one line to standard error. Who closed it does not want to hear."""
    with suppress(OSError):
        print(f"voxgate: {printable(line)}", file=sys.stderr, flush=True)  # noqa: T201 (a face)


def complain(error: VoxgateError, name: str = "") -> None:
    """Say a failure, with the recording's name unless the sentence has it."""
    say(error.sentence if name in error.sentence else f"{name}: {error.sentence}")


def has_terminal() -> bool:
    """Whether somebody watches standard error on a terminal that can move its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb").lower() not in {"dumb", "unknown"}


def _or_nowhere(stream: TextIO | None) -> TextIO:
    return stream or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 (no path of ours)
