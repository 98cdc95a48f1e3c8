"""The recordings of one call, one after another at one workplace: what is loaded there stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from voxgate.cli.outputs import UnwritableError
from voxgate.cli.pace import Figures, Pace
from voxgate.cli.progress import watching
from voxgate.cli.streams import complain, say
from voxgate.client.errors import UnusableServerError
from voxgate.errors import EngineStartError, OutputError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import Given
    from voxgate.cli.inputs import Recording
    from voxgate.cli.outputs import Output
    from voxgate.cli.workplaces import Workplace
    from voxgate.pipeline.run import Standing
    from voxgate.transcript.values import Options, Transcript


class Transcriber(Protocol):
    """Who does the work: a `Session` of this machine, or a `Server` elsewhere."""

    async def transcribe(
        self,
        given: Given,
        *,
        model: str,
        options: Options | None,
        name: str | None,
        pcm: PcmDeclaration | None,
        standing: Callable[[Standing], None],
    ) -> Transcript:
        """One recording's transcript. Raises `VoxgateError`."""


class Work:
    """What is asked of every recording of the call, and how fast it went."""

    def __init__(
        self, workplace: Workplace, options: Options, pcm: PcmDeclaration | None, output: Output
    ) -> None:
        self.figures = Figures()
        self._workplace, self._options = workplace, options
        self._pcm, self._output = pcm, output

    async def run(self, recordings: Sequence[Recording]) -> bool:
        """Transcribe and write each; whether all went well. Every failure has been said.

        One bad recording does not stop the others. What would fail them all alike does. Raises
        `VoxgateError` where the work cannot be begun.
        """
        complete = True
        async with self._workplace.open() as (transcriber, model):
            for left, recording in zip(range(len(recordings))[::-1], recordings, strict=True):
                try:
                    await self._one(transcriber, model, recording)
                except VoxgateError as error:
                    complain(error, "" if isinstance(error, OutputError) else recording.name)
                    complete = False
                    if _would_recur(error):
                        if left:
                            say(f"{left} of {len(recordings)} recordings were not begun.")
                        break
        return complete

    async def _one(self, transcriber: Transcriber, model: str, recording: Recording) -> None:
        pace = Pace()
        with watching(recording.name, pace) as standing:
            transcript = await transcriber.transcribe(
                recording.given,
                model=model,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                standing=standing,
            )
        self.figures.add(transcript.duration, pace)
        _warn(recording, transcript)
        await self._output.put(recording, transcript)


def _would_recur(error: VoxgateError) -> bool:
    everywhere = (EngineStartError, OutputError, UnusableServerError)
    return isinstance(error, everywhere) and not isinstance(error, UnwritableError)


def _warn(recording: Recording, transcript: Transcript) -> None:
    for notice in transcript.notices:  # a server does not know what the recording is called here
        named = "" if recording.name in notice.sentence else f"{recording.name}: "
        say(f"warning: {named}{notice.sentence}")
    if not transcript.text and not transcript.notices:
        say(f"warning: no words were recognised in {recording.name}: its transcript is empty.")
