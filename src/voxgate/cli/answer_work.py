"""`AnswerWork`: asks one recording of a call after another, and prints the answers."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.answers.values import TextPart
from voxgate.cli.extraction import cut_off
from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, progress_line
from voxgate.cli.streams import standard_output, write_output
from voxgate.cli.transcription_work import print_notices
from voxgate.pipeline.question import AskedMessage, RecordingPart
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from voxgate.answers.values import Answer
    from voxgate.cli.answer_backend import AnswerBackend, Ask
    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.values import Options


class AnswerWork:
    """A `BatchWork`: each recording is asked the same, and its answer is printed as it comes.

    Raises `OutputError` when standard output is closed.
    """

    def __init__(
        self, backend: AnswerBackend, question: str, options: Options, *, several: bool
    ) -> None:
        """`several` recordings have their names above their answers, as head(1) prints files."""
        standard_output()  # raises if it is closed, before hours of work
        self.speed = SpeedSummary()
        self._backend, self._question, self._options = backend, question, options
        self._several, self._has_written = several, False
        self._ask: Ask

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Open the backend. Raises what that raises."""
        async with self._backend.open() as self._ask:
            yield

    async def do(self, recording: InputRecording, place: str) -> str:
        """Print the answer about a recording. Raises `VoxgateError` for one that is cut off."""
        speed = TranscriptionSpeed(self._backend.first_phase)
        pieces = asyncio.Queue[str | None]()  # None: the answer has ended
        async with AsyncExitStack() as stack:
            with progress_line(recording.name, speed, place) as on_progress:
                parts = (RecordingPart(recording.source, recording.name), TextPart(self._question))
                answering = await stack.enter_async_context(
                    _running(
                        self._ask(
                            [AskedMessage("user", parts)],
                            options=self._options,
                            on_text=pieces.put_nowait,
                            on_progress=on_progress,
                        )
                    )
                )
                answering.add_done_callback(lambda _: pieces.put_nowait(None))
                first = await pieces.get()  # until then a terminal shows the progress
            await self._print(recording.name, first, pieces)
            answer = await answering
        print_notices(recording.name, answer.notices)
        if answer.finish == "length":
            raise cut_off("the answer")
        self.speed.add(answer.duration, speed)
        return "answered"

    async def _print(self, name: str, piece: str | None, pieces: asyncio.Queue[str | None]) -> None:
        """Print an answer's pieces, in threads: a reader that stopped reading blocks no Ctrl-C."""
        if piece is None:  # it failed, or is empty
            return
        if self._several:
            gap = "\n" if self._has_written else ""
            await asyncio.to_thread(write_output, f"{gap}==> {printable(name)} <==\n")
        self._has_written = True
        piece = piece.lstrip()
        while piece is not None:
            await asyncio.to_thread(write_output, _shown(piece))
            piece = await pieces.get()
        await asyncio.to_thread(write_output, "\n")


@asynccontextmanager
async def _running(answering: Coroutine[None, None, Answer]) -> AsyncIterator[asyncio.Task[Answer]]:
    """Answer a question inside the context, and no longer."""
    task = asyncio.create_task(answering)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def _shown(text: str) -> str:
    """Return a model's text as a terminal may have it: with lines and tabs, without commands."""
    return "".join(each if each in "\n\t" else printable(each) for each in text)
