"""Voxtral Mini at full shape compared with transformers, from one window to a long recording.

    python -m benchmarks.voxtral [--folder FOLDER] [--minutes 10] [--tokens 16]

The weights are random and give the same 100 words for every window (`benchmarks.full_shape`).
Quantizing them for a profile is not counted. The command line transcribes the long recording,
measured from its start to the last word. Needs 19 GB of disk, 14 GB of memory, and about ten
minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import full_shape
from benchmarks.engine import command, measure_profile, measure_transformers
from benchmarks.recordings import fluent
from benchmarks.table import Row, show
from voxgate.benchmarking.floor import floor_rtf
from voxgate.benchmarking.roofline import Roofline, measure_roofline
from voxgate.benchmarking.window import WindowTimings
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from voxgate.voxtral.quantization.profiles import Profile

TOKENS = 16  # timed in each window; the figures are for 100
MINUTES = 10
DISK, MEMORY = 19e9, 14e9  # bytes
STARTS, ROUNDS = 3, 3


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voxtral", description=__doc__)
    parser.add_argument("--folder", type=Path, help="folder of the checkpoint, written if missing")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the long recording")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "voxtral"
        show(measure(folder, Path(scratch), arguments.minutes, arguments.tokens))


async def rows(scratch: Path) -> list[Row]:
    """Return the table, or one row with the reason why it is left out."""
    free = shutil.disk_usage(scratch).free
    if free < DISK or free_bytes() < MEMORY:
        return [
            Row(
                "Voxtral Mini at full shape",
                f"left out: it wants {DISK / 1e9:.0f} GB of disk and {MEMORY / 1e9:.0f} of memory",
            )
        ]
    return await asyncio.to_thread(measure, scratch / "voxtral", scratch)


def measure(
    folder: Path, scratch: Path, minutes: float = MINUTES, tokens: int = TOKENS
) -> list[Row]:
    """Measure every row. Figures are medians.

    The engines run in turns, so that a slow minute affects all of them.
    """
    if not (folder / "config.json").exists():
        full_shape.write(folder)
    load, config = os.getloadavg()[0], open_directory(folder).config
    runs: dict[str, list[WindowTimings]] = {"fast": [], "balanced": [], "transformers": []}
    rooflines = list[Roofline]()
    for _ in range(ROUNDS):
        rooflines.append(measure_roofline())
        runs["fast"].append(measure_profile(folder, "fast", tokens))
        runs["transformers"].append(measure_transformers(folder, tokens))
        runs["balanced"].append(measure_profile(folder, "balanced", tokens))
    fast, balanced, peer = (_median(runs[each]) for each in ("fast", "balanced", "transformers"))
    lowest_rtf = statistics.median(floor_rtf(config, "fast", each) for each in rooflines)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, load {load:.1f} before")
    print("peer: " + " ".join(command("transformers", folder, tokens, "exact", "bfloat16")))
    print(f"peer: {_format_timings(peer)}")
    for name, timings in runs.items():
        print(f"{name}, each round: " + ", ".join(f"RTF {each.rtf:.2f}" for each in timings))
    started_s, read = _start_time(folder, scratch, "fast")
    long_s, windows = _transcribe_long(folder, scratch, minutes)
    rtf = long_s / (60 * minutes)
    return [
        _window_row("fast", fast, peer, "6"),
        _window_row("balanced", balanced, peer, "3.9"),
        Row(
            f"{minutes:g} minutes through `voxgate transcribe`, fast; the peer window by window",
            f"RTF {rtf:.3f}: {long_s:.0f} s, {windows} windows of 100 words",
            f"{peer.rtf:.2f}  ({peer.rtf / rtf:.2f} times ours)",
            "ratio >= 10",
        ),
        Row(
            "fast: distance to the floor",
            f"{fast.rtf / lowest_rtf:.2f}",
            f"floor: RTF {lowest_rtf:.3f} ({_format_rates(rooflines, 'read_bytes_per_s')} GB/s, "
            f"{_format_rates(rooflines, 'int8_ops_per_s')} G operations/s)",
            "<= 1.4",
        ),
        Row("fast: process start to ready", f"{started_s:.1f} s", f"reads {read}", "<= 5 s"),
        Row(
            "fast: peak memory",
            f"{fast.peak_rss_bytes / 1e9:.2f} GB",
            f"{peer.peak_rss_bytes / 1e9:.2f} GB",
            "<= 4 GB",
        ),
    ]


def _median(timings: list[WindowTimings]) -> WindowTimings:
    """Return the median of each figure."""
    names = [field.name for field in fields(WindowTimings) if field.name != "dtype"]
    medians = {name: statistics.median(getattr(each, name) for each in timings) for name in names}
    return replace(timings[0], **medians)


def _format_rates(rooflines: list[Roofline], name: str) -> str:
    return ", ".join(f"{getattr(each, name) / 1e9:.0f}" for each in rooflines)


def _window_row(profile: Profile, ours: WindowTimings, peer: WindowTimings, goal: str) -> Row:
    return Row(
        f"30 s with 100 tokens, {profile}",
        f"RTF {ours.rtf:.2f}: {_format_timings(ours)}",
        f"{peer.rtf:.2f}  ({peer.rtf / ours.rtf:.2f} times ours)",
        f"ratio >= {goal}",
    )


def _format_timings(timings: WindowTimings) -> str:
    return (
        f"encode {timings.encode_s:.2f} s, prompt {timings.prefill_s:.2f} s, "
        f"token {timings.ms_per_token:.1f} ms"
    )


def _start_time(folder: Path, scratch: Path, profile: Profile) -> tuple[float, str]:
    """Return the median seconds from an engine's start until it is ready, and what it has read."""
    elapsed_s, read = [], ""
    for number in range(STARTS):
        socket = scratch / f"engine-{number}.sock"
        start_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", "engine", str(folder), "--socket", str(socket)],
            env=_environment(scratch, profile), stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        if not process.stdout.readline().startswith(b'{"ready"'):
            raise RuntimeError(f"the engine of {folder} did not start")
        elapsed_s.append(time.perf_counter() - start_s)
        read = _format_reads(process.pid, folder)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return statistics.median(elapsed_s), read


