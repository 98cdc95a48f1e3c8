"""Standard output and standard error, in whatever state the caller passes them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import textwrap
from contextlib import suppress
from typing import TYPE_CHECKING

import typer

from voxgate.cli.option_names import with_own_options
from voxgate.errors import OutputError
from voxgate.printable import HARMLESS, printable

if TYPE_CHECKING:
    from typing import Any, TextIO

    from voxgate.errors import VoxgateError

GLUE = "\x1f"  # for a space that is no place to break; `printable` leaves none in a text
_log: logging.Logger | None = None  # of messages, once `log_messages` was called
BROKEN_PIPE = 141  # what a shell reports for a process that SIGPIPE ended


def repair_streams() -> None:
    """Open /dev/null in place of a closed standard stream.

    Otherwise the next file to be opened gets its number, and then messages or a transcript.
    """
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    sys.stderr = _or_devnull(sys.stderr)


def write_output(text: str) -> None:
    """Write to standard output at once, as UTF-8.

    Raises `OutputError`, and `typer.Exit` when the reader has closed the pipe, which is no error.
    """
    fd = standard_output()
    data = memoryview(text.encode("utf-8", "surrogateescape"))
    try:
        while data:  # unbuffered: nothing is left to fail when the process exits
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise typer.Exit(BROKEN_PIPE) from None
    except OSError as error:
        raise OutputError(
            f"Standard output cannot be written: {error.strerror}. Free some space there, or send "
            f"the output elsewhere."
        ) from error


def write_json(value: Any) -> None:
    """Write an object or a list to standard output, indented. Raises as `write_output` does.

    What a terminal may obey is escaped as JSON has it: callers choose the names of their apps.
    """
    write_output(harmless_json(json.dumps(value, ensure_ascii=False, indent=2)) + "\n")


def harmless_json(text: str) -> str:
    """Return a text of JSON in which what a terminal may obey is escaped as JSON has it."""
    return "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    """Return a character of JSON's text; line ends are there between strings alone."""
    if character.isprintable() or character == "\n" or character in HARMLESS:
        return character
    return json.dumps(character)[1:-1]


def standard_output() -> int:
    """Return its descriptor. Raises `OutputError` if the caller has closed it."""
    stdout: TextIO | None = sys.stdout
    if stdout is None:
        raise OutputError("Standard output is closed, so nothing can be written. Leave it open.")
    return stdout.fileno()


def log_messages() -> None:
    """Log from now on what would be printed to standard error, where every line is of the log."""
    global _log  # noqa: PLW0603 (standard error is global, too)
    _log = logging.getLogger("voxgate.cli")


def print_message(line: str, level: int = logging.INFO) -> None:
    """Write one line to standard error, folded on a terminal; ignore a closed stream."""
    if _log is not None:
        _log.log(level, "%s", line)
        return
    text = f"voxgate: {printable(line)}"
    with suppress(OSError):
        if sys.stderr.isatty():
            text = folded(text, shutil.get_terminal_size().columns)
        print(text, file=sys.stderr, flush=True)  # noqa: T201 (the command line prints)


def folded(text: str, width: int, indent: str = "  ") -> str:
    """Return the text in lines of at most `width` characters, all but the first indented.

    Neither a word nor what is in backticks is broken: it is to be typed, and may be longer.
    """
    parts = text.split("`")
    parts[1::2] = [part.replace(" ", GLUE) for part in parts[1::2]]
    lines = textwrap.wrap(
        "`".join(parts),
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(GLUE, " ")


def print_error(error: VoxgateError, name: str = "") -> None:
    """Print an error, with the recording's name."""
    print_message(with_name(error, name), logging.ERROR)


def with_name(error: VoxgateError, name: str) -> str:
    """Return the error's sentence, after the recording's name unless that is in it."""
    sentence = with_own_options(error.sentence)
    return sentence if name in sentence else f"{name}: {sentence}"


def has_terminal() -> bool:
    """Return whether standard error is a terminal that can move its cursor."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb").lower() not in {"dumb", "unknown"}


def _or_devnull(stream: TextIO | None) -> TextIO:
    return stream or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 (os.devnull is not a Path)
