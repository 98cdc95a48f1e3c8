"""`voxgate bench`: how fast this machine is, and how far from what it could be."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import tables
from voxgate.cli.streams import emit, say
from voxgate.errors import EngineError, NoWeightsError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

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

OURS = ".made-for-a-benchmark"  # in a folder that goes when its figures are known

bench_app = typer.Typer(name="bench", no_args_is_help=True, rich_markup_mode=None)


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
    """Take 30 s of sound through Voxtral in each profile, one after the other.

    The real-time factor is for 100 tokens; below 1 is faster than speech. Beside it stands the
    floor: the same with every product and every weight that is read at the speed that this machine
    shows by itself. The first time, a profile's weights are quantised, which takes minutes and
    is not counted. A profile that does not fit into the memory is left out, and said.
    """
    try:
        from voxgate.benchmarking.roofline import measure_roofline, roofline_rtf
    except ModuleNotFoundError as error:
        raise NoWeightsError(
            f'Voxtral runs on {error.name}, not installed here: pip install "voxgate[voxtral]".'
        ) from error
    from voxgate.voxtral.checkpoint.directory import open_directory
    from voxgate.voxtral.quantization.profiles import PROFILES, parse_profile, weight_bytes

    profiles = [parse_profile(name) for name in profile or PROFILES]
    with _folder(model) as path:
        folder = open_directory(path)
        machine = measure_roofline()
        say(
            f"this machine: reads {machine.read_bytes_per_s / 1e9:.0f} GB/s, multiplies "
            f"{machine.wide_ops_per_s / 1e9:.0f} billion a second, in 8 bits "
            f"{machine.int8_ops_per_s / 1e9:.0f}"
        )
        found = {
            each: _measured(path, each, tokens, weight_bytes(folder, each)) for each in profiles
        }
        least = {each: roofline_rtf(folder.config, each, machine) for each in profiles}
    figures = {name: figures for name, figures in found.items() if figures}
    if not figures:
        raise UsageError("No profile that was asked for fits into the free memory. Free some.")
    tables.print_table(BENCH_HEADINGS, [_row(name, figures[name], least[name]) for name in figures])
    if as_json:
        shown = {name: {key: each[key] for key in FIGURES} for name, each in figures.items()}
        floor = min(least[name] for name in figures)
        emit(json.dumps({"profiles": shown, "floor_rtf": floor}) + "\n")


@contextmanager
def _folder(model: str | None) -> Iterator[Path]:
    """Where the checkpoint is, or a new one is for as long as it is needed."""
    from voxgate.benchmarking import synthetic
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import find_model
    from voxgate.settings import Settings

    settings = Settings.read()
    if model is None:
        with tempfile.TemporaryDirectory(dir=settings.spool_dir) as scratch:
            folder = Path(scratch) / "voxtral"
            synthetic.write_synthetic(folder)
            (folder / OURS).touch()
            yield folder
        return
    spec = find_model(model, AvailableModels(settings))
    if spec.checkpoint is None:
        raise UsageError(f"{spec.name} is no Voxtral: it has no profiles. Name another model.")
    yield Path(spec.checkpoint)


def _measured(folder: Path, profile: str, tokens: int, needed: int) -> dict[str, Any] | None:
    """The second start's figures, or None where the weights do not fit."""
    from voxgate.hardware.memory import free_bytes

    if needed > free_bytes():
        say(f"{profile}: left out, it needs {needed / 1e9:.1f} GB of memory")
        return None
    if profile != "exact":
        say(f"{profile}: quantising, where that was not done before")
        _child(folder, profile, 1)
    say(f"{profile}: measuring")
    return _child(folder, profile, tokens)


def _child(folder: Path, profile: str, tokens: int) -> dict[str, Any]:
    import subprocess
    import sys

    # What cannot be kept beside a folder that is ours goes with it, and not into the home.
    environment = os.environ | ({"VOXGATE_HOME": str(folder)} if (folder / OURS).exists() else {})
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
