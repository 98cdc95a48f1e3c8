"""Real engines that share memory, which holds only one of them, or two."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.engine.material import is_transcribed, noise, until
from tests.failures import raises
from tests.sounds import SAMPLE
from tests.spoken_digits import CHECKPOINT
from voxgate.audio.spool import Audio
from voxgate.errors import InsufficientMemoryError
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec, find_model
from voxgate.models.placement import place_model
from voxgate.pipeline.session import Session
from voxgate.providers.local import LocalEngine
from voxgate.providers.memory_arbiter import IDLE_AFTER_S, MemoryArbiter, MemoryArbiters
from voxgate.settings import Settings

WHISPER = BUILT_IN_MODELS["Systran/faster-whisper-base"]
SIZE = 160 * 2**20  # as the models of these tests state it; what they really take is more
PLENTY = 2**50


@pytest.fixture(scope="module")
def long() -> Iterator[Audio]:
    window = Audio.from_pcm16(noise(30))
    yield window
    window.spool.close()


class Engines:
    """Creates engines, and closes them at the end."""

    def __init__(self, home: Path) -> None:
        self.home, self.created = home, list[LocalEngine]()

    def create(self, arbiter: MemoryArbiter, name: str, **settings: Any) -> LocalEngine:
        facts = {field.name: getattr(WHISPER, field.name) for field in fields(WHISPER)}
        spec = Renamed(**facts | {"name": f"test/{name}", "memory_bytes": SIZE})
        engine = LocalEngine(spec, Settings(home=self.home, **settings), arbiter)
        self.created.append(engine)
        return engine


class Renamed(ModelSpec):
    """The built-in model under another name: models that differ, and start in a second."""

    @property
    def address(self) -> str:
        return WHISPER.name


@pytest.fixture
async def engines(tmp_path: Path) -> AsyncIterator[Engines]:
    engines = Engines(tmp_path / "home")
    yield engines
    for engine in engines.created:
        await engine.aclose()


async def test_models_that_fit_stay_together(engines: Engines, note: Audio) -> None:
    arbiter = MemoryArbiter(2 * SIZE, min_residency_s=60, free=lambda: PLENTY)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    assert all(await asyncio.gather(is_transcribed(one, note), is_transcribed(two, note)))
    assert one.alive
    assert two.alive


async def test_the_longest_unused_is_evicted(engines: Engines, note: Audio) -> None:
    arbiter = MemoryArbiter(2 * SIZE, min_residency_s=0.01, free=lambda: PLENTY)
    one, two, three = (engines.create(arbiter, name) for name in ("one", "two", "three"))
    assert await is_transcribed(one, note)
    assert await is_transcribed(two, note)
    assert await is_transcribed(one, note)
    assert await is_transcribed(three, note)
    assert [one.alive, two.alive, three.alive] == [True, False, True]


async def test_models_that_never_fit_together_alternate(engines: Engines, note: Audio) -> None:
    arbiter = MemoryArbiter(SIZE, min_residency_s=0.5, free=lambda: PLENTY)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, sum(engine.alive for engine in (one, two)))
            await asyncio.sleep(0.005)

    watching = asyncio.create_task(watch())
    ends = list[str]()

    async def work(engine: LocalEngine) -> None:
        for _ in range(4):
            assert await is_transcribed(engine, note)
            ends.append(engine.name)

    await asyncio.gather(work(one), work(two))
    watching.cancel()
    assert most == 1
    assert len(ends) == 8
    assert ends.index(two.name) < 7 - ends[::-1].index(
        one.name
    )  # neither waited for all of the other


async def test_whether_another_engine_must_end_is_known_before(
    engines: Engines, note: Audio
) -> None:
    arbiter = MemoryArbiter(SIZE, min_residency_s=0.01, free=lambda: PLENTY)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    assert (one.has_room, two.has_room) == (True, True)
    assert await is_transcribed(one, note)
    assert (one.has_room, two.has_room) == (True, False)


async def test_an_engine_with_a_window_in_flight_is_not_evicted(
    engines: Engines, note: Audio, long: Audio
) -> None:
    arbiter = MemoryArbiter(SIZE, min_residency_s=0.01, free=lambda: PLENTY)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    working = asyncio.create_task(is_transcribed(one, long))
    await until(lambda: one.alive)
    pid = one.pid
    assert await is_transcribed(two, note)
    assert working.done()
    assert await working
    assert one.pid != pid


async def test_a_model_that_never_fits_is_refused_with_a_profile_that_would(
    engines: Engines,
) -> None:
    arbiter = MemoryArbiter(SIZE - 1, min_residency_s=60, free=lambda: PLENTY)
    engine = engines.create(arbiter, "one")
    with raises("model_too_large", match=r"test/one takes 160\.0 MiB.* can have 160\.0 MiB"):
        engine.admit()
    engine.bytes_by_profile = {None: SIZE, "fast": SIZE // 2}
    with raises("model_too_large", match=r"'fast' takes 80\.0 MiB and would fit: VOXGATE_PROF"):
        await engine.warm()
    assert engine.in_use == 0
    assert engine.pid is None


async def test_memory_of_other_programs_may_become_free(engines: Engines, note: Audio) -> None:
    free = SIZE - 1
    arbiter = MemoryArbiter(PLENTY, min_residency_s=60, free=lambda: free)
    engine = engines.create(arbiter, "one")
    with pytest.raises(InsufficientMemoryError, match="Free some") as refused:
        await is_transcribed(engine, note)
    assert refused.value.retryable
    free = SIZE
    assert await is_transcribed(engine, note)


async def test_a_loading_model_is_counted(engines: Engines, note: Audio) -> None:
    """Memory that it has not taken yet is not given to another."""
    arbiter = MemoryArbiter(PLENTY, min_residency_s=60, free=lambda: SIZE if not one.alive else 0)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    first = asyncio.create_task(is_transcribed(one, note))
    await until(lambda: one.in_use > 0)
    second = asyncio.create_task(is_transcribed(two, note))
    assert await first
    assert two.pid is None or not one.alive
    assert await second
    assert not one.alive


async def test_memory_that_falls_during_a_load_refuses_no_model(
    engines: Engines, note: Audio
) -> None:
    """Half of the first one's memory is taken already when the second one is checked."""

    def free() -> int:
        return SIZE - (SIZE if one.alive else SIZE // 2 if one.in_use else 0)

    arbiter = MemoryArbiter(PLENTY, min_residency_s=60, free=free)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    first = asyncio.create_task(is_transcribed(one, note))
    await until(lambda: one.in_use > 0)
    second = asyncio.create_task(is_transcribed(two, note))
    assert all(await asyncio.gather(first, second))


async def test_a_warm_engine_is_held_for_a_while(engines: Engines, note: Audio) -> None:
    arbiter = MemoryArbiter(SIZE, min_residency_s=60, free=lambda: PLENTY)
    one, two = engines.create(arbiter, "one"), engines.create(arbiter, "two")
    await one.warm()
    waiting = asyncio.create_task(is_transcribed(two, note))
    await asyncio.sleep(2 * IDLE_AFTER_S)  # longer than an engine without work is otherwise kept
    assert one.alive
    assert await is_transcribed(one, note)
    assert await waiting


async def test_a_session_has_one_arbiter(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", engine_memory_bytes=SIZE - 1)
    async with Session(settings) as session:
        with raises("model_too_large"):
            await session.transcribe(SAMPLE)


def test_models_of_one_device_share_an_arbiter() -> None:
    arbiters = MemoryArbiters(Settings())
    assert arbiters.for_device("cpu") is arbiters.for_device("cpu")
    assert (
        len(
            {
                arbiters.for_device("cpu"),
                arbiters.for_device("cuda:0"),
                arbiters.for_device("cuda:1"),
            }
        )
        == 3
    )


async def test_a_model_on_a_gpu_takes_no_memory_of_the_machine(tmp_path: Path) -> None:
    """The driver reports the GPU's memory."""
    settings = Settings(home=tmp_path, device="cuda")
    arbiters = MemoryArbiters(settings)
    spec = place_model(find_model(str(CHECKPOINT)), settings)
    on_gpu = LocalEngine(spec, settings, arbiters.for_device(spec.device))
    assert list(on_gpu.bytes_by_profile) == [on_gpu.profile] == ["exact"]
    assert arbiters.for_device(spec.device).fits(on_gpu)
    assert on_gpu.mapped_bytes == 0
    whisper = LocalEngine(WHISPER, settings, arbiters.for_device("cpu"))
    assert arbiters.for_device("cpu").fits(whisper)
    await on_gpu.aclose()
    await whisper.aclose()


async def test_a_missing_gpu_is_a_404_before_any_engine_starts(
    tmp_path: Path,
) -> None:
    """No 5xx: clients repeat that for an hour. The tests hide this machine's GPUs."""
    settings = Settings(home=tmp_path, device="cuda:1")
    engine = LocalEngine(place_model(find_model(str(CHECKPOINT)), settings), settings)
    with raises("no_endpoints", match=r"on 'cuda:1', and .*\. VOXGATE_DEVICE=cpu") as refused:
        engine.admit()
    assert refused.value.status == 404
    assert engine.pid is None
    await engine.aclose()
