"""`voxgate bench`: the speed of this machine, and its roofline."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import tables
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_output
from voxgate.errors import EngineError, EngineStartError, UsageError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings

BENCH_HEADINGS = (
    "profile",
    "real-time factor",
    "floor",
    "encode",
    "prompt",
    "token",
    "memory",
    "load",
)
FIGURES = ("rtf", "encode_s", "prefill_s", "ms_per_token", "peak_rss_bytes", "load_s")

SYNTHETIC_MARKER = ".made-for-a-benchmark"  # in a checkpoint that is deleted after the benchmark

bench_app = typer.Typer(name="bench", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None)


@bench_app.callback()
def bench_command() -> None:
    """Measure this machine."""


@bench_app.command("engine")
def bench_engine(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL|FOLDER]",
            help="A Voxtral by name or folder; else zeros in the shape of Voxtral Mini 3B.",
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="exact, balanced or fast; may be given again. Else all."),
    ] = None,
    tokens: Annotated[
        int, typer.Option(min=1, max=400, metavar="N", help="How many tokens are timed.")
    ] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, on the last line.")] = False,
) -> None:
    """Run 30 s of sound through Voxtral in each profile, one after the other.

    The real-time factor is for 100 tokens; below 1 is faster than speech. The floor beside it is
    the same figure with every product and every read of a weight at the peak speed that is
    measured on this machine. The first time, a profile's weights are quantised, which takes
    minutes and is not counted. A profile that does not fit into the memory is skipped, with a
    message.
    """
    settings = apply_settings()  # before torch is imported: here, and in the measured process
    try:
        from voxgate.benchmarking.roofline import measure_roofline, roofline_rtf
    except ModuleNotFoundError as error:
        raise EngineStartError(
            f"Voxtral runs on {error.name}, not installed here: "
            f"`{Installation.find().install_extra('voxtral')}`.",
            code="no_endpoints",
        ) from error
    from voxgate.voxtral.checkpoint.directory import open_directory
    from voxgate.voxtral.quantization.profiles import PROFILES, parse_profile, weight_bytes

    profiles = [parse_profile(name) for name in profile or PROFILES]
    with _checkpoint_folder(model, settings) as path:
        directory = open_directory(path)
        machine = measure_roofline()
        print_message(
            f"this machine: reads {machine.read_bytes_per_s / 1e9:.0f} GB/s, multiplies "
            f"{machine.wide_ops_per_s / 1e9:.0f} billion a second, in 8 bits "
            f"{machine.int8_ops_per_s / 1e9:.0f}"
        )
        found = {
            each: _measure(path, each, tokens, weight_bytes(directory, each)) for each in profiles
        }
        floors = {each: roofline_rtf(directory.config, each, machine) for each in profiles}
    figures = {name: figures for name, figures in found.items() if figures}
    if not figures:
        raise UsageError("None of the requested profiles fits into the free memory. Free some.")
    tables.print_table(
        BENCH_HEADINGS, [_row(name, figures[name], floors[name]) for name in figures]
    )
    if as_json:
        selected = {name: {key: each[key] for key in FIGURES} for name, each in figures.items()}
        floor = min(floors[name] for name in figures)
        write_output(json.dumps({"profiles": selected, "floor_rtf": floor}) + "\n")


@contextmanager
def _checkpoint_folder(model: str | None, settings: Settings) -> Iterator[Path]:
    """Yield the folder of the model's checkpoint, or of a temporary synthetic one."""
    from voxgate.benchmarking import synthetic
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import check_local, find_model

    if model is None:
        with tempfile.TemporaryDirectory(dir=settings.spool_dir) as scratch:
            folder = Path(scratch) / "voxtral"
            synthetic.write_synthetic(folder)
            (folder / SYNTHETIC_MARKER).touch()
            yield folder
        return
    spec = find_model(model, AvailableModels(settings))
    check_local(spec)
    if spec.checkpoint is None or spec.profile is None:
        raise UsageError(f"{spec.name} is not a Voxtral: it has no profiles. Name another model.")
    yield Path(spec.checkpoint)


def _measure(folder: Path, profile: str, tokens: int, needed: int) -> dict[str, Any] | None:
    """Return the figures of the second start; None if the weights do not fit."""
    from voxgate.hardware.memory import free_bytes

    if needed > free_bytes():
        print_message(f"{profile}: skipped, it needs {needed / 1e9:.1f} GB of memory")
        return None
    if profile != "exact":
        print_message(f"{profile}: quantising, unless that was done before")
        _run_benchmark(folder, profile, 1)
    print_message(f"{profile}: measuring")
    return _run_benchmark(folder, profile, tokens)


def _run_benchmark(folder: Path, profile: str, tokens: int) -> dict[str, Any]:
    import subprocess
    import sys

    # Quantised weights of a synthetic checkpoint are deleted with it, and not kept in the home.
    environment = os.environ | (
        {"VOXGATE_HOME": str(folder)} if (folder / SYNTHETIC_MARKER).exists() else {}
    )
    command = [
        sys.executable,
        "-m",
        "voxgate.benchmarking.window",
        str(folder),
        profile,
        str(tokens),
    ]
    done = subprocess.run(command, check=False, capture_output=True, env=environment)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise EngineError(f"{folder} could not be measured as {profile}: {last}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _row(profile: str, figures: dict[str, Any], floor: float) -> tuple[str, ...]:
    return (
        profile,
        f"{figures['rtf']:.2f}",
        f"{floor:.2f}",
        f"{figures['encode_s']:.2f} s",
        f"{figures['prefill_s']:.2f} s",
        f"{figures['ms_per_token']:.1f} ms",
        f"{figures['peak_rss_bytes'] / 1e9:.2f} GB",
        f"{figures['load_s']:.1f} s",
    )
