"""The command line's start, the engine's start, and a recording through everything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import jiwer

from benchmarks.recordings import SAMPLE, looped, real
from benchmarks.table import Row, median_async_s, median_s
from voxgate.audio.spool import Audio
from voxgate.pipeline.session import DEFAULT_MODEL, Session
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from pathlib import Path


async def rows(folder: Path) -> list[Row]:
    """From the command line's first letter to the last word."""
    return [
        _help(),
        Row("start of the engine, to its first answer", f"{await _engine_s():.2f} s"),
        *await _real_time_factors(folder),
        *await _accuracy(),
    ]


def _help() -> Row:
    ours = median_s(lambda: _run("-m", "voxgate", "--help"), 9)
    bare = median_s(lambda: _run("-c", "pass"), 9)
    return Row("voxgate --help", f"{ours:.2f} s", f"python -c pass: {bare:.2f} s")


async def _engine_s() -> float:
    silence = Audio.from_pcm16(bytes(3200))

    async def start() -> None:
        engine = LocalEngine(DEFAULT_MODEL, Settings())
        try:
            async for _ in engine.transcribe(silence, Options()):
                pass
        finally:
            await engine.aclose()

    took = await median_async_s(start, 5)
    silence.spool.close()
    return took


async def _real_time_factors(folder: Path) -> list[Row]:
    """Clear speech, looped to two minutes, and real recordings where there are some."""
    loop = [looped(folder, "two-minutes.flac", 120)]
    sets = {"voice note, looped": loop, "real recordings": [path for path, _ in real()]}
    found = list[Row]()
    async with Session(Settings()) as session:
        await session.transcribe(SAMPLE)  # everything is started and warm
        for what, paths in sets.items():
            sound_s, began = 0.0, time.perf_counter()
            for path in paths:
                sound_s += (await session.transcribe(path)).duration
            if paths:
                factor = (time.perf_counter() - began) / sound_s
                found.append(
                    Row(f"whole path, {DEFAULT_MODEL}, {what}", f"{factor:.2f} real-time factor")
                )
    return found


async def _accuracy() -> list[Row]:
    """Word error rate over all recordings together, after case and punctuation are gone."""
    pairs = [(SAMPLE, SAMPLE.with_suffix(".txt").read_text(encoding="utf-8"))]
    found = list[Row]()
    async with Session(Settings()) as session:
        for what, recordings in {"the voice note": pairs, "real recordings": real()}.items():
            if not recordings:
                continue
            said = [bare(words) for _, words in recordings]
            heard = [bare((await session.transcribe(path)).text) for path, _ in recordings]
            rate = jiwer.wer(said, heard)
            words = sum(len(text.split()) for text in said)
            found.append(
                Row(f"word error rate on {what}, {DEFAULT_MODEL}", f"{rate:.1%} of {words} words")
            )
    return found


def bare(text: str) -> str:
    """Lower case words and apostrophes."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def _run(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env={**os.environ}
    )
