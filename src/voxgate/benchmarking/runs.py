"""`EngineRun`: the figures of windows in a profile, beside the floor of the same machine.

A profile is measured in a process of its own, so that the peak of memory is its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from voxgate.benchmarking.floor import floor_rtf
from voxgate.benchmarking.synthetic import MARKER
from voxgate.benchmarking.window import WindowTimings
from voxgate.errors import EngineError
from voxgate.hardware import native_kernels
from voxgate.hardware.level import OFF

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from voxgate.benchmarking.roofline import Roofline
    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.quantization.profiles import Profile

FIGURES = ("rtf", "encode_s", "prefill_s", "ms_per_token", "peak_rss_bytes", "load_s")


@dataclass(frozen=True, slots=True)
class EngineRun:
    """So many windows of 30 s, decoded together in a profile."""

    profile: Profile
    timings: WindowTimings
    floor_rtf: float

    @property
    def x_floor(self) -> float:
        """How many times as long as at the machine's peak speeds it takes."""
        return self.timings.rtf / self.floor_rtf

    def figures(self) -> dict[str, Any]:
        """Return the figures by name, with units in the names, as in JSON."""
        timings = self.timings
        return {
            "profile": self.profile,
            "windows": timings.windows,
            **{name: getattr(timings, name) for name in FIGURES},
            "floor_rtf": self.floor_rtf,
            "x_floor": self.x_floor,
        }


def compare_with_floor(
    config: VoxtralConfig, profile: Profile, timings: Sequence[WindowTimings], machine: Roofline
) -> list[EngineRun]:
    """Return each of a profile's measurements with its own floor."""
    return [
        EngineRun(profile, each, floor_rtf(config, profile, machine, each.windows))
        for each in timings
    ]


def run_windows(
    folder: Path, profile: Profile, tokens: int, windows: Sequence[int]
) -> list[WindowTimings]:
    """Measure a checkpoint's profile in a process of its own. Raises `EngineError`."""
    # Quantised weights of a synthetic checkpoint are deleted with it, and not kept in the home.
    environment = os.environ | ({"VOXGATE_HOME": str(folder)} if (folder / MARKER).exists() else {})
    command = [
        *(sys.executable, "-m", "voxgate.benchmarking.window", str(folder), profile, str(tokens)),
        *map(str, windows),
    ]
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(f"{folder} could not be measured as {profile}: {last}")
    return [WindowTimings(**each) for each in json.loads(done.stdout.splitlines()[-1])]


def summarize(runs: Sequence[EngineRun], machine: Roofline) -> dict[str, Any]:
    """Return what `--json` writes. `profiles` and `floor_rtf` are of the fewest windows."""
    fewest = min(run.timings.windows for run in runs)
    first = [run for run in runs if run.timings.windows == fewest]
    return {
        "profiles": {
            run.profile: {name: getattr(run.timings, name) for name in FIGURES} for run in first
        },
        "floor_rtf": min(run.floor_rtf for run in first),
        "runs": [run.figures() for run in runs],
        "machine": asdict(machine)
        | {"threads": torch.get_num_threads(), "kernels": kernels_in_use()},
    }


def kernels_in_use() -> str:
    """Return the level of the native kernels in use; `off` without them."""
    return native_kernels.level() or OFF
