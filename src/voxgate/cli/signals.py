"""SIGINT, SIGTERM and SIGHUP: close what is open, then exit with 128 + the signal's number.

`run_until_signal` is for coroutines, `unwind_on_signal` for blocking code. Child processes run in
sessions of their own, so a terminal's Ctrl-C reaches this process only.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from voxgate.cli.streams import print_message

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

T = TypeVar("T")

MESSAGES = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal has gone",
}


CLEANUP_S = 10.0
"""The limit of the cleanup: a child process that hangs is killed after five seconds."""


def run_until_signal(
    coroutine: Coroutine[None, None, T], on_stopped: Callable[[], None] = lambda: None
) -> T:
    """Run a coroutine as `asyncio.run` does; on a signal say so, cancel it, then exit.

    The cancelled coroutine closes what it has open, which may take seconds. `on_stopped` is called
    then. Signals that the caller ignores (nohup, a shell's background job) stay ignored.
    """
    caught: list[signal.Signals] = []
    on_sigint = signal.getsignal(signal.SIGINT)

    async def supervised() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def on_signal(number: signal.Signals) -> None:
            if not caught and task is not None:  # a second one must not cancel the cleanup
                caught.append(number)
                print_message(f"{MESSAGES[number]}: stopping.")
                task.cancel()
                # Exit even if the cleanup hangs: children end when this process does.
                loop.call_later(CLEANUP_S, _exit, number, on_stopped)

        for number in MESSAGES:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, on_signal, number)
        return await coroutine

    try:
        with asyncio.Runner() as runner:
            try:
                return runner.run(supervised())
            except BaseException:
                if caught:
                    _exit(caught[0], on_stopped)
                raise
    finally:
        signal.signal(signal.SIGINT, on_sigint)  # the loop has replaced it with Python's own


@contextmanager
def unwind_on_signal(state: str) -> Iterator[None]:
    """On a signal unwind the block, so that it closes and deletes its files; then exit.

    The signal and `state` are printed. Signals that the caller ignores stay ignored.
    """
    before = {number: signal.getsignal(number) for number in MESSAGES}

    def on_signal(number: int, _frame: object) -> None:
        raise _SignalError(signal.Signals(number))

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, on_signal)
        yield
    except _SignalError as caught:
        print_message(f"{MESSAGES[caught.number]}. {state}")
        raise typer.Exit(128 + caught.number) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _SignalError(BaseException):
    """A signal. It is no `Exception`, so that no handler catches it on its way."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number)
        self.number = number


def _exit(number: signal.Signals, on_stopped: Callable[[], None]) -> None:
    """Exit at once: a thread that waits for a pipe's writer would block the interpreter's exit.

    Nothing is buffered, and the coroutine has closed what it had open.
    """
    on_stopped()
    os._exit(128 + number)
