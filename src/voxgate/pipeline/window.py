"""What becomes of one window: its attempts, and the segments of the one that succeeded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import EngineError, VoxgateError
from voxgate.transcript.values import Done, Notice, Progress, Segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.audio.plan import Window
    from voxgate.audio.recording import Audio
    from voxgate.providers.base import Provider
    from voxgate.transcript.values import Options

ATTEMPTS = 3
"""How often a window is tried: a crash of the engine costs one attempt, not the recording."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one window. `error` is the code of what went wrong, None for success."""

    provider: str
    seconds: float  # wall time
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """A window with its words. Times are relative to the window."""

    window: Window
    sha256: str  # of the window's PCM16: equal sound can be told without comparing it
    attempts: tuple[Attempt, ...]
    segments: tuple[Segment, ...]
    language: str | None
    notices: tuple[Notice, ...]


async def recognise(
    window: Window,
    audio: Audio,
    provider: Provider,
    options: Options,
    *,
    heard: Callable[[float], None],
    trace: list[Attempt],
) -> Recognised:
    """Have a provider recognise a window, again after failures that may pass.

    `heard` is told how many seconds of the window are done; every attempt goes into `trace` too,
    where it outlives a failure. Raises the last attempt's `VoxgateError`.
    """
    sha256, attempts = audio.sha256(), list[Attempt]()
    while True:
        began = time.monotonic()
        try:
            segments, done = await _attempt(audio, provider, options, heard)
        except VoxgateError as error:
            attempts.append(Attempt(provider.name, time.monotonic() - began, error.code))
            trace.append(attempts[-1])
            if not error.retryable or len(attempts) >= ATTEMPTS:
                raise
            continue
        attempts.append(Attempt(provider.name, time.monotonic() - began))
        trace.append(attempts[-1])
        return Recognised(
            window, sha256, tuple(attempts), tuple(segments), done.language, done.notices
        )


async def _attempt(
    audio: Audio, provider: Provider, options: Options, heard: Callable[[float], None]
) -> tuple[list[Segment], Done]:
    segments = list[Segment]()
    async for event in provider.transcribe(audio, options):
        if isinstance(event, Segment):
            segments.append(event)
        elif isinstance(event, Progress):
            heard(event.audio_s)
        elif isinstance(event, Done):
            return segments, event
    raise EngineError(f"{provider.name} broke off without an end. Try again.")
