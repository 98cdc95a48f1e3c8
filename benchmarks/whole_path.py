"""The start of the command line and of the engine, and the transcription of whole recordings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import jiwer

from benchmarks.recordings import SAMPLE, looped, real_recordings
from benchmarks.table import Row, median_async_s, median_s
from voxgate.audio.spool import Audio
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.pipeline.session import Session
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from pathlib import Path


async def rows(folder: Path) -> list[Row]:
    """Measure from the start of the command line to the last word."""
    return [
        _help_row(),
        Row("start of the engine, to its first answer", f"{await _engine_s():.2f} s"),
        *await _real_time_factors(folder),
        *await _accuracy(),
    ]


def _help_row() -> Row:
    own = median_s(lambda: _run("-m", "voxgate", "--help"), 9)
    baseline = median_s(lambda: _run("-c", "pass"), 9)
    return Row("voxgate --help", f"{own:.2f} s", f"python -c pass: {baseline:.2f} s")


async def _engine_s() -> float:
    silence = Audio.from_pcm16(bytes(3200))

    async def start() -> None:
        engine = LocalEngine(DEFAULT_MODEL, Settings())
        try:
            async for _ in engine.transcribe(silence, Options()):
                pass
        finally:
            await engine.aclose()

    elapsed_s = await median_async_s(start, 5)
    silence.spool.close()
    return elapsed_s


async def _real_time_factors(folder: Path) -> list[Row]:
    """Transcribe clear speech, looped to two minutes, and the real recordings if there are any."""
    looped_sample = [looped(folder, "two-minutes.flac", 120)]
    sets = {
        "voice note, looped": looped_sample,
        "real recordings": [path for path, _ in real_recordings()],
    }
    table = list[Row]()
    async with Session(Settings()) as session:
        await session.transcribe(SAMPLE)  # start and warm up everything
        for what, paths in sets.items():
            sound_s, start_s = 0.0, time.perf_counter()
            for path in paths:
                sound_s += (await session.transcribe(path)).duration
            if paths:
                factor = (time.perf_counter() - start_s) / sound_s
                table.append(
                    Row(f"whole path, {DEFAULT_MODEL}, {what}", f"{factor:.2f} real-time factor")
                )
    return table


async def _accuracy() -> list[Row]:
    """Measure the word error rate over all recordings together, without case and punctuation."""
    pairs = [(SAMPLE, SAMPLE.with_suffix(".txt").read_text(encoding="utf-8"))]
    table = list[Row]()
    async with Session(Settings()) as session:
        for what, recordings in {
            "the voice note": pairs,
            "real recordings": real_recordings(),
        }.items():
            if not recordings:
                continue
            references = [normalize(words) for _, words in recordings]
            hypotheses = [
                normalize((await session.transcribe(path)).text) for path, _ in recordings
            ]
            rate = jiwer.wer(references, hypotheses)
            words = sum(len(text.split()) for text in references)
            table.append(
                Row(f"word error rate on {what}, {DEFAULT_MODEL}", f"{rate:.1%} of {words} words")
            )
    return table


def normalize(text: str) -> str:
    """Return the words in lower case, with apostrophes and without other punctuation."""
    return " ".join(re.findall(r"[a-z']+", text.lower()))


def _run(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL, env={**os.environ}
    )
