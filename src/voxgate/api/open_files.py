"""The process's limit of open files: raised, shared between connections and all else, and met.

A connection takes one of them; so do spools, pipes of decoders, sockets of engines, the database.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import resource
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

MAX_OPEN_FILES = 65_536  # macOS has no hard limit, and refuses to have none
COMMON_LIMIT = 10_240  # what every macOS allows
MAX_CONNECTIONS = 10_000
MAX_BACKLOG = 1024
REPORT_S = 60.0
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


def raise_limit() -> None:
    """Raise the soft limit to the hard one, which later children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if 0 <= hard < MAX_OPEN_FILES else MAX_OPEN_FILES
    for limit in (wanted, COMMON_LIMIT):
        if 0 <= soft < limit <= wanted:
            with suppress(ValueError, OSError):  # macOS may refuse a limit below its hard one
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return


def most_connections() -> int:
    """Return how many connections may be open: half of the limit is for all else."""
    return min(MAX_CONNECTIONS, _limit() // 2)


def backlog() -> int:
    """Return how many connections asyncio may accept before it tells their protocols."""
    return max(1, min(MAX_BACKLOG, _limit() // 16))


@contextmanager
def failed_accepts_logged() -> Iterator[None]:
    """Log connections that cannot be accepted in one line a minute.

    asyncio logs each with its traceback, a thousand times a second.
    """
    loop = asyncio.get_running_loop()
    previous = loop.get_exception_handler()
    loop.set_exception_handler(_Handler())
    try:
        yield
    finally:
        loop.set_exception_handler(previous)


class _Handler:
    """The event loop's handler of errors that nobody awaits."""

    def __init__(self) -> None:
        self._next_report = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in EXHAUSTED and "socket" in context):
            loop.default_exception_handler(context)
        elif loop.time() >= self._next_report:
            self._next_report = loop.time() + REPORT_S
            log.error("no connection can be accepted now: %s (said once a minute)", error.strerror)


def _limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if 0 <= soft < MAX_OPEN_FILES else MAX_OPEN_FILES
