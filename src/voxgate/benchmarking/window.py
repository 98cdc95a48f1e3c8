"""Time windows of 30 s: load the model, encode the sound, prefill, decode tokens.

    python -m voxgate.benchmarking.window FOLDER PROFILE TOKENS WINDOWS [WINDOWS ...]

decodes so many windows together, the fewest first, and prints a list of the timings as JSON. It
runs in a process of its own, so that the peak of memory is the model's.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch

from voxgate.hardware.cores import thread_count
from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.quantization.profiles import parse_profile
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import choose_greedily

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voxgate.voxtral.quantization.profiles import Profile

BENCH_TOKENS = 100  # of the window that real-time factors are stated for: fluent speech


@dataclass(frozen=True, slots=True)
class WindowTimings:
    """The times of windows that are decoded together, and the memory of their process so far."""

    dtype: str  # of the values between layers
    load_s: float
    encode_s: float  # of all windows
    prefill_s: float  # of all windows' prompts
    ms_per_token: float  # median of a step, which decodes a token of each window
    peak_rss_bytes: int
    windows: int = 1

    @property
    def rtf(self) -> float:
        """The real-time factor of windows of `BENCH_TOKENS` tokens, without loading."""
        decode_s = BENCH_TOKENS * self.ms_per_token / 1000
        return (self.encode_s + self.prefill_s + decode_s) / (self.windows * CHUNK_S)


class Stopwatch:
    """Measures the time between calls, by wall time or another clock."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._start_s = clock, clock()

    def lap(self) -> float:
        """Return the seconds since the last call, or since the start."""
        now = self._clock()
        elapsed_s, self._start_s = now - self._start_s, now
        return elapsed_s


def measure_windows(
    folder: str,
    profile: Profile,
    tokens: int,
    counts: Sequence[int] = (1,),
    *,
    dtype: torch.dtype | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> list[WindowTimings]:
    """Load a checkpoint; time each number of windows together, with so many tokens of each."""
    stopwatch = Stopwatch(clock)
    model = Voxtral.load(folder, profile, dtype=dtype)
    load_s = stopwatch.lap()
    return [_measure_together(model, load_s, count, tokens, clock) for count in sorted(counts)]


def _measure_together(
    model: Voxtral, load_s: float, windows: int, tokens: int, clock: Callable[[], float]
) -> WindowTimings:
    sounds = [synthetic_sound()] * windows
    prompt = transcription_prompt(model.tokenizer, 1)
    cache = model.new_cache(slots=windows, capacity=len(prompt) + tokens)
    slots = [cache.allocate() for _ in sounds]
    stopwatch = Stopwatch(clock)
    audio = run_to_end(model.encode(sounds))
    encode_s = stopwatch.lap()
    opened = [
        run_to_end(model.prefill(cache, slot, prompt, each))
        for slot, each in zip(slots, audio, strict=True)
    ]
    prefill_s = stopwatch.lap()
    logits, laps = torch.stack(opened), list[float]()
    for _ in range(tokens):
        chosen = [choice.token for choice in choose_greedily(logits)]
        logits = run_to_end(model.step(cache, slots, chosen))
        laps.append(stopwatch.lap())
    return window_timings(str(model.dtype), load_s, encode_s, prefill_s, laps, windows=windows)


def window_timings(
    dtype: str,
    load_s: float,
    encode_s: float,
    prefill_s: float,
    laps: list[float],
    *,
    windows: int = 1,
) -> WindowTimings:
    """Return the timings, with this process's peak of memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    median_ms = 1000 * statistics.median(laps)
    name = dtype.removeprefix("torch.")
    return WindowTimings(name, load_s, encode_s, prefill_s, median_ms, peak, windows)


def synthetic_sound() -> torch.Tensor:
    """Return 30 s of a rising tone with noise, [480 000] float32 at 16 kHz."""
    time_s = torch.arange(CHUNK_S * SAMPLE_RATE) / SAMPLE_RATE
    noise = torch.randn(len(time_s), generator=torch.Generator().manual_seed(0))
    return 0.3 * torch.sin(2 * torch.pi * (100 + 60 * time_s) * time_s) + 0.01 * noise


def main() -> None:
    """Measure what the command line says, and print JSON."""
    folder, profile, tokens, *counts = sys.argv[1:]
    torch.set_num_threads(thread_count())
    timings = measure_windows(folder, parse_profile(profile), int(tokens), [*map(int, counts)])
    sys.stdout.write(json.dumps([asdict(each) for each in timings]) + "\n")


if __name__ == "__main__":
    main()
