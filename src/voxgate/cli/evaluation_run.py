"""`EvaluationRun`: recordings with references, transcribed by one model after another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.channels import SoundChoice
from voxgate.cli.batch import would_recur
from voxgate.cli.progress import TranscriptionSpeed, progress_line
from voxgate.cli.streams import has_terminal, print_error, print_message
from voxgate.cli.transcription_work import print_notices
from voxgate.errors import VoxgateError
from voxgate.evaluation.attempts import ModelRun, Recognition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.backend import Transcribe, TranscriptionBackend
    from voxgate.evaluation.pairs import ReferencedRecording
    from voxgate.prices import Price
    from voxgate.transcript.values import Options, Transcript

SHORT_S = 60.0
"""A recording up to this length is transcribed again if its model was started for it: the start
would be most of its time."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model of the comparison: where it runs, and its configured price, if there is one.

    `starts` says that its first recording waits until it is loaded, as on this machine.
    """

    backend: TranscriptionBackend
    price: Price | None
    starts: bool


class EvaluationRun:
    """All recordings, one after another, by each of the models."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        recordings: Sequence[ReferencedRecording],
        options: Options,
    ) -> None:
        self._candidates, self._recordings, self._options = candidates, recordings, options
        self.runs: list[ModelRun] = []
        self.complete = True  # unless something failed

    async def run(self) -> None:
        """Transcribe everything. Every error is printed, and is in the model's run.

        Neither a bad recording nor a model that cannot be used stops the others.
        """
        for number, candidate in enumerate(self._candidates, 1):
            run = ModelRun(candidate.backend.model or "the server's model")
            self.runs.append(run)
            if len(self._candidates) > 1 and has_terminal():
                print_message(f"model {number} of {len(self._candidates)}: {run.model}")
            try:
                async with candidate.backend.open() as transcribe:
                    await self._run_model(candidate, transcribe, run)
            except VoxgateError as error:
                self._fail(error, run.model)

    def print_interrupted(self) -> None:
        """Say what a signal has ended."""
        done = sum(len(run.attempts) for run in self.runs)
        total = len(self._candidates) * len(self._recordings)
        print_message(f"{done} of {total} transcripts were made; there is no report without all.")

    async def _run_model(self, candidate: Candidate, transcribe: Transcribe, run: ModelRun) -> None:
        starting = candidate.starts
        for number, recording in enumerate(self._recordings, 1):
            place = f"file {number} of {len(self._recordings)} "
            timed = _Timed(transcribe, self._options, candidate.backend.first_phase, place)
            try:
                transcript, elapsed_s = await timed(recording)
                if starting and transcript.text and transcript.duration <= SHORT_S:
                    transcript, elapsed_s = await timed(recording)
            except VoxgateError as error:
                run.attempts[recording.name] = error
                self._fail(error, recording.name)
                if would_recur(error):
                    break
            else:
                starting = starting and not transcript.text  # silence needs no model
                print_notices(recording.name, transcript.notices)
                run.model = candidate.backend.model or transcript.model
                run.attempts[recording.name] = Recognition.of(
                    transcript, elapsed_s, candidate.price
                )

    def _fail(self, error: VoxgateError, name: str) -> None:
        print_error(error, name)
        self.complete = False


@dataclass(frozen=True, slots=True)
class _Timed:
    """A recording's transcript and the seconds that it took, with progress on a terminal."""

    transcribe: Transcribe
    options: Options
    first_phase: str
    place: str

    async def __call__(self, recording: ReferencedRecording) -> tuple[Transcript, float]:
        speed = TranscriptionSpeed(self.first_phase)
        began = time.monotonic()
        with progress_line(recording.name, speed, self.place) as on_progress:
            transcript = await self.transcribe(
                recording.path,
                options=self.options,
                name=recording.name,
                pcm=None,
                choice=SoundChoice(),
                on_progress=on_progress,
            )
        return transcript, time.monotonic() - began
