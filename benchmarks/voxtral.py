"""Voxtral Mini at full shape compared with transformers, from one window to a long recording.

    python -m benchmarks.voxtral [--folder FOLDER] [--minutes 10] [--tokens 16]

The weights are random and give the same 100 words for every window (`benchmarks.full_shape`).
Quantizing them for a profile is not counted. The command line transcribes the long recording,
measured from its start to the last word; transformers would take for each of its windows what it
takes for one, which is what it is compared with. Needs 19 GB of disk, 14 GB of memory, and about
ten minutes on two cores with VNNI.
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
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import full_shape
from benchmarks.engine import command, measure_transformers, peer_dtype
from benchmarks.recordings import fluent
from benchmarks.table import Row, show
from voxgate.benchmarking.roofline import measure_roofline
from voxgate.benchmarking.runs import EngineRun, compare_with_floor, kernels_in_use, run_windows
from voxgate.benchmarking.window import WindowTimings
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from voxgate.voxtral.quantization.profiles import Profile

TOKENS = 16  # timed in each window; the figures are for 100
MINUTES = 10
DISK, MEMORY = 19e9, 14e9  # bytes
STARTS, ROUNDS = 3, 3
GOALS: dict[Profile, str] = {"fast": "6", "balanced": "4"}


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


@dataclass(frozen=True)
class Measured:
    """Windows of both engines, measured in turns. Figures of one window are medians."""

    ours: dict[Profile, tuple[EngineRun, EngineRun]]  # one window, and eight together
    peer: WindowTimings


def measure(
    folder: Path, scratch: Path, minutes: float = MINUTES, tokens: int = TOKENS
) -> list[Row]:
    """Measure every row."""
    if not (folder / "config.json").exists():
        full_shape.write(folder)
    windows = _measure_windows(folder, tokens)
    ours, peer = windows.ours, windows.peer
    started_s, read = _start_time(folder, scratch, "fast")
    long_s, count = _transcribe_long(folder, scratch, minutes)
    rtf, fast = long_s / (60 * minutes), ours["fast"][0].timings
    return [
        *(_window_row(one, peer, GOALS[one.profile]) for one, _ in ours.values()),
        Row(
            f"{minutes:g} minutes through `voxgate transcribe`, fast; the peer window by window",
            f"RTF {rtf:.3f}: {long_s:.0f} s, {count} windows of 100 words",
            f"{peer.rtf:.2f}  ({peer.rtf / rtf:.2f} times ours)",
            "ratio >= 10; 3 with AVX2",
        ),
        *(_floor_row(run) for runs in ours.values() for run in runs),
        Row("fast: process start to ready", f"{started_s:.1f} s", f"reads {read}", "<= 5 s"),
        Row(
            "fast: peak memory",
            f"{fast.peak_rss_bytes / 1e9:.2f} GB",
            f"{peer.peak_rss_bytes / 1e9:.2f} GB",
            "<= 4 GB",
        ),
    ]


def _measure_windows(folder: Path, tokens: int) -> Measured:
    """Measure the engines in turns, so that a slow minute affects all of them; print the rounds.

    The floor is that of the best peaks of all rounds.
    """
    load, machine, dtype = os.getloadavg()[0], measure_roofline(), peer_dtype()
    ones: dict[Profile, list[WindowTimings]] = {profile: [] for profile in GOALS}
    eights: dict[Profile, WindowTimings] = {}
    peers: list[WindowTimings] = []
    for profile in GOALS:
        run_windows(folder, profile, 1, [1])  # quantises
        eights[profile] = run_windows(folder, profile, tokens, [8])[0]
    for _ in range(ROUNDS):
        for profile, timings in ones.items():
            timings.extend(run_windows(folder, profile, tokens, [1]))
        peers.append(measure_transformers(folder, tokens, dtype))
        machine = machine.or_better(measure_roofline())
    peer, config = _median(peers), open_directory(folder).config
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, load {load:.1f} before")
    print(f"this machine: {machine.describe()}; kernels: {kernels_in_use()}")
    print("peer: " + " ".join(command("transformers", folder, tokens, "exact", dtype)))
    print(f"peer: {_format_timings(peer)}")
    for name, rounds in (*ones.items(), ("transformers", peers)):
        print(f"{name}, each round: " + ", ".join(f"RTF {each.rtf:.3f}" for each in rounds))
    ours = {}
    for profile, timings in ones.items():
        both = [_median(timings), eights[profile]]
        one, eight = compare_with_floor(config, profile, both, machine)
        ours[profile] = one, eight
    return Measured(ours, peer)


def _median(timings: list[WindowTimings]) -> WindowTimings:
    """Return the median of each figure."""
    names = [
        field.name for field in fields(WindowTimings) if field.name not in {"dtype", "windows"}
    ]
    medians = {name: statistics.median(getattr(each, name) for each in timings) for name in names}
    return replace(timings[0], **medians)


def _window_row(run: EngineRun, peer: WindowTimings, goal: str) -> Row:
    ours = run.timings
    return Row(
        f"30 s with 100 tokens, {run.profile}",
        f"RTF {ours.rtf:.3f}: {_format_timings(ours)}",
        f"{peer.rtf:.2f}  ({peer.rtf / ours.rtf:.2f} times ours)",
        f"ratio >= {goal}; 3 with AVX2",
    )


def _floor_row(run: EngineRun) -> Row:
    windows = run.timings.windows
    return Row(
        f"{run.profile}, {windows} {'window' if windows == 1 else 'windows together'}: x floor",
        f"{run.x_floor:.2f}: RTF {run.timings.rtf:.3f}",
        f"floor: RTF {run.floor_rtf:.3f}",
        "<= 1.5" if windows == 1 else "<= 1.3",
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
