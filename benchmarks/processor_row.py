"""One row of the table of processors in docs/benchmarks.md: Voxtral Mini on this machine.

    python -m benchmarks.processor_row [--tokens 16] [--peer]

Runs `voxgate bench engine` on zeros in Mini's shape, and prints the row. With `--peer`,
transformers computes the same window in the same run: a minute or more, and 10 GB of memory.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.engine import measure_transformers, peer_dtype
from voxgate.benchmarking import synthetic

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADINGS = (
    *("processor", "threads", "kernels", "memory", "`fast`, one window", "eight"),
    *("`balanced`, one window", "eight", "transformers, one window", "date"),
)
CPUINFO = Path("/proc/cpuinfo")

AMD = {
    (23, 0x00, 0x2F): "Zen", (23, 0x50, 0x5F): "Zen", (23, 0x30, 0x4F): "Zen 2",
    (23, 0x60, 0x7F): "Zen 2", (23, 0x90, 0xAF): "Zen 2", (25, 0x00, 0x0F): "Zen 3",
    (25, 0x20, 0x5F): "Zen 3", (25, 0x10, 0x1F): "Zen 4", (25, 0x60, 0xAF): "Zen 4",
    (26, 0x00, 0x2F): "Zen 5", (26, 0x40, 0x4F): "Zen 5", (26, 0x60, 0x7F): "Zen 5",
}  # fmt: skip
"""Architectures by family, first and last model. Source: Linux, cpu/amd.c."""

INTEL = {
    63: "Haswell", 79: "Broadwell", 106: "Ice Lake", 143: "Sapphire Rapids", 151: "Alder Lake",
    154: "Alder Lake", 170: "Meteor Lake", 173: "Granite Rapids", 183: "Raptor Lake",
    186: "Raptor Lake", 207: "Emerald Rapids",
}  # fmt: skip
"""Architectures by model, of family 6. Source: Linux, asm/intel-family.h."""

SKYLAKE, CASCADE_LAKE_STEPPINGS = 85, range(5, 8)  # servers of one model, told apart by stepping
ARM = {0xD0C: "Neoverse N1", 0xD40: "Neoverse V1", 0xD49: "Neoverse N2", 0xD4F: "Neoverse V2"}
"""Cores by part number. Source: Arm's manuals of each."""


def main() -> None:
    """Measure this machine and print its row."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.processor_row", description=__doc__)
    parser.add_argument("--tokens", type=int, default=16, help="number of steps that are timed")
    parser.add_argument("--peer", action="store_true", help="measure transformers, too")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "voxtral"
        synthetic.write_synthetic(folder)
        profiles = ("--profile", "fast", "--profile", "balanced")
        found = bench_engine(folder, *profiles, "--tokens", str(arguments.tokens))
        peer_rtf = None
        if arguments.peer:
            peer_rtf = measure_transformers(folder, arguments.tokens, peer_dtype()).rtf
    print(markdown_row(*HEADINGS))
    print(markdown_row(*["---"] * len(HEADINGS)))
    print(markdown_row(*_cells(found, peer_rtf)))


def bench_engine(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return what `voxgate bench engine --json` writes for a checkpoint; its messages are shown.

    Ends the program where the command fails.
    """
    command = [sys.executable, "-m", "voxgate", "bench", "engine", str(folder), "--json"]
    command += arguments
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        sys.exit(f"`{' '.join(command)}` failed: its message is above.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def markdown_row(*cells: str) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def format_run(run: dict[str, Any]) -> str:
    """Return a real-time factor, and its multiple of the floor."""
    return f"{run['rtf']:.3f} ({run['x_floor']:.2f} x)"


def processor_name(cpuinfo: str) -> str:
    """Return the architecture of the first processor in Linux's list, else its name there."""
    first, _, _ = cpuinfo.partition("\n\n")
    lines = [line.partition(":") for line in first.splitlines()]
    fields = {name.strip(): value.strip() for name, _, value in lines}
    if "CPU part" in fields:
        return ARM.get(int(fields["CPU part"], 16), f"ARM, part {fields['CPU part']}")
    name = fields.get("model name", "")
    architecture = _architecture(fields)
    return f"{architecture} ({name})" if architecture else name


def _architecture(fields: dict[str, str]) -> str | None:
    """Return the name of an x86 processor's architecture; None for one that is not listed."""
    family, model, stepping = (
        int(fields.get(each, "0")) for each in ("cpu family", "model", "stepping")
    )
    if fields.get("vendor_id") == "AuthenticAMD":
        for (of, first, last), name in AMD.items():
            if of == family and first <= model <= last:
                return name
        return None
    if model == SKYLAKE and stepping in CASCADE_LAKE_STEPPINGS:
        return "Cascade Lake"
    return INTEL.get(model) if family == 6 else None


def _cells(found: dict[str, Any], peer_rtf: float | None) -> list[str]:
    machine = found["machine"]
    runs = {(run["profile"], run["windows"]): run for run in found["runs"]}
    wanted = [(profile, windows) for profile in ("fast", "balanced") for windows in (1, 8)]
    name = processor_name(CPUINFO.read_text()) if CPUINFO.exists() else platform.processor()
    peer = "not measured"
    if peer_rtf is not None:
        ratios = [
            f"{peer_rtf / runs[profile, 1]['rtf']:.1f} times {profile}"
            for profile in ("fast", "balanced")
        ]
        peer = f"{peer_rtf:.2f}: {', '.join(ratios)}"
    return [
        name or platform.machine(),
        str(machine["threads"]),
        machine["kernels"],
        f"{machine['read_bytes_per_s'] / 1e9:.0f} GB/s",
        *(format_run(runs[each]) if each in runs else "does not fit" for each in wanted),
        peer,
        datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    ]


if __name__ == "__main__":
    main()
