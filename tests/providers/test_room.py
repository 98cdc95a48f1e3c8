"""Engines that share memory: real ones, of which only one fits, or two."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.engine.material import noise, until, voice_note
from tests.sounds import SAMPLE
from voxgate.audio.spool import Audio
from voxgate.errors import InsufficientMemoryError, ModelTooLargeError
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec
from voxgate.pipeline.session import Session
from voxgate.providers.local import LocalEngine
from voxgate.providers.memory_arbiter import LULL_S, MemoryArbiter
from voxgate.settings import Settings
from voxgate.transcript.values import Done, Options

SPHINX = BUILT_IN_MODELS["cmusphinx/en-us"]
SIZE = SPHINX.memory_bytes
PLENTY = 2**50


@pytest.fixture(scope="module")
def note() -> Iterator[Audio]:
    window = Audio.from_pcm16(voice_note()[: 4 * 32_000])
    yield window
    window.spool.close()


@pytest.fixture(scope="module")
def long() -> Iterator[Audio]:
    window = Audio.from_pcm16(noise(30))
    yield window
    window.spool.close()


class House:
    """Engines of one room, closed in the end."""

    def __init__(self, home: Path) -> None:
        self.home, self.engines = home, list[LocalEngine]()

    def engine(self, room: MemoryArbiter, name: str, **settings: Any) -> LocalEngine:
        facts = {field.name: getattr(SPHINX, field.name) for field in fields(SPHINX)}
        spec = Renamed(**facts | {"name": f"test/{name}"})
        engine = LocalEngine(spec, Settings(home=self.home, **settings), room)
        self.engines.append(engine)
        return engine


class Renamed(ModelSpec):
    """The embedded model under another name: models that differ, and start in a second."""

    @property
    def address(self) -> str:
        return SPHINX.name


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "home")
    yield house
    for engine in house.engines:
        await engine.aclose()


async def heard(engine: LocalEngine, window: Audio) -> bool:
    return [event async for event in engine.transcribe(window, Options())][-1] == Done("en")


async def test_models_that_fit_stay_together(house: House, note: Audio) -> None:
    room = MemoryArbiter(2 * SIZE, turn_s=60, free=lambda: PLENTY)
    one, two = house.engine(room, "one"), house.engine(room, "two")
    assert all(await asyncio.gather(heard(one, note), heard(two, note)))
    assert one.alive
    assert two.alive


async def test_the_longest_idle_makes_place(house: House, note: Audio) -> None:
    room = MemoryArbiter(2 * SIZE, turn_s=0.01, free=lambda: PLENTY)
    one, two, three = (house.engine(room, name) for name in ("one", "two", "three"))
    assert await heard(one, note)
    assert await heard(two, note)
    assert await heard(one, note)
    assert await heard(three, note)
    assert [one.alive, two.alive, three.alive] == [True, False, True]


async def test_models_that_never_fit_together_take_turns(house: House, note: Audio) -> None:
    room = MemoryArbiter(SIZE, turn_s=0.5, free=lambda: PLENTY)
    one, two = house.engine(room, "one"), house.engine(room, "two")
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
            assert await heard(engine, note)
            ends.append(engine.name)

    await asyncio.gather(work(one), work(two))
    watching.cancel()
    assert most == 1
    assert len(ends) == 8
    assert ends.index(two.name) < 7 - ends[::-1].index(one.name)  # neither had to wait for all


async def test_a_window_in_hand_is_not_taken_away(house: House, note: Audio, long: Audio) -> None:
    room = MemoryArbiter(SIZE, turn_s=0.01, free=lambda: PLENTY)
    one, two = house.engine(room, "one"), house.engine(room, "two")
    working = asyncio.create_task(heard(one, long))
    await until(lambda: one.alive)
    pid = one.pid
    assert await heard(two, note)
    assert working.done()
    assert await working
    assert one.pid != pid


async def test_what_can_never_fit_is_told_with_the_profile_that_would(house: House) -> None:
    room = MemoryArbiter(SIZE - 1, turn_s=60, free=lambda: PLENTY)
    engine = house.engine(room, "one")
    with pytest.raises(
        ModelTooLargeError, match=r"test/one takes 160\.0 MiB.* can have 160\.0 MiB"
    ):
        engine.admit()
    engine.needs = {None: SIZE, "fast": SIZE // 2}
    with pytest.raises(
        ModelTooLargeError, match=r"'fast' takes 80\.0 MiB and would fit: VOXGATE_PROF"
    ):
        await engine.warm()
    assert engine.in_use == 0
    assert engine.pid is None


async def test_what_others_have_may_come_back(house: House, note: Audio) -> None:
    free = SIZE - 1
    room = MemoryArbiter(PLENTY, turn_s=60, free=lambda: free)
    engine = house.engine(room, "one")
    with pytest.raises(InsufficientMemoryError, match="Free some") as refused:
        await heard(engine, note)
    assert refused.value.retryable
    free = SIZE
    assert await heard(engine, note)


async def test_a_model_on_its_way_is_counted(house: House, note: Audio) -> None:
    """What it has not taken yet is not given to another."""
    room = MemoryArbiter(PLENTY, turn_s=60, free=lambda: SIZE if not one.alive else 0)
    one, two = house.engine(room, "one"), house.engine(room, "two")
    first = asyncio.create_task(heard(one, note))
    await until(lambda: one.in_use > 0)
    second = asyncio.create_task(heard(two, note))
    assert await first
    assert two.pid is None or not one.alive
    assert await second
    assert not one.alive


async def test_memory_that_falls_while_another_loads_refuses_nobody(
    house: House, note: Audio
) -> None:
    """Half of what the first one takes is missing already when the second one looks."""

    def free() -> int:
        return SIZE - (SIZE if one.alive else SIZE // 2 if one.in_use else 0)

    room = MemoryArbiter(PLENTY, turn_s=60, free=free)
    one, two = house.engine(room, "one"), house.engine(room, "two")
    first = asyncio.create_task(heard(one, note))
    await until(lambda: one.in_use > 0)
    second = asyncio.create_task(heard(two, note))
    assert all(await asyncio.gather(first, second))


async def test_what_was_loaded_for_later_is_kept_for_a_while(house: House, note: Audio) -> None:
    room = MemoryArbiter(SIZE, turn_s=60, free=lambda: PLENTY)
    one, two = house.engine(room, "one"), house.engine(room, "two")
    await one.warm()
    waiting = asyncio.create_task(heard(two, note))
    await asyncio.sleep(2 * LULL_S)  # longer than a model without work is kept otherwise
    assert one.alive
    assert await heard(one, note)
    assert await waiting


async def test_a_session_has_one_room(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", engine_memory_bytes=SIZE - 1)
    async with Session(settings) as session:
        with pytest.raises(ModelTooLargeError):
            await session.transcribe(SAMPLE)
