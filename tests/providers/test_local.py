"""`LocalEngine` with real engines, which die, stall and end."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.material import (
    DEADLINE_S,
    MODEL,
    SECOND,
    VOICE_NOTE_WORDS,
    entries,
    is_done,
    is_running,
    noise,
    until,
    voice_note,
    wait_until,
)
from tests.failures import raises
from voxgate.audio.spool import Audio
from voxgate.errors import EngineError, EngineStartError, UnknownModelError, UsageError
from voxgate.models.catalogue import find_model
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Done, Event, Options, Progress, Segment

if TYPE_CHECKING:
    from voxgate.providers.base import Provider


@pytest.fixture(autouse=True)
def temp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files; every test leaves it empty."""
    folder = Path(tempfile.mkdtemp(prefix="vg-"))  # pytest's own paths are too long for sockets
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert entries(folder) == 0
    folder.rmdir()


@pytest.fixture
async def engine(temp: Path) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(MODEL, Settings())
    yield engine
    await engine.aclose()


@contextmanager
def window_of(pcm16: bytes) -> Iterator[Audio]:
    window = Audio.from_pcm16(pcm16)
    try:
        yield window
    finally:
        window.spool.close()


@pytest.fixture(scope="module")
def note() -> Iterator[Audio]:
    with window_of(voice_note()) as window:
        yield window


@pytest.fixture(scope="module")
def long() -> Iterator[Audio]:
    """Noise of 30 s: work for several seconds."""
    with window_of(noise(30)) as window:
        yield window


@pytest.fixture(scope="module")
def empty() -> Iterator[Audio]:
    with window_of(b"") as window:
        yield window


def events(engine: LocalEngine, window: Audio) -> AsyncGenerator[Event, None]:
    return engine.transcribe(window, Options())


async def transcribed(engine: LocalEngine, window: Audio) -> list[Event]:
    return [event async for event in events(engine, window)]


async def in_the_middle(engine: LocalEngine, window: Audio) -> AsyncGenerator[Event, None]:
    """A window whose recognition is under way."""
    stream = events(engine, window)
    assert await anext(stream) == Progress(0.0)
    return stream


def pid_of(engine: LocalEngine) -> int:
    assert engine.pid is not None
    return engine.pid


async def test_it_is_a_provider(engine: LocalEngine, note: Audio) -> None:
    provider: Provider = engine
    assert provider.name == MODEL
    assert provider.capabilities.window_s == 30
    assert engine.pid is None  # nothing starts before its first use
    *found, done = await transcribed(engine, note)
    assert is_done(done)
    assert VOICE_NOTE_WORDS in " ".join(e.text for e in found if isinstance(e, Segment))


async def test_a_second_process_gives_the_same_events(engine: LocalEngine, note: Audio) -> None:
    other = LocalEngine(MODEL, Settings())
    first = await transcribed(engine, note)
    second = await transcribed(other, note)
    assert engine.pid != other.pid
    await other.aclose()
    assert second == first


async def test_concurrent_first_uses_start_one_process(
    engine: LocalEngine, temp: Path, empty: Audio
) -> None:
    answers = await asyncio.gather(*(transcribed(engine, empty) for _ in range(4)))
    assert answers == [[Done()]] * 4
    assert entries(temp) == 1


async def test_an_unknown_model_starts_nothing() -> None:
    with pytest.raises(UnknownModelError):
        LocalEngine("a/b", Settings())


async def test_what_the_engine_refuses_is_the_same_error(engine: LocalEngine, empty: Audio) -> None:
    with (
        window_of(bytes(30 * SECOND + 2)) as window,
        pytest.raises(UsageError, match="longer than"),
    ):
        await transcribed(engine, window)
    with raises("unsupported_language"):
        await anext(engine.transcribe(empty, Options(language="eo")))


async def test_closing_a_window_frees_the_engine(
    engine: LocalEngine, long: Audio, note: Audio
) -> None:
    async with aclosing(await in_the_middle(engine, long)):
        pid = engine.pid
    task = asyncio.create_task(transcribed(engine, long))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert is_done((await transcribed(engine, note))[-1])
    assert engine.pid == pid


async def test_a_death_loses_only_the_windows_in_flight(
    engine: LocalEngine, long: Audio, note: Audio, temp: Path
) -> None:
    before = await transcribed(engine, note)
    pid = pid_of(engine)
    stream = await in_the_middle(engine, long)
    waiting = asyncio.create_task(transcribed(engine, note))
    await asyncio.sleep(0)
    os.kill(pid, signal.SIGKILL)
    with raises("engine_died", match=r"signal 9 \(Killed") as caught:
        async for _ in stream:
            pass
    assert caught.value.retryable
    try:
        assert await waiting == before
    except EngineError as error:  # unless it went to the successor
        assert error.code == "engine_died"  # noqa: PT017
    assert await transcribed(engine, note) == before
    assert engine.pid != pid
    assert not is_running(pid)


