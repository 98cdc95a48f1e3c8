"""Exit codes: how the command line ends with an error."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from voxgate.cli.streams import print_error
from voxgate.errors import (
    CheckpointError,
    SettingsError,
    UnknownModelError,
    UsageError,
    VoxgateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

FAILED = 1
WRONG_USAGE = 2

USAGE_ERRORS = (CheckpointError, SettingsError, UnknownModelError, UsageError)


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the process with one line and an exit code on a `VoxgateError`.

    Any other exception is a bug, and leaves its traceback.
    """
    try:
        yield
    except VoxgateError as error:
        print_error(error)
        sys.exit(WRONG_USAGE if isinstance(error, USAGE_ERRORS) else FAILED)