def _format_reads(pid: int, folder: Path) -> str:
    """Return how much a process has read by calls, and of the mapped weights."""
    calls = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())[
        "rchar"
    ]
    touched, inside = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in line.split()[0]:
            inside = str(folder) in line
        elif inside and line.startswith("Rss:"):
            touched += 1024 * int(line.split()[1])
    return f"{int(calls) / 1e6:.0f} MB by calls, {touched / 1e6:.0f} MB of the mapped weights"


def _transcribe_long(folder: Path, scratch: Path, minutes: float) -> tuple[float, int]:
    """Return the command line's seconds for a long recording, and the number of its windows."""
    sound = fluent(scratch, "long.flac", round(60 * minutes))
    call = [
        sys.executable,
        "-m",
        "voxgate",
        "transcribe",
        str(sound),
        "-m",
        str(folder),
        "-f",
        "json",
    ]
    start_s = time.perf_counter()
    completed = subprocess.run(
        call, env=_environment(scratch, "fast"), check=True, stdout=subprocess.PIPE
    )
    elapsed_s = time.perf_counter() - start_s
    words = json.loads(completed.stdout)["text"].split()
    windows, rest = divmod(len(words), full_shape.SENTENCE)
    if rest or words[: full_shape.SENTENCE] * windows != words:
        raise ValueError(f"of {len(words)} words some are not the sentence")
    return elapsed_s, windows


def _environment(scratch: Path, profile: Profile) -> dict[str, str]:
    return os.environ | {"VOXGATE_HOME": str(scratch / "home"), "VOXGATE_PROFILE": profile}


if __name__ == "__main__":
    main()