async def test_an_engine_that_hangs_is_killed(temp: Path, long: Audio, note: Audio) -> None:
    engine = LocalEngine(MODEL, Settings(engine_patience_s=10.0))
    stream = await in_the_middle(engine, long)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGSTOP)
    with raises("engine_stalled", match="did not answer for 10 s") as caught:
        async for _ in stream:
            pass
    assert caught.value.retryable
    assert not is_running(pid)
    assert is_done((await transcribed(engine, note))[-1])
    await engine.aclose()


async def test_an_engine_finishes_after_sigterm_while_its_successor_works(
    engine: LocalEngine, note: Audio
) -> None:
    stream = await in_the_middle(engine, note)
    pid = pid_of(engine)
    os.kill(pid, signal.SIGTERM)
    rest = [event async for event in stream]
    assert is_done(rest[-1])
    await until(lambda: not is_running(pid))
    assert (await transcribed(engine, note))[-2:] == rest[-2:]
    assert engine.pid != pid


async def test_closing_ends_everything(engine: LocalEngine, empty: Audio, temp: Path) -> None:
    files = entries(Path("/proc/self/fd"))
    tasks = asyncio.all_tasks()
    await transcribed(engine, empty)
    pid = pid_of(engine)
    await engine.aclose()
    await engine.aclose()
    assert not is_running(pid)
    assert entries(temp) == 0
    assert asyncio.all_tasks() == tasks
    assert entries(Path("/proc/self/fd")) == files
    with raises("engine_closed"):
        await transcribed(engine, empty)


async def test_closing_in_the_middle_of_a_window(engine: LocalEngine, long: Audio) -> None:
    stream = await in_the_middle(engine, long)
    pid = pid_of(engine)
    closing = asyncio.create_task(engine.aclose())
    try:
        rest = [event async for event in stream]
    except EngineError as error:  # it was longer than the grace
        assert error.code == "engine_closed"  # noqa: PT017
    else:
        assert is_done(rest[-1])
    await closing
    assert not is_running(pid)


async def test_closing_while_it_starts(engine: LocalEngine, long: Audio, temp: Path) -> None:
    uses = [asyncio.create_task(transcribed(engine, long)) for _ in range(2)]
    await until(lambda: entries(temp) != 0)
    await engine.aclose()
    for use in uses:
        with raises("engine_closed"):
            await use


async def test_cancelling_the_start_leaves_nothing(
    engine: LocalEngine, note: Audio, temp: Path
) -> None:
    use = asyncio.create_task(transcribed(engine, note))
    await until(lambda: entries(temp) != 0)
    use.cancel()
    with pytest.raises(asyncio.CancelledError):
        await use
    assert entries(temp) == 0
    assert len(asyncio.all_tasks()) == 1
    assert is_done((await transcribed(engine, note))[-1])


async def test_a_model_that_cannot_load_says_why(
    engine: LocalEngine, note: Audio, temp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CT2_FORCE_CPU_ISA", "none")
    with pytest.raises(EngineStartError, match=r"did not start: .* code 1, saying: .*CTranslate2"):
        await transcribed(engine, note)
    assert entries(temp) == 0
    monkeypatch.delenv("CT2_FORCE_CPU_ISA")
    assert is_done((await transcribed(engine, note))[-1])


async def test_a_model_that_the_engine_does_not_know(temp: Path, note: Audio) -> None:
    engine = LocalEngine(replace(find_model(MODEL), name="Systran/gone", packaged=None), Settings())
    with pytest.raises(EngineStartError, match="No model is called 'Systran/gone'"):
        await transcribed(engine, note)
    absent = LocalEngine(replace(find_model(MODEL), distributions=("no-such-thing",)), Settings())
    with pytest.raises(EngineStartError, match="needs no-such-thing, not installed here"):
        await transcribed(absent, note)
    await engine.aclose()


async def test_a_start_that_takes_too_long_is_ended(temp: Path, note: Audio) -> None:
    engine = LocalEngine(MODEL, Settings(engine_start_s=0.01))
    with pytest.raises(EngineStartError, match=r"not ready after 0\.01 s"):
        await transcribed(engine, note)
    assert entries(temp) == 0
    await engine.aclose()


async def test_no_folder_for_the_socket_is_an_error(
    temp: Path, note: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(MODEL, Settings())
    monkeypatch.setattr(tempfile, "tempdir", str(temp / "gone"))
    with pytest.raises(EngineStartError, match=r"No such file or directory.* in TMPDIR"):
        await transcribed(engine, note)
    await engine.aclose()


async def test_a_socket_gets_a_shorter_path(
    temp: Path, note: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = temp / ("long" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    engine = LocalEngine(MODEL, Settings())
    try:
        assert is_done((await transcribed(engine, note))[-1])
    finally:
        await engine.aclose()
        deep.rmdir()


OWNER = """
import asyncio, sys
from tests.providers.test_local import *

async def own():
    engine = LocalEngine(MODEL, Settings())
    stream = await in_the_middle(engine, Audio.from_pcm16(noise(30)))
    print(engine.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(own())
"""


def test_the_engine_dies_with_its_owner(temp: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"TMPDIR": str(temp)},
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        assert is_running(pid)
        owner.kill()
        owner.wait(DEADLINE_S)
        wait_until(lambda: not is_running(pid))
