"""Which exit code a failure becomes. The one place where errors end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.cli.streams import complain
from voxgate.errors import (
    CheckpointError,
    SettingsError,
    UnknownFormatError,
    UnknownModelError,
    UnsupportedLanguageError,
    UsageError,
    VoxgateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = 1
WRONG_USAGE = 2

WRONG = (
    CheckpointError,
    SettingsError,
    UnknownFormatError,
    UnknownModelError,
    UnsupportedLanguageError,
    UsageError,
)


@contextmanager
def exit_code_of() -> Iterator[None]:
    """End the process for a `VoxgateError` with one line and an exit code.

    Any other exception is a bug, and shows where.
    """
    try:
        yield
    except VoxgateError as error:
        complain(error)
        sys.exit(WRONG_USAGE if isinstance(error, WRONG) else FAILED)
