"""Voxtral Mini at full shape, from one window to a long recording, beside transformers.

    python -m benchmarks.voxtral [--folder FOLDER] [--minutes 10] [--tokens 16]

Random weights that say the same 100 words of every window (`benchmarks.full_shape`). Profiles first
quantise, which is not counted. The long recording goes through the command line itself, from its
start to the last word. It wants 19 GB of disk, 14 GB of memory, and about ten minutes.
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
from voxgate.benchmarking.roofline import Roofline, measure_roofline, roofline_rtf
from voxgate.benchmarking.window import WindowTimings
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from voxgate.voxtral.quantization.profiles import Profile

TOKENS = 16  # that are timed of a window; the figures are for 100
MINUTES = 10
DISK, MEMORY = 19e9, 14e9  # bytes
STARTS, ROUNDS = 3, 3


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voxtral", description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the checkpoint lies or is to be kept")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the long recording")
    parser.add_argument("--tokens", type=int, default=TOKENS)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch) / "voxtral"
        show(measured(folder, Path(scratch), asked.minutes, asked.tokens))


async def rows(scratch: Path) -> list[Row]:
    """The table, or why it is left out."""
    free = shutil.disk_usage(scratch).free
    if free < DISK or free_bytes() < MEMORY:
        return [
            Row(
                "Voxtral Mini at full shape",
                f"left out: it wants {DISK / 1e9:.0f} GB of disk and {MEMORY / 1e9:.0f} of memory",
            )
        ]
    return await asyncio.to_thread(measured, scratch / "voxtral", scratch)


def measured(
    folder: Path, scratch: Path, minutes: float = MINUTES, tokens: int = TOKENS
) -> list[Row]:
    """Every row. All take turns, so that a slow minute is everybody's; figures are medians."""
    if not (folder / "config.json").exists():
        full_shape.write(folder)
    load, config = os.getloadavg()[0], open_directory(folder).config
    runs: dict[str, list[WindowTimings]] = {"fast": [], "balanced": [], "transformers": []}
    machine = list[Roofline]()
    for _ in range(ROUNDS):
        machine.append(measure_roofline())
        runs["fast"].append(measure_profile(folder, "fast", tokens))
        runs["transformers"].append(measure_transformers(folder, tokens))
        runs["balanced"].append(measure_profile(folder, "balanced", tokens))
    fast, balanced, peer = (_median(runs[each]) for each in ("fast", "balanced", "transformers"))
    least = statistics.median(roofline_rtf(config, "fast", each) for each in machine)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, load {load:.1f} before")
    print("peer: " + " ".join(command("transformers", folder, tokens, "exact", "bfloat16")))
    print(f"peer: {_parts(peer)}")
    for name, found in runs.items():
        print(f"{name}, each round: " + ", ".join(f"RTF {each.rtf:.2f}" for each in found))
    started_s, read = _start(folder, scratch, "fast")
    took_s, windows = _long(folder, scratch, minutes)
    rtf = took_s / (60 * minutes)
    return [
        _window("fast", fast, peer, "6"),
        _window("balanced", balanced, peer, "3.9"),
        Row(
            f"{minutes:g} minutes through `voxgate transcribe`, fast; the peer window by window",
            f"RTF {rtf:.3f}: {took_s:.0f} s, {windows} windows of 100 words",
            f"{peer.rtf:.2f}  ({peer.rtf / rtf:.2f} times ours)",
            "ratio >= 10",
        ),
        Row(
            "fast: distance to the floor",
            f"{fast.rtf / least:.2f}",
            f"floor: RTF {least:.3f} ({_each(machine, 'read_bytes_per_s')} GB/s, "
            f"{_each(machine, 'int8_ops_per_s')} G operations/s)",
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


def _median(of: list[WindowTimings]) -> WindowTimings:
    """Each figure's median."""
    names = [field.name for field in fields(WindowTimings) if field.name != "dtype"]
    middle = {name: statistics.median(getattr(each, name) for each in of) for name in names}
    return replace(of[0], **middle)


def _each(of: list[Roofline], name: str) -> str:
    return ", ".join(f"{getattr(each, name) / 1e9:.0f}" for each in of)


def _window(profile: Profile, ours: WindowTimings, peer: WindowTimings, goal: str) -> Row:
    return Row(
        f"30 s with 100 tokens, {profile}",
        f"RTF {ours.rtf:.2f}: {_parts(ours)}",
        f"{peer.rtf:.2f}  ({peer.rtf / ours.rtf:.2f} times ours)",
        f"ratio >= {goal}",
    )


def _parts(of: WindowTimings) -> str:
    return (
        f"encode {of.encode_s:.2f} s, prompt {of.prefill_s:.2f} s, token {of.ms_per_token:.1f} ms"
    )


def _start(folder: Path, scratch: Path, profile: Profile) -> tuple[float, str]:
    """Median seconds from a process's start to its readiness, and what it read until then."""
    took, read = [], ""
    for turn in range(STARTS):
        socket = scratch / f"engine-{turn}.sock"
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "voxgate", "engine", str(folder), "--socket", str(socket)],
            env=_environment(scratch, profile), stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        if not process.stdout.readline().startswith(b'{"ready"'):
            raise RuntimeError(f"the engine of {folder} did not start")
        took.append(time.perf_counter() - began)
        read = _read(process.pid, folder)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    return statistics.median(took), read


def _read(pid: int, folder: Path) -> str:
    """What a process has read by calls, and how much of the weights it has touched."""
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


def _long(folder: Path, scratch: Path, minutes: float) -> tuple[float, int]:
    """Seconds for a long recording through the command line, and its windows."""
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
    began = time.perf_counter()
    done = subprocess.run(
        call, env=_environment(scratch, "fast"), check=True, stdout=subprocess.PIPE
    )
    took = time.perf_counter() - began
    words = json.loads(done.stdout)["text"].split()
    windows, rest = divmod(len(words), full_shape.SENTENCE)
    if rest or words[: full_shape.SENTENCE] * windows != words:
        raise ValueError(f"of {len(words)} words some are not the sentence")
    return took, windows


def _environment(scratch: Path, profile: Profile) -> dict[str, str]:
    return os.environ | {"VOXGATE_HOME": str(scratch / "home"), "VOXGATE_PROFILE": profile}


if __name__ == "__main__":
    main()
