"""Engines that nobody uses: when they leave, and what comes back."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.engine.material import MODEL, is_running, until, voice_note
from voxgate.audio.spool import Audio
from voxgate.errors import EngineStartError, ModelLoadingError
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Done, Options


@pytest.fixture(scope="module")
def note() -> Iterator[Audio]:
    window = Audio.from_pcm16(voice_note()[: 4 * 32_000])
    yield window
    window.spool.close()


@pytest.fixture
async def engines() -> AsyncIterator[list[LocalEngine]]:
    made = list[LocalEngine]()
    yield made
    for engine in made:
        await engine.aclose()


async def heard(engine: LocalEngine, window: Audio) -> bool:
    return [event async for event in engine.transcribe(window, Options())][-1] == Done("en")


async def test_an_idle_engine_leaves_and_comes_back(
    engines: list[LocalEngine], tmp_path: Path, note: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="vg-") as temp:
        monkeypatch.setattr(tempfile, "tempdir", temp)
        engine = LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.3))
        engines.append(engine)
        assert await heard(engine, note)
        first = engine.pid
        assert first is not None
        await until(lambda: not is_running(first))
        await until(lambda: not list(Path(temp).iterdir()))
        assert list((tmp_path / "run").iterdir()) == []
        assert await heard(engine, note)
        assert engine.pid not in {None, first}
        await engine.aclose()


async def test_a_warm_engine_that_is_never_used_leaves_too(
    engines: list[LocalEngine], tmp_path: Path
) -> None:
    engines.append(engine := LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.3)))
    await engine.warm()
    pid = engine.pid
    assert pid is not None
    await until(lambda: not is_running(pid))


async def test_work_keeps_it(engines: list[LocalEngine], tmp_path: Path, note: Audio) -> None:
    """Each window is longer than the time without work would be."""
    engines.append(engine := LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.05)))
    stream = engine.transcribe(note, Options())
    await anext(stream)
    pid = engine.pid
    events = [event async for event in stream]
    assert events[-1] == Done("en")
    assert pid is not None


async def test_callers_are_sent_away_while_it_loads(
    engines: list[LocalEngine], tmp_path: Path, note: Audio
) -> None:
    settings = Settings(home=tmp_path, while_loading="refuse")
    engines.append(engine := LocalEngine(MODEL, settings))
    with pytest.raises(ModelLoadingError, match=r"cmusphinx/en-us is being loaded") as refused:
        engine.admit()
    assert refused.value.status == 503
    assert refused.value.retry_after_s >= 1
    await until(lambda: engine.alive)
    engine.admit()
    assert await heard(engine, note)


async def test_callers_hear_why_it_does_not_load(
    engines: list[LocalEngine], tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, while_loading="refuse", engine_start_s=0.01)
    engines.append(engine := LocalEngine(MODEL, settings))
    with pytest.raises(ModelLoadingError):
        engine.admit()
    said = list[str]()

    def told() -> bool:
        try:
            engine.admit()
        except ModelLoadingError:
            return False
        except EngineStartError as error:
            said.append(error.sentence)
        return True

    await until(told)
    assert "not ready after 0.01 s" in said[0]
    with pytest.raises(ModelLoadingError):  # and then it is tried once more
        engine.admit()
