"""Engines without windows: when they end, and when they start again."""

import tempfile
from pathlib import Path

import pytest

from tests.engine.material import MODEL, is_done, is_running, is_transcribed, until
from voxgate.audio.spool import Audio
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Options


async def test_an_idle_engine_ends_and_starts_again(
    engines: list[LocalEngine], tmp_path: Path, note: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="vg-") as temp:
        monkeypatch.setattr(tempfile, "tempdir", temp)
        engine = LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.3))
        engines.append(engine)
        assert await is_transcribed(engine, note)
        first = engine.pid
        assert first is not None
        await until(lambda: not is_running(first))
        await until(lambda: not list(Path(temp).iterdir()))
        assert list((tmp_path / "run").iterdir()) == []
        assert await is_transcribed(engine, note)
        assert engine.pid not in {None, first}
        await engine.aclose()


async def test_a_warm_engine_that_is_never_used_ends_too(
    engines: list[LocalEngine], tmp_path: Path
) -> None:
    engines.append(engine := LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.3)))
    await engine.warm()
    pid = engine.pid
    assert pid is not None
    await until(lambda: not is_running(pid))


async def test_a_window_keeps_it_alive(
    engines: list[LocalEngine], tmp_path: Path, note: Audio
) -> None:
    """Each window is longer than the time without work would be."""
    engines.append(engine := LocalEngine(MODEL, Settings(home=tmp_path, engine_idle_s=0.05)))
    stream = engine.transcribe(note, Options())
    await anext(stream)
    pid = engine.pid
    events = [event async for event in stream]
    assert is_done(events[-1])
    assert pid is not None
