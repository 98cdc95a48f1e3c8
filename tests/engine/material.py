"""Sound for engines, and waiting for what they do."""

from __future__ import annotations

import asyncio
import random
import time
import wave
from contextlib import closing
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.sounds import ffmpeg, real_speech
from voxgate.engine.queue import WindowRequest
from voxgate.transcript.values import Done, Event, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from voxgate.audio.spool import Audio
    from voxgate.engine.backend import Scheduler
    from voxgate.engine.group_scheduler import RecogniseGroup
    from voxgate.providers.base import Provider

SAMPLES = Path(__file__).parents[2] / "samples"
VOICE_NOTE_WORDS = "am running late because the train stopped outside the city"
MODEL = "Systran/faster-whisper-base"
SECOND = 32_000  # bytes of PCM16 at 16 kHz
DEADLINE_S = 300.0  # tells slow from never: tests/processes.py


def recording(name: str) -> bytes:
    """PCM16 of a real recording of the folder VOXGATE_AUDIO; the test is skipped without it."""
    (path,) = real_speech().glob(f"{name}*.wav")
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return bytes(file.readframes(file.getnframes()))


def foreign_recording(name: str) -> bytes:
    """PCM16 of a real recording in another language; skipped as `recording` is."""
    (path,) = (real_speech().parent / "languages").glob(f"{name}.flac")
    return ffmpeg("-i", str(path), "-ar", "16000", "-ac", "1", "-f", "s16le", "out.raw")


def voice_note() -> bytes:
    """PCM16 of the sample: 10.4 s, `VOICE_NOTE_WORDS` within."""
    with av.open(str(SAMPLES / "voice-note.flac")) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    sound: bytes = np.concatenate(frames, axis=1).astype("<i2").tobytes()
    return sound


def noise(seconds: float, loudness: int = 3000) -> bytes:
    """White noise, the same at every call."""
    dice = random.Random(1968)
    values = (dice.randint(-loudness, loudness) for _ in range(int(seconds * 16_000)))
    return b"".join(value.to_bytes(2, "little", signed=True) for value in values)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "did not come about in time"
        time.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "did not come about in time"
        await asyncio.sleep(0.01)


def one_by_one(
    recognise: Callable[[bytes, Options], Generator[Event, None, None]],
) -> RecogniseGroup:
    """The function of a group for a script of one window: its PCM16 and options."""

    def recognise_group(
        requests: Sequence[WindowRequest],
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        for request in requests:
            with closing(recognise(request.pcm16, request.options)) as events:
                for event in events:
                    yield request, event

    return recognise_group


class Caller:
    """Gives a scheduler one window and records its events.

    `after` is called with the caller after each event, in the scheduler's own thread.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        pcm16: bytes,
        after: Callable[[Caller], None] = lambda _: None,
        **options: Any,
    ) -> None:
        self.received: list[Event] = []
        self.ended: Queue[Exception | None] = Queue()
        self._after = after
        self.request = WindowRequest(pcm16, Options(**options), self._record, self.ended.put)
        scheduler.add(self.request)

    def events(self) -> list[Event]:
        """All of them, once the window is done; raises what ended it otherwise. Once."""
        if error := self.ended.get(timeout=DEADLINE_S):
            raise error
        return self.received

    def _record(self, event: Event) -> None:
        self.received.append(event)
        self._after(self)


async def is_transcribed(engine: Provider, window: Audio) -> bool:
    """Transcribe a window, and return whether its last event says that it is done."""
    return is_done([event async for event in engine.transcribe(window, Options())][-1])


def is_done(event: object) -> bool:
    """Return whether an event says that a window is done."""
    return isinstance(event, Done)


def entries(folder: Path) -> int:
    """How many files and folders are in it."""
    return len(list(folder.iterdir()))


def is_running(pid: int) -> bool:
    """Whether a process that is not our child is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in {"Z", "X"}
