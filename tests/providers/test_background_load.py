"""A model loads in the background while its callers are refused."""

from pathlib import Path

from tests.engine.material import MODEL, is_transcribed, until
from tests.failures import raises
from voxgate.audio.spool import Audio
from voxgate.errors import BusyError, EngineStartError
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings


async def test_callers_are_refused_while_it_loads(
    engines: list[LocalEngine], tmp_path: Path, note: Audio
) -> None:
    settings = Settings(home=tmp_path, while_loading="refuse")
    engines.append(engine := LocalEngine(MODEL, settings))
    with raises("model_loading", match=r"Systran/faster-whisper-base is being loaded") as refused:
        engine.admit()
    assert refused.value.status == 503
    assert isinstance(refused.value, BusyError)
    assert refused.value.retry_after_s >= 1
    await until(lambda: engine.alive)
    engine.admit()
    assert await is_transcribed(engine, note)


async def test_callers_get_the_error_of_a_failed_load(
    engines: list[LocalEngine], tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, while_loading="refuse", engine_start_s=0.01)
    engines.append(engine := LocalEngine(MODEL, settings))
    with raises("model_loading"):
        engine.admit()
    sentences = list[str]()

    def failed() -> bool:
        try:
            engine.admit()
        except BusyError as error:
            assert error.code == "model_loading"  # noqa: PT017
            return False
        except EngineStartError as error:
            sentences.append(error.sentence)
        return True

    await until(failed)
    assert "not ready after 0.01 s" in sentences[0]
    with raises("model_loading"):  # the next call tries again
        engine.admit()
