"""Time one window of 30 s: load the model, encode the sound, prefill, decode tokens.

    python -m voxgate.benchmarking.window FOLDER PROFILE TOKENS

prints the timings as JSON. It runs in a process of its own, so that the peak of memory is the
model's.
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.voxtral.quantization.profiles import Profile

BENCH_TOKENS = 100  # of the window that real-time factors are stated for: fluent speech


@dataclass(frozen=True, slots=True)
class WindowTimings:
    """The times of one window, and the memory of its process."""

    dtype: str  # of the values between layers
    load_s: float
    encode_s: float
    prefill_s: float
    ms_per_token: float  # median
    peak_rss_bytes: int

    @property
    def rtf(self) -> float:
        """The real-time factor of a window of `BENCH_TOKENS` tokens, without loading."""
        return (self.encode_s + self.prefill_s + BENCH_TOKENS * self.ms_per_token / 1000) / CHUNK_S


class Stopwatch:
    """Measures the time between calls, by wall time or another clock."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock, self._start_s = clock, clock()

    def lap(self) -> float:
        """Return the seconds since the last call, or since the start."""
        now = self._clock()
        elapsed_s, self._start_s = now - self._start_s, now
        return elapsed_s


def measure_window(
    folder: str,
    profile: Profile,
    tokens: int,
    dtype: torch.dtype | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> WindowTimings:
    """Load a checkpoint and time one window with so many tokens."""
    stopwatch = Stopwatch(clock)
    model = Voxtral.load(folder, profile, dtype=dtype)
    load_s = stopwatch.lap()
    (audio,) = run_to_end(model.encode([synthetic_sound()]))
    encode_s = stopwatch.lap()
    prompt = transcription_prompt(model.tokenizer, 1)
    cache = model.new_cache(slots=1, capacity=len(prompt) + tokens)
    slot = cache.allocate()
    logits = run_to_end(model.prefill(cache, slot, prompt, audio))
    prefill_s = stopwatch.lap()
    laps = []
    for _ in range(tokens):
        logits = run_to_end(model.step(cache, [slot], [int(logits.argmax())]))[0]
        laps.append(stopwatch.lap())
    return window_timings(str(model.dtype), load_s, encode_s, prefill_s, laps)


def window_timings(
    dtype: str, load_s: float, encode_s: float, prefill_s: float, laps: list[float]
) -> WindowTimings:
    """Return the timings, with this process's peak of memory so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    median_ms = 1000 * statistics.median(laps)
    return WindowTimings(dtype.removeprefix("torch."), load_s, encode_s, prefill_s, median_ms, peak)


def synthetic_sound() -> torch.Tensor:
    """Return 30 s of a rising tone with noise, [480 000] float32 at 16 kHz."""
    time_s = torch.arange(CHUNK_S * SAMPLE_RATE) / SAMPLE_RATE
    noise = torch.randn(len(time_s), generator=torch.Generator().manual_seed(0))
    return 0.3 * torch.sin(2 * torch.pi * (100 + 60 * time_s) * time_s) + 0.01 * noise


def main() -> None:
    """Measure the checkpoint and the profile of the command line, and print JSON."""
    folder, profile, tokens = sys.argv[1:]
    torch.set_num_threads(thread_count())
    timings = measure_window(folder, parse_profile(profile), int(tokens))
    sys.stdout.write(json.dumps(asdict(timings) | {"rtf": timings.rtf}) + "\n")


if __name__ == "__main__":
    main()
