"""One recording of many windows with an engine that recognises several at once."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.spoken_digits import CHECKPOINT, Spoken, joined, phrase, takes
from voxgate.models.catalogue import ModelSpec, find_model
from voxgate.pipeline.session import Session
from voxgate.pipeline.trace import Trace
from voxgate.providers.local import LocalEngine
from voxgate.transcript.values import Delta, Done, Event, Options, Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from voxgate.audio.spool import Audio
    from voxgate.pipeline.job import JobProgress
    from voxgate.settings import Settings

WINDOWS = 10


class Watched(LocalEngine):
    """Counts concurrent windows; `after` is called after each piece of text."""

    running = most = 0
    after: Callable[[Watched], None] = staticmethod(lambda _: None)

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event, None]:
        self.running += 1
        self.most = max(self.most, self.running)
        ended = False
        try:
            async with aclosing(super().transcribe(window, options)) as events:
                async for event in events:
                    if isinstance(event, Delta):
                        self.after(self)
                    if isinstance(event, Done):  # whoever has this one goes on to the next window
                        self.running -= 1
                        ended = True
                    yield event
        finally:
            self.running -= not ended


class Door:
    """A session with one watched engine."""

    def __init__(self, concurrency: int | None = None) -> None:
        self._concurrency = concurrency
        self.engine: Watched | None = None
        self.trace = Trace()
        self.reports: list[JobProgress] = []
        self.after: Callable[[Watched], None] = lambda _: None

    async def transcript(self, path: Path, options: Options | None = None) -> Transcript:
        async with Session(start=self._start) as session:
            return await session.transcribe(
                path,
                model=str(CHECKPOINT),
                options=options,
                times=False,
                trace=self.trace,
                on_progress=self.reports.append,
            )

    @property
    def most(self) -> int:
        assert self.engine is not None
        return self.engine.most

    def _start(self, spec: ModelSpec, settings: Settings) -> Watched:
        if self._concurrency is not None:
            able = replace(spec.capabilities, concurrency=self._concurrency)
            spec = replace(spec, capabilities=able)
        self.engine = Watched(spec, settings)
        self.engine.after = self.after
        return self.engine


@pytest.fixture(scope="module")
def spoken() -> Spoken:
    """Ten phrases, with pauses between that end a window."""
    rng = random.Random(4)
    speakers = list(takes().values())
    phrases = [phrase(rng, rng.choice(speakers), 3) for _ in range(WINDOWS)]
    return joined(phrases, [4.0] * WINDOWS)


@pytest.fixture(scope="module")
def path(spoken: Spoken, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spoken.save(tmp_path_factory.mktemp("sound") / "many.wav")


@pytest.fixture(scope="module")
def whole(path: Path) -> str:
    """Its text, from an engine that is not disturbed."""
    return asyncio.run(Door().transcript(path)).text


async def test_windows_are_recognised_together_and_joined_in_order(path: Path) -> None:
    """With one seed, the text is that of windows recognised one after another."""
    options = Options(temperature=1.0, seed=3)
    together, single = Door(), Door(concurrency=1)
    transcript = await together.transcript(path, options)
    assert together.most == find_model(str(CHECKPOINT)).capabilities.concurrency == 8
    assert len(together.trace.attempts) == WINDOWS
    assert said(transcript) == said(await single.transcript(path, options))
    assert single.most == 1
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert together.reports[-1].done_s == transcript.duration


def said(transcript: Transcript) -> list[tuple[str, float, float]]:
    """Texts and times, without confidences: their last bits may depend on the batch."""
    return [(segment.text, segment.start, segment.end) for segment in transcript.segments]


async def test_options_of_the_joined_text_are_applied_in_order(path: Path, whole: str) -> None:
    ordered = Door()
    stop = whole[len(whole) // 2 :].split()[1]
    stopped = await ordered.transcript(path, Options(stop=(stop,)))
    assert ordered.most == 1
    assert stopped.text == whole[: whole.index(stop)].strip()


async def test_an_engine_killed_while_it_writes_costs_no_word(path: Path, whole: str) -> None:
    killed: list[int] = []

    def kill(engine: Watched) -> None:
        if not killed and engine.running > 1 and engine.pid is not None:
            killed.append(engine.running)
            os.kill(engine.pid, signal.SIGKILL)

    door = Door()
    door.after = kill
    transcript = await door.transcript(path)
    assert killed
    lost = [attempt for attempt in door.trace.attempts if attempt.error is not None]
    assert {attempt.error for attempt in lost} == {"engine_died"}
    assert 1 <= len(lost) <= killed[0]
    assert transcript.text == whole
