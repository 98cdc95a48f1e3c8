"""Decoders are killed, stopped and left, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.decoding import decode
from tests.failures import raises
from tests.processes import alive, children, open_files, until
from tests.sounds import RATE, SAMPLE, encode, sample
from voxgate import errors
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from voxgate.audio.decoder_process import DecoderEvent


@pytest.fixture(scope="module")
def long() -> bytes:
    """A recording that a decoder is busy with for a while."""
    return encode(np.tile(sample(), 60), "x.flac")


async def begin(source: Source, decoders: DecoderPool) -> tuple[AsyncGenerator[DecoderEvent], int]:
    """A decoding that has begun and waits for its reader, and its decoder's process id."""
    before = set(children(await decoders.warm()))
    decoded = decoders.decode(source)
    await anext(decoded)
    (pid,) = set(children(await decoders.warm())) - before
    return decoded, pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_killed_decoder_is_reported_and_the_others_go_on(
    number: signal.Signals, long: bytes, decoders: DecoderPool
) -> None:
    with Source.open(long, Settings(), name="a.flac") as source:
        decoded, pid = await begin(source, decoders)
        other = asyncio.create_task(decode(long, decoders))
        os.kill(pid, number)
        with raises("decoder_killed", match=r"a\.flac") as caught:
            async for _ in decoded:
                pass
    assert caught.value.retryable
    assert len((await other).pcm) == 60 * len(sample())


async def test_a_crashing_decoder_is_told_from_a_killed_one(
    long: bytes, decoders: DecoderPool
) -> None:
    with Source.open(long, Settings(), name="a.flac") as source:
        decoded, pid = await begin(source, decoders)
        os.kill(pid, signal.SIGSEGV)
        with raises("decoder_died", match="signal 11") as caught:
            async for _ in decoded:
                pass
    assert not caught.value.retryable
    assert caught.value.status == 400


async def test_a_decoder_that_hangs_is_ended(long: bytes) -> None:
    settings = Settings(decoder_patience_s=1)
    async with DecoderPool(settings) as decoders:
        with Source.open(long, settings, name="a.flac") as source:
            decoded, pid = await begin(source, decoders)
            os.kill(pid, signal.SIGSTOP)
            with raises("decoder_too_slow", match=r"a\.flac"):
                async for _ in decoded:
                    pass
        assert not alive(pid)
        assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())


async def test_a_decoder_that_computes_too_long_is_ended() -> None:
    settings = Settings(decoder_cpu_s=1)
    long = encode(np.tile(sample(), 240), "x.mp3", "-b:a", "32k")
    async with DecoderPool(settings) as decoders:
        with raises("decoder_too_slow"):
            await decode(long, decoders, settings)


async def test_whoever_leaves_takes_the_decoder_along(long: bytes, decoders: DecoderPool) -> None:
    with Source.open(long, Settings()) as source:
        decoded, pid = await begin(source, decoders)
        await decoded.aclose()
    assert not alive(pid)


async def test_a_cancelled_task_takes_the_decoder_along(long: bytes, decoders: DecoderPool) -> None:
    await decoders.warm()
    task = asyncio.create_task(decode(long, decoders))
    server = await decoders.warm()
    await until(lambda: bool(children(server)), "a decoder")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not children(server), "the decoder's end")


async def test_a_killed_server_is_replaced(long: bytes, decoders: DecoderPool) -> None:
    server = await decoders.warm()
    with Source.open(long, Settings(), name="a.flac") as source:
        decoded, pid = await begin(source, decoders)
        os.kill(server, signal.SIGKILL)
        with raises("decoder_killed"):
            async for _ in decoded:
                pass
    await until(lambda: not alive(pid), "the end of the server's decoder")
    assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())
    assert await decoders.warm() != server


async def test_nothing_outlives_a_caller_who_is_killed(tmp_path: Path) -> None:
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
        "            decoded = decoders.decode(source)\n"
        "            await anext(decoded)\n"
        "            print(await decoders.warm(), flush=True)\n"
        "            await asyncio.sleep(3600)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as process:
        assert process.stdout
        server = int(process.stdout.readline())
        family = [server, *children(server)]
        assert len(family) == 2
        process.kill()
    await until(lambda: not any(map(alive, family)), "the end of the family")


