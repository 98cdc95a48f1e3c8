"""The native kernels compared with the best of PyTorch, on the shapes of Voxtral Mini.

    python -m benchmarks.kernels [--seconds 2] [--threads N] [part ...]

In each row, every candidate runs once in each round, so that a noisy minute affects all of them.
Figures are medians, with the fastest run in brackets. The machine's peak speeds are measured before
and after. Weights are four layers in turn, which is more than the caches hold. `a window` is 30 s
of sound with 100 tokens.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from typing import TYPE_CHECKING

import torch

from benchmarks.kernel_cases import PARTS
from benchmarks.table import Row, show
from voxgate.voxtral.kernels import ops
from voxgate.voxtral.kernels.bindings import load_kernels

if TYPE_CHECKING:
    from benchmarks.kernel_cases import Computation, KernelCase

PEAK_RUNS = 7
MIN_ROUNDS = 7


def main() -> None:
    """Measure the parts of the command line, by default all, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=2, help="of each row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if reason := ops.why_unavailable():
        parser.exit(1, f"The native kernels cannot be measured: {reason}.\n")
    torch.manual_seed(0)
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, load {load:.1f}")
    rows = [_peak_row(threads)]
    with torch.inference_mode():
        for part in arguments.parts or PARTS:
            rows += [_measure_case(case, arguments.seconds) for case in PARTS[part]()]
    show([*rows, _peak_row(threads)])


def _measure_case(case: KernelCase, seconds: float) -> Row:
    ours, *peers = _measure_times([case.ours, *case.peers.values()], seconds)
    sorted_peers = sorted(zip(peers, case.peers, strict=True))
    best_s = sorted_peers[0][0][0]
    rates = [f"{case.operations / ours[0] / 1e9:.0f} G/s"] if case.operations else []
    rates += [f"{case.bytes / ours[0] / 1e9:.1f} GB/s"] if case.bytes else []
    gain_s = (best_s - ours[0]) * case.runs_per_window
    window = f"{gain_s:+.2f} s a window" if case.runs_per_window else ""
    return Row(
        case.description,
        ", ".join([_format_times(ours), *rates]),
        "\n".join(f"{name} {_format_times(times)}" for times, name in sorted_peers),
        f"{best_s / ours[0]:.2f} x\n{window}",
    )


def _format_times(times: tuple[float, float]) -> str:
    median_s, fastest_s = times
    return f"{median_s * 1000:.3g} [{fastest_s * 1000:.3g}] ms"


def _measure_times(computations: list[Computation], seconds: float) -> list[tuple[float, float]]:
    """Return each computation's median and fastest time, in seconds.

    They run in turns, after one untimed run each, for so many seconds and at least seven rounds.
    """
    for compute in computations:
        compute()
    elapsed_s: list[list[float]] = [[] for _ in computations]
    end_s = time.perf_counter() + seconds
    while time.perf_counter() < end_s or len(elapsed_s[0]) < MIN_ROUNDS:
        for compute, times in zip(computations, elapsed_s, strict=True):
            start_s = time.perf_counter()
            compute()
            times.append(time.perf_counter() - start_s)
    return [(statistics.median(times), min(times)) for times in elapsed_s]


def _peak_row(threads: int) -> Row:
    """Measure the machine's peak speeds: the median, and the best of seven runs."""
    memory = torch.ones(1 << 29, dtype=torch.uint8)
    kernels = load_kernels()
    speeds = {
        "int8": [kernels.int8_operations(threads) for _ in range(PEAK_RUNS)],
        "bf16": [kernels.bf16_operations(threads) for _ in range(PEAK_RUNS)],
        "memory": [
            kernels.read_bytes(memory.data_ptr(), memory.nbytes, threads) for _ in range(PEAK_RUNS)
        ],
    }
    parts = [
        f"{name} {statistics.median(speed) / 1e9:.0f} [{max(speed) / 1e9:.0f}]"
        for name, speed in speeds.items()
    ]
    return Row("the machine, G operations or bytes a second", ", ".join(parts))


if __name__ == "__main__":
    main()
