"""The windows of a long recording in one batch, compared with the same windows one by one.

    python -m benchmarks.batching [--shape digits|mini] [--windows 20] [--tokens 100]

Both run in one scheduler. `digits` is the checkpoint of the tests, on sequences of spoken digits
(`VOXGATE_AUDIO`). Any other shape has random weights (Mini: 9.4 GB on disk), and each window
generates `--tokens`. Every window then costs the same, so that it is enough to measure `--single`
of them one by one.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import sys
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import numpy as np
import soxr
import torch

from benchmarks import full_shape
from benchmarks.table import Row, show
from voxgate.engine.backend import load_model
from voxgate.engine.queue import WindowRequest
from voxgate.models.catalogue import find_model
from voxgate.transcript.values import Done, Event, Options
from voxgate.voxtral.model import Voxtral

if TYPE_CHECKING:
    from voxgate.engine.backend import Scheduler
    from voxgate.voxtral.decoding import DecodingState
    from voxgate.voxtral.resumable import Resumable

CHECKPOINT = Path(__file__).parent.parent / "tests" / "data" / "voxtral-digits"
SECONDS, RATE = 30, 16_000
LIMIT_MS = 250  # of one step, during which the engine can do nothing else


@dataclass(frozen=True)
class BatchTimings:
    """The time in which a scheduler transcribed some windows."""

    windows: int
    seconds: float
    tokens: int

    @property
    def rtf(self) -> float:
        """The real-time factor."""
        return self.seconds / (self.windows * SECONDS)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.add_argument("--shape", choices=("digits", *full_shape.DECODERS), default="digits")
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument(
        "--tokens", type=int, default=100, help="of each window, with random weights"
    )
    parser.add_argument("--single", type=int, help="number of windows that are measured one by one")
    parser.add_argument("--folder", type=Path, help="folder of the checkpoint, written if missing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = CHECKPOINT
        if arguments.shape != "digits":
            folder = arguments.folder or Path(scratch) / "voxtral"
            if not (folder / "config.json").exists():
                full_shape.write(folder, arguments.shape)
        show(_rows(folder, arguments))


def _rows(folder: Path, arguments: argparse.Namespace) -> list[Row]:
    digits = arguments.shape == "digits"
    windows = _digit_windows(arguments.windows) if digits else _noise_windows(arguments.windows)
    options = Options() if digits else Options(max_tokens=arguments.tokens)
    steps = _step_ms(folder)
    model = load_model(find_model(str(folder)))
    scheduler = model.scheduler()
    _transcribe(scheduler, windows[:1], Options(max_tokens=1), at_once=1)  # warm up
    single = _transcribe(
        scheduler, windows[: arguments.single or arguments.windows], options, at_once=1
    )
    at_once = model.capabilities.concurrency
    batched = _transcribe(scheduler, windows, options, at_once)
    scheduler.stop(60)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"longest steps, ms (goal {LIMIT_MS}): {steps}; peak memory {peak:.2f} GB")
    return [
        _row(f"{arguments.shape}: one by one", single, single),
        _row(f"{arguments.shape}: {at_once} at once", batched, single),
    ]


def _row(name: str, timings: BatchTimings, single: BatchTimings) -> Row:
    figure = f"{timings.seconds:.1f} s for {timings.windows} windows, {timings.tokens} tokens"
    return Row(
        f"{name}: RTF {timings.rtf:.3f}", figure, f"{timings.rtf / single.rtf:.2f} of one by one"
    )


def _transcribe(
    scheduler: Scheduler, windows: list[bytes], options: Options, at_once: int
) -> BatchTimings:
    """Add so many windows to the scheduler, then the next when one ends, as the pipeline does."""
    results: Queue[Exception | None] = Queue()
    events: list[Event] = []
    start_s = time.perf_counter()
    for number, window in enumerate(windows):
        if number >= at_once and (error := results.get()):
            raise error
        scheduler.add(WindowRequest(window, options, events.append, results.put))
    for _ in windows[-at_once:]:
        if error := results.get():
            raise error
    seconds = time.perf_counter() - start_s
    return BatchTimings(len(windows), seconds, sum(e.tokens for e in events if isinstance(e, Done)))


def _step_ms(folder: Path) -> dict[str, float]:
    """Return the longest steps of encoding with prefill, and of a token of eight windows, in ms."""
    model = Voxtral.load(folder)
    sound = np.frombuffer(_noise_windows(1)[0], "<i2").astype(np.float32) / 32768
    decoding: DecodingState = model.new_decoding(sound, max_tokens=8)
    cache = model.new_cache(8, decoding.max_positions)
    slots = [cache.allocate() for _ in range(8)]
    for warm in (False, True):  # the first run is cold
        if warm:
            cache.free(slots[0])
            cache.allocate()
        first_steps = _step_seconds(model.encode_and_prefill(cache, slots[0], decoding))
    longest = {"opening, first": first_steps[0], "opening, longest": max(first_steps)}
    for slot in slots[1:]:
        cache.advance([slot], cache.lengths[slots[0]])
    tokens = [_step_seconds(model.step(cache, slots, [1] * 8)) for _ in range(3)]
    longest["token of 8, whole"] = min(map(sum, tokens))
    longest["token of 8, longest layer"] = min(map(max, tokens))
    return {name: round(1000 * seconds, 1) for name, seconds in longest.items()}


def _step_seconds(steps: Resumable[object]) -> list[float]:
    seconds, running = [], True
    while running:
        start_s = time.perf_counter()
        running = next(steps, True) is None  # the generator ends with the step of the result: True
        seconds.append(time.perf_counter() - start_s)
    return seconds


def _noise_windows(windows: int) -> list[bytes]:
    rng = np.random.default_rng(0)
    return [
        rng.integers(-3000, 3000, SECONDS * RATE).astype("<i2").tobytes() for _ in range(windows)
    ]


def _digit_windows(windows: int) -> list[bytes]:
    """Return windows of eight digits of one speaker each, padded with silence to 30 s."""
    draw = random.Random(10)  # noqa: S311 (nothing secret is drawn)
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "digits"
    speakers = sorted(path for path in folder.glob("*") if path.is_dir())
    if not speakers:
        sys.exit("VOXGATE_AUDIO names no folder with recordings of digits. Set it.")
    windows_pcm = []
    for _ in range(windows):
        takes = draw.choices(sorted(draw.choice(speakers).glob("*.wav")), k=8)
        sound = np.concatenate(
            [part for take in takes for part in (np.zeros(3200), _read_take(take))]
        )
        windows_pcm.append(np.pad(sound, (0, SECONDS * RATE - len(sound))).astype("<i2").tobytes())
    return windows_pcm


def _read_take(take: Path) -> np.ndarray:
    """Return a recording at 8 kHz as PCM16 values at 16 kHz."""
    with wave.open(str(take), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    return np.asarray(soxr.resample(samples, RATE // 2, RATE)).clip(-32768, 32767)


if __name__ == "__main__":
    main()
