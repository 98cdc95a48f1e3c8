"""A decoder reads several recordings of one caller, one after another, and none of another one."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import DecodedRecording, collected, decode
from tests.failures import raises
from tests.processes import alive, open_files, until, waiting_decoders, working_decoders
from tests.sounds import SAMPLE, encode, sample
from voxgate.audio import idle_decoders
from voxgate.audio.channels import SoundChoice
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.errors import AudioError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Hashable

ANNA, BERT = "a key's hash", "another key's hash"

TOO_LONG_FOR_A_PIPE = 3
"""Copies of the sample. Its decoder cannot end before its events are read: it can be looked at."""


@dataclass(frozen=True)
class Watched:
    """A recording, and the process that began to decode it."""

    decoded: DecodedRecording
    pid: int


@pytest.fixture(scope="module")
def recording() -> bytes:
    return encode(np.tile(sample(), TOO_LONG_FOR_A_PIPE), "x.wav")


async def watched(
    data: bytes,
    decoders: DecoderPool,
    tenant: Hashable,
    *,
    number: signal.Signals | None = None,
    settings: Settings | None = None,
) -> Watched:
    """Decode a recording. Send its decoder a signal after its first event."""
    server = await decoders.warm()
    await until(lambda: not working_decoders(server), "the end of earlier work")
    with Source.open(data, settings or Settings(), name="a.wav") as source:
        async with aclosing(decoders.decode(source, tenant)) as iterator:
            events = [await anext(iterator)]
            (pid,) = working_decoders(server)
            if number:
                os.kill(pid, number)
            events += [event async for event in iterator]
    return Watched(collected(events), pid)


async def pid_of_next(data: bytes, decoders: DecoderPool, tenant: Hashable) -> int:
    """Decode a recording, and return the process id of its decoder."""
    return (await watched(data, decoders, tenant)).pid


async def test_recordings_of_one_tenant_share_a_decoder(
    recording: bytes, decoders: DecoderPool
) -> None:
    first = await watched(recording, decoders, ANNA)
    second = await watched(recording, decoders, ANNA)
    assert second.pid == first.pid
    assert np.array_equal(second.decoded.pcm, np.tile(sample(), TOO_LONG_FOR_A_PIPE))


async def test_a_decoder_that_waits_needs_no_server_for_its_next_recording(
    recording: bytes, decoders: DecoderPool
) -> None:
    first = await watched(recording, decoders, ANNA)
    server = await decoders.warm()
    os.kill(server, signal.SIGSTOP)
    try:
        second = await watched(recording, decoders, ANNA)
    finally:
        os.kill(server, signal.SIGCONT)
    assert second.pid == first.pid
    assert np.array_equal(second.decoded.pcm, np.tile(sample(), TOO_LONG_FOR_A_PIPE))


async def test_no_decoder_reads_recordings_of_two_tenants(
    recording: bytes, decoders: DecoderPool
) -> None:
    of_anna = {await pid_of_next(recording, decoders, ANNA)}
    of_bert = {await pid_of_next(recording, decoders, BERT)}
    for _ in range(3):
        of_anna.add(await pid_of_next(recording, decoders, ANNA))
        of_bert.add(await pid_of_next(recording, decoders, BERT))
    assert not of_anna & of_bert
    assert len(of_anna) == len(of_bert) == 1


async def test_without_a_tenant_each_recording_has_its_own(
    recording: bytes, decoders: DecoderPool
) -> None:
    pids = [await pid_of_next(recording, decoders, None) for _ in range(3)]
    assert len(set(pids)) == 3
    await until(lambda: not any(map(alive, pids)), "the end of each")


@pytest.mark.parametrize("count", [1, 2])
async def test_the_number_of_recordings_is_limited(count: int, recording: bytes) -> None:
    async with DecoderPool(Settings(decoder_recordings=count)) as decoders:
        pids = [await pid_of_next(recording, decoders, ANNA) for _ in range(4)]
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [count] * (4 // count)


SPOILED = {
    "a refusal": b"Dear all,\n\nthe minutes are ...\n",
    "an unreadable index": encode(sample(), "x.m4a")[:20_000],
    "a notice": encode(sample(), "x.flac")[:100_000],
}


@pytest.mark.parametrize("what", SPOILED)
async def test_a_decoder_ends_after_a_spoiled_file(
    what: str, recording: bytes, decoders: DecoderPool
) -> None:
    used = await pid_of_next(recording, decoders, ANNA)
    with suppress(AudioError):
        assert (await decode(SPOILED[what], decoders, tenant=ANNA)).notices
    assert await pid_of_next(recording, decoders, ANNA) != used
    await until(lambda: not alive(used), "its end")


async def test_a_recording_leaves_nothing_to_the_one_after_it(decoders: DecoderPool) -> None:
    """Each sound has the same samples, probabilities and levels as in a process of its own."""
    noise = np.random.default_rng(20).integers(-9000, 9000, 30_001).astype(np.int16)
    stereo = encode(np.stack([sample(), np.roll(sample(), 40_000)]), "x.flac")
    split = SoundChoice(channels="split")
    for data, choice in ((stereo, None), (stereo, split), (encode(noise, "x.ogg"), None)) * 2:
        shared = await decode(data, decoders, choice=choice, tenant=ANNA)
        alone = await decode(data, decoders, choice=choice)
        assert np.array_equal(shared.pcm, alone.pcm)
        assert shared.speech == alone.speech
        assert shared.levels_db == alone.levels_db
    server = await decoders.warm()
    await until(lambda: not working_decoders(server), "the end of those without a tenant")


async def test_a_decoder_that_waits_has_nothing_of_its_recordings(
    recording: bytes, decoders: DecoderPool
) -> None:
    """Its socket and the three standard descriptors."""
    used = await pid_of_next(recording, decoders, ANNA)
    await until(lambda: open_files(used) == 4, "the closing of the recording's descriptors")
    assert used in waiting_decoders(await decoders.warm())


async def test_a_crash_at_a_later_recording_costs_it_nothing(
    recording: bytes, decoders: DecoderPool
) -> None:
    """Something before may have caused it. It is decoded anew, and no event comes twice."""
    first = await watched(recording, decoders, ANNA)
    second = await watched(recording, decoders, ANNA, number=signal.SIGSEGV)
    assert second.pid == first.pid
    assert not alive(first.pid)
    assert second.decoded.facts == first.decoded.facts
    assert np.array_equal(second.decoded.pcm, first.decoded.pcm)
    assert second.decoded.speech == first.decoded.speech


async def test_a_recording_that_crashes_by_itself_costs_no_other_one(
    recording: bytes, decoders: DecoderPool
) -> None:
    await decode(recording, decoders, tenant=ANNA)
    others = [asyncio.create_task(decode(recording, decoders, tenant=BERT)) for _ in range(3)]
    await decode(recording, decoders, tenant=ANNA)
    server = await decoders.warm()
    await asyncio.gather(*others)
    await until(lambda: not working_decoders(server), "the end of the others' work")
    crashed = set[int]()
    with Source.open(recording, Settings(), name="a.wav") as source:
        async with aclosing(decoders.decode(source, ANNA)) as events:
            with raises("decoder_died", match="signal 11"):
                async for _ in events:
                    crashed.update(working_decoders(server))
                    for pid in working_decoders(server):
                        os.kill(pid, signal.SIGSEGV)
    assert len(crashed) == 2
    for tenant in (ANNA, BERT):
        again = await watched(recording, decoders, tenant)
        assert again.pid not in crashed
        assert np.array_equal(again.decoded.pcm, np.tile(sample(), TOO_LONG_FOR_A_PIPE))


async def test_a_decoder_that_hangs_at_a_later_recording_is_ended(recording: bytes) -> None:
    settings = Settings(decoder_patience_s=1)
    async with DecoderPool(settings) as decoders:
        used = await pid_of_next(recording, decoders, ANNA)
        hung = await watched(recording, decoders, ANNA, number=signal.SIGSTOP, settings=settings)
        assert hung.pid == used
        assert not alive(used)
        assert np.array_equal(hung.decoded.pcm, np.tile(sample(), TOO_LONG_FOR_A_PIPE))


async def test_a_decoder_that_was_killed_while_it_waited_is_replaced(
    recording: bytes, decoders: DecoderPool
) -> None:
    used = await pid_of_next(recording, decoders, ANNA)
    os.kill(used, signal.SIGKILL)
    assert await pid_of_next(recording, decoders, ANNA) != used


async def test_a_server_that_was_killed_takes_its_decoders_with_it(
    recording: bytes, decoders: DecoderPool
) -> None:
    used = await pid_of_next(recording, decoders, ANNA)
    os.kill(await decoders.warm(), signal.SIGKILL)
    await until(lambda: not alive(used), "its end")
    decoded = await decode(recording, decoders, tenant=ANNA)
    assert np.array_equal(decoded.pcm, np.tile(sample(), TOO_LONG_FOR_A_PIPE))


async def test_each_recording_has_the_limit_of_processor_time(recording: bytes) -> None:
    """Together they need more than one may: another decoder goes on in time."""
    settings = Settings(decoder_cpu_s=1)
    whole = np.tile(sample(), TOO_LONG_FOR_A_PIPE)
    async with DecoderPool(settings) as decoders:
        pids = set[int]()
        while len(pids) < 2:
            done = await watched(recording, decoders, ANNA, settings=settings)
            assert np.array_equal(done.decoded.pcm, whole)
            pids.add(done.pid)


async def test_a_later_recording_has_no_more_memory_than_the_first(recording: bytes) -> None:
    """The index of an MP4 states two thousand million packets of sound."""
    data = bytearray(encode(sample(), "x.m4a"))
    at = data.find(b"stsz")
    data[at + 12 : at + 16] = struct.pack(">I", 0x7FFFFFF0)
    settings = Settings(decoder_memory_bytes=200 << 20)
    async with DecoderPool(settings) as decoders:
        used = await pid_of_next(recording, decoders, ANNA)
        with pytest.raises(AudioError):
            await decode(bytes(data), decoders, settings, tenant=ANNA)
        assert await pid_of_next(recording, decoders, ANNA) != used


async def test_the_decoder_that_waits_longest_gives_way(recording: bytes) -> None:
    async with DecoderPool(Settings(max_decoders=1)) as decoders:
        of_anna = await pid_of_next(recording, decoders, ANNA)
        of_bert = await pid_of_next(recording, decoders, BERT)
        await until(lambda: not alive(of_anna), "its end")
        assert await pid_of_next(recording, decoders, BERT) == of_bert


async def test_a_decoder_waits_for_some_time(
    recording: bytes, decoders: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle_decoders, "IDLE_S", 0.01)
    used = await pid_of_next(recording, decoders, ANNA)
    await until(lambda: not alive(used), "its end")
    assert await pid_of_next(recording, decoders, ANNA) != used


async def test_an_old_decoder_takes_no_further_recording(
    recording: bytes, decoders: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = await pid_of_next(recording, decoders, ANNA)
    monkeypatch.setattr(idle_decoders, "MOST_AGE_S", 0.0)
    assert await pid_of_next(recording, decoders, ANNA) != used


async def test_recordings_at_once_have_a_decoder_each(decoders: DecoderPool) -> None:
    data = SAMPLE.read_bytes()
    for _ in range(2):
        found = await asyncio.gather(*(decode(data, decoders, tenant=ANNA) for _ in range(4)))
        assert all(np.array_equal(each.pcm, sample()) for each in found)


async def test_no_decoder_that_waits_outlives_its_pool(recording: bytes) -> None:
    before = open_files()
    async with DecoderPool(Settings()) as decoders:
        used = await pid_of_next(recording, decoders, ANNA)
        assert alive(used)
    await until(lambda: not alive(used), "its end")
    assert open_files() == before
