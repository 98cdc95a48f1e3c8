"""Ctrl-C and its kin: what runs is cancelled and closed, then the process ends with 128 + signal.

`run_until_signal` is for work on an event loop, `unwind` for work that blocks.

The children live in sessions of their own, so a terminal's Ctrl-C reaches this process alone.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from voxgate.cli.streams import say

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

T = TypeVar("T")

ENDINGS = {
    signal.SIGINT: "interrupted.",
    signal.SIGTERM: "terminated.",
    signal.SIGHUP: "the terminal has gone.",
}


CLEANUP_S = 10.0
"""How long closing may take: each process that hangs is given five seconds."""


def run_until_signal(work: Coroutine[None, None, T]) -> T:
    """`asyncio.run`, except that a signal lets the work close what it has open, and exits.

    Signals that the caller has set to be ignored (nohup, a shell's background job) stay ignored.
    """
    caught: list[signal.Signals] = []
    on_sigint = signal.getsignal(signal.SIGINT)

    async def supervised() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end(number: signal.Signals) -> None:
            if not caught and task is not None:  # a second one must not cancel the closing
                caught.append(number)
                task.cancel()
                # Whatever holds the closing up holds nobody: children end when their lifelines do.
                loop.call_later(CLEANUP_S, _exit, number)

        for number in ENDINGS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, end, number)
        return await work

    try:
        with asyncio.Runner() as runner:
            try:
                return runner.run(supervised())
            except BaseException:
                if caught:
                    _exit(caught[0])
                raise
    finally:
        signal.signal(signal.SIGINT, on_sigint)  # the loop has put Python's own in its place


@contextmanager
def unwind(state: str) -> Iterator[None]:
    """Let a signal unwind what runs here, files closed and drafts deleted; then say how it ended.

    Signals that the caller has set to be ignored stay ignored.
    """
    before = {number: signal.getsignal(number) for number in ENDINGS}

    def end(number: int, _frame: object) -> None:
        raise _EndedError(signal.Signals(number))

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, end)
        yield
    except _EndedError as ended:
        say(f"{ENDINGS[ended.number]} {state}")
        raise typer.Exit(128 + ended.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _EndedError(BaseException):
    """Nobody's to catch on its way: no failure of anything."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


def _exit(number: signal.Signals) -> None:
    """Leave at once: a thread that waits for a pipe's writer would keep the interpreter for ever.

    Nothing is buffered, and the work has closed what it had open.
    """
    say(ENDINGS[number])
    os._exit(128 + number)
