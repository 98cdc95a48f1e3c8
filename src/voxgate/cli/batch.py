"""`BatchRun`: the recordings of one call, one after another, and what became of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from voxgate.cli.fetching import opened_input
from voxgate.cli.option_names import with_own_options
from voxgate.cli.outputs import UnwritableError
from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, progress_line
from voxgate.cli.streams import has_terminal, print_error, print_message, with_name
from voxgate.errors import EngineStartError, OutputError, UnusableServerError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli.backend import Transcribe, TranscriptionBackend
    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.outputs import Output
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript

OUTCOMES = ("transcribed", "skipped", "failed", "not begun", "left")
"""Of recordings, in the order of the summary."""


class BatchRun:
    """The recordings of one call, transcribed one after another by one backend."""

    def __init__(
        self,
        backend: TranscriptionBackend,
        options: Options,
        pcm: PcmDeclaration | None,
        choice: SoundChoice,
        output: Output,
        *,
        settings: Settings,
    ) -> None:
        self.speed = SpeedSummary()
        self._outcomes = Counter[str]()
        self._total = 0
        self._failures: list[str] = []
        self._backend, self._options = backend, options
        self._pcm, self._choice, self._output = pcm, choice, output
        self._settings = settings

    async def run(self, recordings: Sequence[InputRecording]) -> bool:
        """Transcribe and write all recordings, print every error, and return whether none failed.

        A bad recording does not stop the others, but an error that would recur for each of them
        does. Raises `VoxgateError` if the backend cannot be opened.
        """
        self._outcomes["not begun"] = self._total = len(recordings)
        async with self._backend.open() as transcribe:
            for number, recording in enumerate(recordings, 1):
                place = f"file {number} of {len(recordings)} " if len(recordings) > 1 else ""
                self._outcomes["not begun"] -= 1
                try:
                    async with opened_input(recording, self._settings, place) as opened:
                        outcome = await self._transcribe_one(transcribe, opened, place)
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
        """Print what became of the recordings, how much sound was transcribed, and in what time.

        On a terminal, where progress has moved them away, the failures are repeated.
        """
        counts = [f"{self._outcomes[name]} {name}" for name in OUTCOMES if self._outcomes[name]]
        noun = "recording" if self._outcomes.total() == 1 else "recordings"
        line = f"{self._outcomes.total()} {noun}: {', '.join(counts)}"
        if self._outcomes["transcribed"]:
            line += f"; {self.speed.totals()}"
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

    async def _transcribe_one(
        self, transcribe: Transcribe, recording: InputRecording, place: str
    ) -> str:
        """Transcribe a recording that the output wants, and return its outcome."""
        if not await self._output.wants(recording):
            return "skipped"
        speed = TranscriptionSpeed(self._backend.first_phase)
        with progress_line(recording.name, speed, place) as on_progress:
            transcript = await transcribe(
                recording.source,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                choice=self._choice,
                on_progress=on_progress,
            )
        print_notices(recording.name, transcript)
        if not transcript.text and not transcript.notices:
            print_message(
                f"warning: no words were recognised in {recording.name}: its transcript is empty."
            )
        await self._output.write(recording, transcript)
        self.speed.add(transcript.duration, speed)
        return "transcribed"


def would_recur(error: VoxgateError) -> bool:
    """Return whether the next recording would fail in the same way."""
    recurring = (EngineStartError, OutputError, UnusableServerError)
    return isinstance(error, recurring) and not isinstance(error, UnwritableError)


def print_notices(name: str, transcript: Transcript) -> None:
    """Print the warnings of a transcript, with the recording's name."""
    for notice in transcript.notices:  # a server does not know the recording's name here
        prefix = "" if name in notice.sentence else f"{name}: "
        print_message(f"warning: {prefix}{with_own_options(notice.sentence)}")
