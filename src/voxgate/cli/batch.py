"""`BatchRun`: the recordings of one call, one after another, and what became of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

import typer

from voxgate.cli import signals
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.fetching import check_addresses, opened_input
from voxgate.cli.outputs import UnwritableError
from voxgate.cli.streams import has_terminal, print_error, print_message, with_name
from voxgate.errors import EngineStartError, OutputError, UnusableServerError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from voxgate.cli.inputs import InputRecording, Inputs
    from voxgate.cli.progress import SpeedSummary
    from voxgate.settings import Settings

OUTCOMES = ("transcribed", "answered", "skipped", "failed", "not begun", "left")
"""Of recordings, in the order of the summary."""

DONE = OUTCOMES[:2]


class BatchWork(Protocol):
    """What is done with each recording of a call. `speed` has what is done."""

    speed: SpeedSummary

    def open(self) -> AbstractAsyncContextManager[None]:
        """Return the context of all `do`. Raises `VoxgateError` where nothing can be done."""

    async def do(self, recording: InputRecording, place: str) -> str:
        """Do it with one recording, and return its outcome. Raises `VoxgateError`.

        `place` is that of the recording in the call, which a terminal shows before its name.
        """


class BatchRun:
    """The recordings of one call, of which one after another is worked on."""

    def __init__(self, work: BatchWork, settings: Settings) -> None:
        self._outcomes = Counter[str]()
        self._total = 0
        self._failures: list[str] = []
        self._work, self._settings = work, settings

    async def run(self, recordings: Sequence[InputRecording]) -> bool:
        """Do the work with all recordings, print every error, and return whether none failed.

        A bad recording does not stop the others, but an error that would recur for each of them
        does. Raises `VoxgateError` if the work cannot be opened.
        """
        self._outcomes["not begun"] = self._total = len(recordings)
        async with self._work.open():
            for number, recording in enumerate(recordings, 1):
                place = f"file {number} of {len(recordings)} " if len(recordings) > 1 else ""
                self._outcomes["not begun"] -= 1
                try:
                    async with opened_input(recording, self._settings, place) as opened:
                        outcome = await self._work.do(opened, place)
                    self._outcomes[outcome] += 1
                except VoxgateError as error:
                    self._fail(error, "" if isinstance(error, OutputError) else recording.name)
                    if would_recur(error):
                        break
        return not self._failures

    def print_interrupted(self) -> None:
        """Print the summary of a call of several recordings that a signal has ended."""
        if self._total > 1:
            del self._outcomes["not begun"]
            self._outcomes["left"] = self._total - self._outcomes.total()
            self.print_summary()

    def print_summary(self) -> None:
        """Print what became of the recordings, how much sound they have, and in what time.

        On a terminal, where progress has moved them away, the failures are repeated.
        """
        counts = [f"{self._outcomes[name]} {name}" for name in OUTCOMES if self._outcomes[name]]
        noun = "recording" if self._outcomes.total() == 1 else "recordings"
        line = f"{self._outcomes.total()} {noun}: {', '.join(counts)}"
        if any(self._outcomes[name] for name in DONE):
            line += f"; {self._work.speed.totals()}"
        print_message(f"{line}.")
        for sentence in self._failures if has_terminal() else ():
            print_message(f"failed: {sentence}")

    @property
    def skipped(self) -> bool:
        """Whether a recording was skipped."""
        return self._outcomes["skipped"] > 0

    def _fail(self, error: VoxgateError, name: str) -> None:
        print_error(error, name)
        self._outcomes["failed"] += 1
        self._failures.append(with_name(error, name))


def run_batch(work: BatchWork, inputs: Inputs, settings: Settings) -> None:
    """Do the work with every recording, and say what became of several.

    Raises `typer.Exit` with `FAILED` where one failed.
    """
    check_addresses(inputs.recordings, settings)
    for error in inputs.failures:
        print_error(error)
    batch = BatchRun(work, settings)
    found = inputs.recordings
    complete = not found or signals.run_until_signal(batch.run(found), batch.print_interrupted)
    for sentence in inputs.unread:
        print_message(sentence)
    if len(found) > 1:
        batch.print_summary()
    if inputs.failures or not complete:
        raise typer.Exit(FAILED)


def would_recur(error: VoxgateError) -> bool:
    """Return whether the next recording would fail in the same way."""
    recurring = (EngineStartError, OutputError, UnusableServerError)
    return isinstance(error, recurring) and not isinstance(error, UnwritableError)
