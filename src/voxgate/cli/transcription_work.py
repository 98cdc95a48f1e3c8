"""`TranscriptionWork`: transcribes and writes one recording of a call after another."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.cli.option_names import with_own_options
from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, progress_line
from voxgate.cli.streams import print_message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli.backend import Transcribe, TranscriptionBackend
    from voxgate.cli.inputs import InputRecording
    from voxgate.cli.outputs import Output
    from voxgate.transcript.values import Notice, Options


class TranscriptionWork:
    """A `BatchWork`: each recording is transcribed by one backend, for one output."""

    def __init__(
        self,
        backend: TranscriptionBackend,
        options: Options,
        pcm: PcmDeclaration | None,
        choice: SoundChoice,
        output: Output,
    ) -> None:
        self.speed = SpeedSummary()
        self._backend, self._options = backend, options
        self._pcm, self._choice, self._output = pcm, choice, output
        self._transcribe: Transcribe

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the backend. Raises what that raises."""
        async with self._backend.open() as self._transcribe:
            yield

    async def do(self, recording: InputRecording, place: str) -> str:
        """Transcribe a recording that the output wants, and return its outcome."""
        if not await self._output.wants(recording):
            return "skipped"
        speed = TranscriptionSpeed(self._backend.first_phase)
        with progress_line(recording.name, speed, place) as on_progress:
            transcript = await self._transcribe(
                recording.source,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                choice=self._choice,
                on_progress=on_progress,
            )
        print_notices(recording.name, transcript.notices)
        if not (transcript.text or transcript.notices or transcript.structured):
            print_message(
                f"warning: no words were recognised in {recording.name}: its transcript is empty."
            )
        await self._output.write(recording, transcript)
        self.speed.add(transcript.duration, speed)
        return "answered" if transcript.structured else "transcribed"


def print_notices(name: str, notices: Iterable[Notice]) -> None:
    """Print the warnings of a recording, with its name."""
    for notice in notices:  # a server does not know the recording's name here
        prefix = "" if name in notice.sentence else f"{name}: "
        print_message(f"warning: {prefix}{with_own_options(notice.sentence)}")
