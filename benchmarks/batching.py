"""A long recording's windows together, beside the same windows one by one, in one scheduler.

    python -m benchmarks.batching [--shape digits|mini] [--windows 20] [--tokens 100]

`digits` is the checkpoint of the tests, on strings of spoken digits (`VOXGATE_AUDIO`). Any other
shape is random weights (Mini: 9.4 GB on disk), which never end by themselves: each window writes
`--tokens`. There every window costs the same, so that `--single` of them stand for all.
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
LIMIT_MS = 250  # that one step may hold the engine


@dataclass(frozen=True)
class Took:
    """Some windows' way through the scheduler."""

    windows: int
    seconds: float
    tokens: int

    @property
    def rtf(self) -> float:
        """Processing time over sound."""
        return self.seconds / (self.windows * SECONDS)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batching", description=__doc__)
    parser.add_argument("--shape", choices=("digits", *full_shape.DECODERS), default="digits")
    parser.add_argument("--windows", type=int, default=20)
    parser.add_argument("--tokens", type=int, default=100, help="of a window of random weights")
    parser.add_argument("--single", type=int, help="windows that are measured one by one")
    parser.add_argument("--folder", type=Path, help="where the checkpoint lies or is to be kept")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = CHECKPOINT
        if asked.shape != "digits":
            folder = asked.folder or Path(scratch) / "voxtral"
            if not (folder / "config.json").exists():
                full_shape.write(folder, asked.shape)
        show(_rows(folder, asked))


def _rows(folder: Path, asked: argparse.Namespace) -> list[Row]:
    digits = asked.shape == "digits"
    windows = _spoken(asked.windows) if digits else _noise(asked.windows)
    options = Options() if digits else Options(max_tokens=asked.tokens)
    steps = _step_ms(folder)
    recogniser = load_model(find_model(str(folder)))
    scheduler = recogniser.scheduler()
    _through(scheduler, windows[:1], Options(max_tokens=1), at_once=1)  # everything is warm
    single = _through(scheduler, windows[: asked.single or asked.windows], options, at_once=1)
    at_once = recogniser.capabilities.concurrency
    company = _through(scheduler, windows, options, at_once)
    scheduler.stop(60)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"longest steps, ms (goal {LIMIT_MS}): {steps}; peak memory {peak:.2f} GB")
    return [
        _row(f"{asked.shape}: one by one", single, single),
        _row(f"{asked.shape}: {at_once} at once", company, single),
    ]


def _row(what: str, took: Took, single: Took) -> Row:
    figure = f"{took.seconds:.1f} s for {took.windows} windows, {took.tokens} tokens"
    return Row(f"{what}: RTF {took.rtf:.3f}", figure, f"{took.rtf / single.rtf:.2f} of one by one")


def _through(scheduler: Scheduler, windows: list[bytes], options: Options, at_once: int) -> Took:
    """Give the scheduler so many windows, then the next as one ends, as the pipeline does."""
    ends: Queue[Exception | None] = Queue()
    said: list[Event] = []
    began = time.perf_counter()
    for number, window in enumerate(windows):
        if number >= at_once and (error := ends.get()):
            raise error
        scheduler.add(WindowRequest(window, options, said.append, ends.put))
    for _ in windows[-at_once:]:
        if error := ends.get():
            raise error
    seconds = time.perf_counter() - began
    return Took(len(windows), seconds, sum(e.tokens for e in said if isinstance(e, Done)))


def _step_ms(folder: Path) -> dict[str, float]:
    """The longest single step of an opening, and of a token of eight windows."""
    model = Voxtral.load(folder)
    sound = np.frombuffer(_noise(1)[0], "<i2").astype(np.float32) / 32768
    hearing: DecodingState = model.new_decoding(sound, max_tokens=8)
    cache = model.new_cache(8, hearing.max_positions)
    slots = [cache.allocate() for _ in range(8)]
    for again in (False, True):  # the first is cold
        if again:
            cache.free(slots[0])
            cache.allocate()
        opening = _laps(model.encode_and_prefill(cache, slots[0], hearing))
    found = {"opening, first": opening[0], "opening, longest": max(opening)}
    for slot in slots[1:]:
        cache.advance([slot], cache.lengths[slots[0]])
    tokens = [_laps(model.step(cache, slots, [1] * 8)) for _ in range(3)]
    found["token of 8, whole"] = min(map(sum, tokens))
    found["token of 8, longest layer"] = min(map(max, tokens))
    return {what: round(1000 * seconds, 1) for what, seconds in found.items()}


def _laps(steps: Resumable[object]) -> list[float]:
    laps, going = [], True
    while going:
        began = time.perf_counter()
        going = next(steps, True) is None  # the result's step ends the generator: True
        laps.append(time.perf_counter() - began)
    return laps


def _noise(windows: int) -> list[bytes]:
    dice = np.random.default_rng(0)
    return [
        dice.integers(-3000, 3000, SECONDS * RATE).astype("<i2").tobytes() for _ in range(windows)
    ]


def _spoken(windows: int) -> list[bytes]:
    """Strings of eight digits of one speaker, each with silence to 30 s behind it."""
    rng = random.Random(10)  # noqa: S311 (nothing secret is drawn)
    folder = Path(os.environ.get("VOXGATE_AUDIO", "")) / "digits"
    speakers = sorted(path for path in folder.glob("*") if path.is_dir())
    if not speakers:
        sys.exit("VOXGATE_AUDIO names no folder with recordings of digits. Set it.")
    found = []
    for _ in range(windows):
        takes = rng.choices(sorted(rng.choice(speakers).glob("*.wav")), k=8)
        sound = np.concatenate([part for take in takes for part in (np.zeros(3200), _read(take))])
        found.append(np.pad(sound, (0, SECONDS * RATE - len(sound))).astype("<i2").tobytes())
    return found


def _read(take: Path) -> np.ndarray:
    """PCM16 at 16 kHz of a recording at 8 kHz."""
    with wave.open(str(take), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    return np.asarray(soxr.resample(samples, RATE // 2, RATE)).clip(-32768, 32767)


if __name__ == "__main__":
    main()
