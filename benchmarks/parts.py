"""Where the time of windows that are decoded together goes, by function.

    python -m benchmarks.parts [--profile fast] [--windows 8] [--tokens 8] [--folder FOLDER]

Encodes the windows, computes their prompts and decodes tokens of all of them, on zeros in Voxtral
Mini's shape. Each function's own time is without that of the Python functions that it calls. The
profiler adds about a microsecond to each call, so that the many small ones look larger than they
are.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch

from benchmarks.table import Row, show
from voxgate.benchmarking import synthetic
from voxgate.benchmarking.runs import kernels_in_use, run_windows
from voxgate.benchmarking.window import synthetic_sound
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.quantization.profiles import PROFILES
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import choose_greedily

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

LARGEST = 8  # functions of each part

T = TypeVar("T")


def main() -> None:
    """Profile the windows of the command line and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parts", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="fast")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=8, help="steps that are profiled")
    parser.add_argument("--folder", type=Path, help="of a checkpoint; else zeros in Mini's shape")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "voxtral"
        if not arguments.folder:
            synthetic.write_synthetic(folder)
        run_windows(folder, arguments.profile, 1, [1])  # quantises
        model = Voxtral.load(folder, arguments.profile)
        rows = _rows(model, arguments.windows, arguments.tokens)
    print(
        f"{arguments.profile}, {arguments.windows} windows, kernels: {kernels_in_use()}, "
        f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    )
    show(rows)


def _rows(model: Voxtral, windows: int, tokens: int) -> list[Row]:
    prompt = transcription_prompt(model.tokenizer, 1)
    sounds = [synthetic_sound()] * windows
    run_to_end(model.encode(sounds[:1]))  # the first one loads the weights from the file
    audio, rows = _profiled("encode", lambda: run_to_end(model.encode(sounds)))
    cache = model.new_cache(slots=windows, capacity=len(prompt) + 2 * tokens)
    slots = [cache.allocate() for _ in sounds]

    def prefill() -> torch.Tensor:
        pairs = zip(slots, audio, strict=True)
        logits = [run_to_end(model.prefill(cache, slot, prompt, each)) for slot, each in pairs]
        return torch.stack(logits)

    def decode(logits: torch.Tensor) -> torch.Tensor:
        for _ in range(tokens):
            chosen = [choice.token for choice in choose_greedily(logits)]
            logits = run_to_end(model.step(cache, slots, chosen))
        return logits

    logits, prompt_rows = _profiled("prompt", prefill)
    warm = decode(logits)
    _, token_rows = _profiled("token", lambda: decode(warm), tokens)
    return rows + prompt_rows + token_rows


def _profiled(part: str, compute: Callable[[], T], times: int = 1) -> tuple[T, list[Row]]:
    """Return the result, and the functions with the largest own time, in ms of each of `times`."""
    profiler, start_s = cProfile.Profile(), time.perf_counter()
    result = profiler.runcall(compute)
    whole_ms = 1000 * (time.perf_counter() - start_s) / times
    rows, left_ms = [Row(part, f"{whole_ms:.1f} ms")], whole_ms
    entries = sorted(profiler.getstats(), key=lambda entry: entry.inlinetime, reverse=True)
    for entry in entries[:LARGEST]:
        own_ms = 1000 * entry.inlinetime / times
        left_ms -= own_ms
        share = f"{own_ms:.2f} ms, {100 * own_ms / whole_ms:.1f} %"
        rows.append(Row(f"  {_name(entry.code)}", share, f"{entry.callcount / times:.0f} calls"))
    left = f"{left_ms:.2f} ms, {100 * left_ms / whole_ms:.1f} %"
    return result, [*rows, Row("  everything else", left)]


def _name(code: CodeType | str) -> str:
    """Return a function's file and name; a built-in one has a description."""
    if isinstance(code, str):
        return code
    return f"{Path(code.co_filename).name}: {code.co_qualname}"


if __name__ == "__main__":
    main()
