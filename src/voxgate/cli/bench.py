"""`voxgate bench`: the speed of this machine, and its roofline."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import tables
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_output
from voxgate.errors import EngineStartError, UsageError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.benchmarking.runs import EngineRun
    from voxgate.benchmarking.window import WindowTimings
    from voxgate.settings import Settings
    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
    from voxgate.voxtral.quantization.profiles import Profile

BENCH_HEADINGS = (
    "profile",
    "windows",
    "real-time factor",
    "floor",
    "x floor",
    "encode",
    "prompt",
    "token",
    "memory",
    "load",
)
WINDOWS = (1, 8)  # the second: as many as a batch has where memory allows
MOST_WINDOWS = 64

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
    windows: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            max=MOST_WINDOWS,
            metavar="N",
            help="How many are decoded together; may be given again. Else one, and eight.",
        ),
    ] = None,
    tokens: Annotated[
        int, typer.Option(min=1, max=400, metavar="N", help="How many tokens are timed.")
    ] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, on the last line.")] = False,
) -> None:
    """Run windows of 30 s of sound through Voxtral in each profile, one after the other.

    The real-time factor is for 100 tokens a window; below 1 is faster than speech. Encode and
    prompt are of all windows, and a token is a step that decodes one of each.

    The floor is the real-time factor at this machine's peaks: only products and reading weights
    take time, each at the best speed that any library reached here, before or after the profiles.
    In a step every weight is read once, for all windows. Attention counts in bfloat16 where the
    processor computes in it, else in float32.

    The first time, a profile's weights are quantised, which takes minutes and is not counted. A
    profile that does not fit into the memory is skipped, with a message.
    """
    settings = apply_settings()  # before torch is imported: here, and in the measured process
    try:
        from voxgate.benchmarking.roofline import measure_roofline
    except ModuleNotFoundError as error:
        raise EngineStartError(
            f"Voxtral runs on {error.name}, not installed here: "
            f"`{Installation.find().install_extra('voxtral')}`.",
            code="no_endpoints",
        ) from error
    from voxgate.benchmarking.runs import compare_with_floor, kernels_in_use, summarize
    from voxgate.voxtral.checkpoint.directory import open_directory
    from voxgate.voxtral.quantization.profiles import PROFILES, parse_profile

    counts = sorted(set(windows or WINDOWS))
    profiles = [parse_profile(name) for name in profile or PROFILES]
    timings: dict[Profile, list[WindowTimings]] = {}
    with _checkpoint_folder(model, settings) as path:
        directory = open_directory(path)
        machine = measure_roofline()
        for each in profiles:
            if measured := _measure(directory, each, tokens, counts):
                timings[each] = measured
        machine = machine.or_better(measure_roofline())
    if not timings:
        raise UsageError("None of the requested profiles fits into the free memory. Free some.")
    print_message(f"this machine: {machine.describe()}; kernels: {kernels_in_use()}")
    runs = [
        run
        for name, measured in timings.items()
        for run in compare_with_floor(directory.config, name, measured, machine)
    ]
    tables.print_table(BENCH_HEADINGS, [_row(run) for run in runs])
    if as_json:
        write_output(json.dumps(summarize(runs, machine)) + "\n")


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
            (folder / synthetic.MARKER).touch()
            yield folder
        return
    spec = find_model(model, AvailableModels(settings))
    check_local(spec)
    if spec.checkpoint is None or spec.profile is None:
        raise UsageError(f"{spec.name} is not a Voxtral: it has no profiles. Name another model.")
    yield Path(spec.checkpoint)


def _measure(
    directory: CheckpointDirectory, profile: Profile, tokens: int, windows: list[int]
) -> list[WindowTimings] | None:
    """Return the timings of each number of windows, of the second start; None if it does not fit.

    The memory of keys and values counts as in float32, the widest type that they are stored in.
    """
    import torch

    from voxgate.benchmarking.floor import PROMPT_TOKENS
    from voxgate.benchmarking.runs import run_windows
    from voxgate.hardware.memory import free_bytes
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.quantization.profiles import weight_bytes

    slot = KVCache.slot_bytes(directory.config.decoder, PROMPT_TOKENS + tokens, torch.float32)
    needed = weight_bytes(directory, profile) + max(windows) * slot
    if needed > free_bytes():
        print_message(f"{profile}: skipped, it needs {needed / 1e9:.1f} GB of memory")
        return None
    if profile != "exact":
        print_message(f"{profile}: quantising, unless that was done before")
        run_windows(directory.path, profile, 1, [1])
    print_message(f"{profile}: measuring")
    return run_windows(directory.path, profile, tokens, windows)


def _row(run: EngineRun) -> tuple[str, ...]:
    timings = run.timings
    return (
        run.profile,
        str(timings.windows),
        f"{timings.rtf:.3f}",
        f"{run.floor_rtf:.3f}",
        f"{run.x_floor:.2f}",
        f"{timings.encode_s:.2f} s",
        f"{timings.prefill_s:.2f} s",
        f"{timings.ms_per_token:.1f} ms",
        f"{timings.peak_rss_bytes / 1e9:.2f} GB",
        f"{timings.load_s:.1f} s",
    )
