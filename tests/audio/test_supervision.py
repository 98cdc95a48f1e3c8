"""Decoders and their server are killed, stopped or abandoned. No process or file remains."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio

from tests.decoding import decode
from tests.failures import raises
from tests.processes import alive, children, open_files, until, waiting_decoders, working_decoders
from tests.sounds import RATE, SAMPLE, encode, sample
from voxgate import errors
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.audio.spooled_file import SpooledFile
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from voxgate.audio.decoder_process import DecoderEvent


@pytest_asyncio.fixture(loop_scope="module")
async def decoders() -> AsyncIterator[DecoderPool]:
    """A pool for one test, which may end its processes."""
    async with DecoderPool(Settings()) as decoders:
        yield decoders


@pytest.fixture(scope="module")
def long_recording() -> bytes:
    """A recording that takes a decoder some time."""
    return encode(np.tile(sample(), 60), "x.flac")


async def start_decoding(
    source: Source, decoders: DecoderPool
) -> tuple[AsyncGenerator[DecoderEvent], int]:
    """Start a decoder. Return its events, of which the first is consumed, and its process id."""
    before = set(working_decoders(await decoders.warm()))
    events = decoders.decode(source)
    await anext(events)
    (pid,) = set(working_decoders(await decoders.warm())) - before
    return events, pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_decoder_is_reported_and_others_continue(
    number: signal.Signals, long_recording: bytes, decoders: DecoderPool
) -> None:
    with Source.open(long_recording, Settings(), name="a.flac") as source:
        events, pid = await start_decoding(source, decoders)
        other = asyncio.create_task(decode(long_recording, decoders))
        os.kill(pid, number)
        with raises("decoder_killed", match=r"a\.flac") as caught:
            async for _ in events:
                pass
    assert caught.value.retryable
    assert len((await other).pcm) == 60 * len(sample())


async def test_a_crash_is_distinguished_from_a_kill(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    with Source.open(long_recording, Settings(), name="a.flac") as source:
        events, pid = await start_decoding(source, decoders)
        os.kill(pid, signal.SIGSEGV)
        with raises("decoder_died", match="signal 11") as caught:
            async for _ in events:
                pass
    assert "decoder itself failed" in caught.value.sentence  # it does not blame the file
    assert not caught.value.retryable
    assert caught.value.status == 400


async def test_a_decoder_that_hangs_is_ended(long_recording: bytes) -> None:
    settings = Settings(decoder_patience_s=1)
    async with DecoderPool(settings) as decoders:
        with Source.open(long_recording, settings, name="a.flac") as source:
            events, pid = await start_decoding(source, decoders)
            os.kill(pid, signal.SIGSTOP)
            with raises("decoder_too_slow", match=r"a\.flac"):
                async for _ in events:
                    pass
        assert not alive(pid)
        assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())


async def test_a_decoder_that_hangs_after_its_recording_has_arrived_is_ended(
    long_recording: bytes, tmp_path: Path
) -> None:
    settings = Settings(decoder_patience_s=1)
    async with DecoderPool(settings) as decoders:
        with (
            closing(SpooledFile(tmp_path, 10**9, lambda _: errors.VoxgateError("Large."))) as file,
            closing(file.arriving()) as arriving,
            Source.open(arriving, settings, name="a.flac") as source,
        ):
            file.write(long_recording[: len(long_recording) // 2])
            events, pid = await start_decoding(source, decoders)
            os.kill(pid, signal.SIGSTOP)
            file.end()
            with raises("decoder_too_slow", match=r"a\.flac"):
                async for _ in events:
                    pass
        assert not alive(pid)


async def test_a_decoder_that_computes_too_long_is_ended() -> None:
    settings = Settings(decoder_cpu_s=1)
    long_recording = encode(np.tile(sample(), 240), "x.mp3", "-b:a", "32k")
    async with DecoderPool(settings) as decoders:
        with raises("decoder_too_slow"):
            await decode(long_recording, decoders, settings)


async def test_closing_the_events_ends_the_decoder(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    with Source.open(long_recording, Settings()) as source:
        events, pid = await start_decoding(source, decoders)
        await events.aclose()
    assert not alive(pid)


async def test_cancelling_a_task_ends_its_decoder(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    await decoders.warm()
    task = asyncio.create_task(decode(long_recording, decoders))
    server = await decoders.warm()
    await until(lambda: bool(working_decoders(server)), "a decoder")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not working_decoders(server), "the decoder's end")


async def test_a_killed_server_is_replaced(long_recording: bytes, decoders: DecoderPool) -> None:
    server = await decoders.warm()
    with Source.open(long_recording, Settings(), name="a.flac") as source:
        events, pid = await start_decoding(source, decoders)
        os.kill(server, signal.SIGKILL)
        with raises("decoder_killed"):
            async for _ in events:
                pass
    await until(lambda: not alive(pid), "the end of the server's decoder")
    assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())
    assert await decoders.warm() != server


async def test_no_process_outlives_a_killed_caller(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    path.write_bytes(encode(np.tile(sample(), 20), "x.flac"))
    script = (
        "import asyncio, sys\n"
        "from voxgate.audio.decoder_pool import DecoderPool\n"
        "from voxgate.audio.source import Source\n"
        "from voxgate.settings import Settings\n"
        "async def main():\n"
        "    async with DecoderPool(Settings()) as decoders:\n"
        "        with Source.open(sys.argv[1], Settings()) as source:\n"
        "            events = decoders.decode(source)\n"
        "            await anext(events)\n"
        "            print(await decoders.warm(), flush=True)\n"
        "            await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        server = int(process.stdout.readline())
        processes = [server, *children(server)]
        assert len(processes) == 2
        process.kill()
    await until(lambda: not any(map(alive, processes)), "the end of the processes")


async def test_a_cancel_during_the_fork_affects_only_its_own_decoder(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    """The decoders of others continue."""
    await decoders.warm()
    running = asyncio.create_task(decode(long_recording, decoders))
    for switches in range(12):
        cancelled = asyncio.create_task(decode(SAMPLE, decoders))
        for _ in range(switches):
            await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert len((await running).pcm) == 60 * len(sample())


async def test_a_hanging_server_is_killed(long_recording: bytes, decoders: DecoderPool) -> None:
    server = await decoders.warm()
    with Source.open(long_recording, Settings()) as source:
        events, pid = await start_decoding(source, decoders)
        os.kill(server, signal.SIGSTOP)
        await events.aclose()
    await until(lambda: not alive(server) and not alive(pid), "the end of both")
    assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())


async def test_a_decoder_has_only_its_own_descriptors(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    """The source, the pipe, the socket of its jobs, the standard ones, of which input is empty."""
    with (
        Source.open(long_recording, Settings()) as source,
        Source.open(long_recording, Settings()) as other,
    ):
        first, _ = await start_decoding(other, decoders)
        events, pid = await start_decoding(source, decoders)
        targets = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
        await events.aclose()
        await first.aclose()
    assert len([target for target in targets if target.startswith("socket:")]) == 1
    assert len(targets) == 6


async def test_a_decoder_that_waits_for_its_job_has_nothing_of_other_recordings(
    long_recording: bytes, decoders: DecoderPool
) -> None:
    """It has its socket and the three standard descriptors."""
    with Source.open(long_recording, Settings()) as source:
        events, pid = await start_decoding(source, decoders)
        await decode(SAMPLE, decoders)  # upon whose end the next one is forked
        server = await decoders.warm()
        await until(lambda: bool(waiting_decoders(server)), "the next decoder")
        (waiting,) = waiting_decoders(server)
        assert waiting != pid
        await until(lambda: open_files(waiting) == 4, "the closing of the server's descriptors")
        await events.aclose()


async def test_a_killed_decoder_without_a_job_is_replaced(decoders: DecoderPool) -> None:
    server = await decoders.warm()
    (waiting,) = waiting_decoders(server)
    os.kill(waiting, signal.SIGKILL)
    await until(lambda: not alive(waiting), "its end")
    assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())
    assert await decoders.warm() == server


async def test_a_failure_before_the_fork_leaks_no_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(spool_dir=tmp_path / "file" / "folder")
    async with DecoderPool(settings) as decoders:
        await decoders.warm()
        before = open_files()
        for _ in range(5):
            with pytest.raises(errors.SpoolFullError):
                await decode(os.devnull, decoders, settings)
        assert open_files() == before


async def test_a_very_long_name_is_shortened(decoders: DecoderPool) -> None:
    decoded = await decode(SAMPLE, decoders, name="x" * 100_000)
    assert len(decoded.pcm) == len(sample())


async def test_the_end_of_the_sound_is_not_the_end_of_the_process(decoders: DecoderPool) -> None:
    """A stopped fork server, which reports no end, holds up nobody who waits for the sound."""
    with Source.open(SAMPLE, Settings()) as source:
        events, pid = await start_decoding(source, decoders)
        server = await decoders.warm()
        os.kill(server, signal.SIGSTOP)
        try:
            samples = sum([len(getattr(event, "pcm16", b"")) // 2 async for event in events])
            assert pid in children(server)
        finally:
            os.kill(server, signal.SIGCONT)
    await until(lambda: pid not in children(server), "the end of the process")
    assert 0 < samples <= len(sample())
    assert await decoders.warm() == server


async def test_fifty_recordings_at_once_leave_no_process_or_file(tmp_path: Path) -> None:
    settings = Settings(spool_dir=tmp_path)
    before = open_files()
    async with DecoderPool(settings) as decoders:
        server = await decoders.warm()
        results = await asyncio.gather(
            *(decode(SAMPLE.read_bytes(), decoders, settings) for _ in range(50))
        )
        assert all(np.array_equal(result.pcm, results[0].pcm) for result in results)
        assert len(results[0].pcm) == len(sample())
        await until(lambda: working_decoders(server) == [], "the end of every decoder")
    assert not alive(server)
    assert open_files() == before
    assert list(tmp_path.iterdir()) == []


async def test_the_server_has_one_thread(decoders: DecoderPool) -> None:
    """A fork copies one thread. Locks of others would remain locked in every decoder."""
    server = await decoders.warm()
    status = Path(f"/proc/{server}/status").read_text(encoding="utf-8")
    assert "Threads:\t1\n" in status


async def test_a_decoder_waits_for_its_reader(long_recording: bytes, decoders: DecoderPool) -> None:
    """Back-pressure: the decoder stops, and the wait does not count as slowness."""
    with Source.open(long_recording, Settings()) as source:
        events, pid = await start_decoding(source, decoders)
        stat = Path(f"/proc/{pid}/wchan")
        await until(lambda: "pipe" in stat.read_text(), "the decoder to wait for its reader")
        samples = 0
        async for event in events:
            samples += len(getattr(event, "pcm16", b"")) // 2
    assert samples / RATE == 60 * len(sample()) / RATE


async def test_a_pool_can_be_closed_twice_and_used_again() -> None:
    decoders = DecoderPool(Settings())
    await decoders.aclose()
    await decode(SAMPLE, decoders)
    await decoders.aclose()
    with contextlib.suppress(asyncio.CancelledError):
        await decoders.aclose()