async def test_whoever_leaves_at_the_fork_leaves_alone(long: bytes, decoders: DecoderPool) -> None:
    """Cancelled while its decoder is being forked: everybody else's goes on."""
    await decoders.warm()
    whole = asyncio.create_task(decode(long, decoders))
    for turns in range(12):
        leaving = asyncio.create_task(decode(SAMPLE, decoders))
        for _ in range(turns):
            await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
    assert len((await whole).pcm) == 60 * len(sample())


async def test_a_server_that_hangs_holds_nobody(long: bytes, decoders: DecoderPool) -> None:
    server = await decoders.warm()
    with Source.open(long, Settings()) as source:
        decoded, pid = await begin(source, decoders)
        os.kill(server, signal.SIGSTOP)
        await decoded.aclose()
    await until(lambda: not alive(server) and not alive(pid), "the end of both")
    assert np.array_equal((await decode(SAMPLE, decoders)).pcm, sample())


async def test_a_decoder_has_only_its_own_descriptors(long: bytes, decoders: DecoderPool) -> None:
    """Source, pipe and the three standard ones, of which input is empty: no other one's job."""
    with Source.open(long, Settings()) as source, Source.open(long, Settings()) as other:
        first, _ = await begin(other, decoders)
        decoded, pid = await begin(source, decoders)
        targets = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
        await decoded.aclose()
        await first.aclose()
    assert not [target for target in targets if target.startswith(("socket:", "anon_inode:"))]
    assert len(targets) == 5


async def test_a_failure_before_the_fork_leaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings(spool_dir=tmp_path / "file" / "folder")
    async with DecoderPool(settings) as decoders:
        await decoders.warm()
        before = open_files()
        for _ in range(5):
            with pytest.raises(errors.SpoolFullError):
                await decode(os.devnull, decoders, settings)
        assert open_files() == before


async def test_a_name_without_end_is_only_shortened(decoders: DecoderPool) -> None:
    whole = await decode(SAMPLE, decoders, name="x" * 100_000)
    assert len(whole.pcm) == len(sample())


async def test_fifty_recordings_at_once_leave_nothing_behind(tmp_path: Path) -> None:
    settings = Settings(spool_dir=tmp_path)
    before = open_files()
    async with DecoderPool(settings) as decoders:
        server = await decoders.warm()
        wholes = await asyncio.gather(
            *(decode(SAMPLE.read_bytes(), decoders, settings) for _ in range(50))
        )
        assert all(np.array_equal(whole.pcm, wholes[0].pcm) for whole in wholes)
        assert len(wholes[0].pcm) == len(sample())
        assert children(server) == []
    assert not alive(server)
    assert open_files() == before
    assert list(tmp_path.iterdir()) == []


async def test_the_server_has_one_thread(decoders: DecoderPool) -> None:
    """A fork takes only one along: others' locks would stay locked in every decoder."""
    server = await decoders.warm()
    status = Path(f"/proc/{server}/status").read_text(encoding="utf-8")
    assert "Threads:\t1\n" in status


async def test_blocks_wait_for_their_reader(long: bytes, decoders: DecoderPool) -> None:
    """Back-pressure: a decoder whose reader sleeps stops, and its patience is not used up."""
    with Source.open(long, Settings()) as source:
        decoded, pid = await begin(source, decoders)
        stat = Path(f"/proc/{pid}/wchan")
        await until(lambda: "pipe" in stat.read_text(), "the decoder's wait for its reader")
        heard = 0
        async for item in decoded:
            heard += len(getattr(item, "pcm16", b"")) // 2
    assert heard / RATE == 60 * len(sample()) / RATE


async def test_closing_twice_is_fine() -> None:
    decoders = DecoderPool(Settings())
    await decoders.aclose()
    await decode(SAMPLE, decoders)
    await decoders.aclose()
    with contextlib.suppress(asyncio.CancelledError):
        await decoders.aclose()
