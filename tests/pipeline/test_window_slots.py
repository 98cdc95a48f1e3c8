"""What a recording's first words wait for: no window behind them, where a model has calls."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.test_final import Given
from tests.pipeline.test_job import FOUR, run
from tests.processes import until, working_decoders
from tests.scripted import Scripted
from tests.sounds import encode
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.transcript.values import Options

WAV = encode(FOUR, "x.wav")


@pytest.fixture
async def decoders() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(Settings()) as decoders:
        yield decoders


class Gates:
    """Open one, and the window of that number is answered."""

    def __init__(self) -> None:
        self.entered: list[int] = []  # the numbers of the windows at the model, in order
        self._open = [asyncio.Event() for _ in range(4)]

    async def __call__(self, number: int) -> None:
        self.entered.append(number)
        await self._open[number].wait()

    def open(self, *numbers: int) -> None:
        for number in numbers:
            self._open[number].set()


async def all_decoded(decoders: DecoderPool) -> None:
    """Wait until the decoder has ended, which has begun before."""
    server = await decoders.warm()
    await until(lambda: not working_decoders(server), "the decoder's end")


async def test_until_the_first_words_each_call_has_one_window(decoders: DecoderPool) -> None:
    gates, given = Gates(), Given()
    provider = Scripted(concurrency=4, calls=2, gate=gates)
    job = asyncio.create_task(run(WAV, provider, decoders, Settings(), on_final=given))
    await until(lambda: len(gates.entered) == 2, "a window for each call")
    await all_decoded(decoders)
    gates.open(1)  # its words are not the first
    await until(lambda: len(gates.entered) == 3, "the next window")
    assert provider.running == 2
    gates.open(0)
    await until(lambda: bool(given.segments), "the first words")
    await until(lambda: gates.entered == [0, 1, 2, 3], "all windows")
    gates.open(2, 3)
    assert given.is_all_of(await job)


async def test_the_first_window_is_alone_while_its_recording_is_decoded(
    decoders: DecoderPool,
) -> None:
    """The end of the pipe is only written when windows behind the first one are recognised."""
    gates, given = Gates(), Given()
    provider = Scripted(concurrency=4, calls=2, gate=gates)
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as pipe, os.fdopen(write_fd, "wb", buffering=0) as rest:
        job = asyncio.create_task(run(pipe, provider, decoders, Settings(), on_final=given))
        await asyncio.to_thread(rest.write, WAV)  # returns when most of it is decoded
        await until(lambda: bool(gates.entered), "the first window")
        assert gates.entered == [0]
        gates.open(0)
        await until(lambda: bool(given.segments), "the first words")
        await until(lambda: provider.running > 1, "the windows behind")
        rest.close()
        gates.open(1, 2, 3)
        assert given.is_all_of(await job)


async def test_a_second_look_at_the_first_window_goes_before_the_windows_behind(
    decoders: DecoderPool,
) -> None:
    gates, given, looks = Gates(), Given(), list[int]()

    def says(number: int, _: Options) -> str:
        looks.append(number)
        return "" if looks == [0] else f"word {number}"

    provider = Scripted(concurrency=4, calls=2, gate=gates, says=says)
    job = asyncio.create_task(run(WAV, provider, decoders, Settings(), on_final=given))
    await until(lambda: len(gates.entered) == 2, "a window for each call")
    await all_decoded(decoders)
    gates.open(0)
    await until(lambda: bool(given.segments), "the first words")
    assert gates.entered[:3] == [0, 1, 0]
    gates.open(1, 2, 3)
    assert given.is_all_of(await job)
    assert given.segments[0].text == "word 0"


async def test_windows_without_words_do_not_hold_up_those_behind(decoders: DecoderPool) -> None:
    provider = Scripted(concurrency=4, calls=2, says=lambda number, _: "word" if number > 2 else "")
    given = Given()
    transcript = await run(WAV, provider, decoders, Settings(), on_final=given)
    assert transcript.text == "word"
    assert given.is_all_of(transcript)
