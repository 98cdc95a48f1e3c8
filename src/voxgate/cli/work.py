"""The recordings of one call, one after another through one session: the engine stays loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.outputs import UnwritableError
from voxgate.cli.pace import Figures, Pace
from voxgate.cli.progress import watching
from voxgate.cli.streams import complain, say
from voxgate.errors import EngineStartError, OutputError, VoxgateError
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.cli.inputs import Recording
    from voxgate.cli.outputs import Output
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript


class Work:
    """What is asked of every recording of the call, and how fast it went."""

    def __init__(
        self,
        settings: Settings,
        model: str,
        options: Options,
        pcm: PcmDeclaration | None,
        output: Output,
    ) -> None:
        self.figures = Figures()
        self._settings, self._model, self._options = settings, model, options
        self._pcm, self._output = pcm, output

    async def run(self, recordings: Sequence[Recording]) -> bool:
        """Transcribe and write each; whether all went well. Every failure has been said.

        One bad recording does not stop the others. What would fail them all alike does.
        """
        complete = True
        async with Session(self._settings) as session:
            for left, recording in zip(range(len(recordings))[::-1], recordings, strict=True):
                try:
                    await self._one(session, recording)
                except VoxgateError as error:
                    complain(error, "" if isinstance(error, OutputError) else recording.name)
                    complete = False
                    if _would_recur(error):
                        if left:
                            say(f"{left} of {len(recordings)} recordings were not begun.")
                        break
        return complete

    async def _one(self, session: Session, recording: Recording) -> None:
        pace = Pace()
        with watching(recording.name, pace) as standing:
            transcript = await session.transcribe(
                recording.given,
                model=self._model,
                options=self._options,
                name=recording.name,
                pcm=self._pcm,
                standing=standing,
            )
        self.figures.add(transcript.duration, pace)
        _warn(recording, transcript)
        await self._output.put(recording, transcript)


def _would_recur(error: VoxgateError) -> bool:
    return isinstance(error, (EngineStartError, OutputError)) and not isinstance(
        error, UnwritableError
    )


def _warn(recording: Recording, transcript: Transcript) -> None:
    for notice in transcript.notices:
        say(f"warning: {notice.sentence}")
    if not transcript.text and not transcript.notices:
        say(f"warning: no words were recognised in {recording.name}: its transcript is empty.")
