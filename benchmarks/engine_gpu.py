"""Voxtral on a GPU, compared with transformers in the same run.

    python -m benchmarks.engine_gpu [--shape mini] [--tokens 100] [--json]

First, parity on the device with the small digits checkpoint: logits and greedy ids against those of
transformers, CUDA graphs against eager steps. Then the full size with random weights (Mini: 9.4 GB
on disk) in bfloat16: loading, encoding, prompts, tokens in batches, memory. It takes a few minutes.
`--device cpu --shape digits` runs the same code on a CPU, without graphs. `make .venv/bench`
installs the requirements; for a GPU, set TORCH= to a CUDA build.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from benchmarks import full_shape
from benchmarks.gpu_engines import PEER_CALL, Engine, Ours, Peer
from benchmarks.gpu_parity import CHECKPOINT, Parity, measure_parity
from benchmarks.table import Row, show
from voxgate.benchmarking.window import synthetic_sound
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.features import CHUNK_S, log_mel, prepare_samples
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DRIVER = Path("/proc/driver/nvidia/version")
DTYPE = torch.bfloat16


@dataclass
class Figures:
    """The timings of one engine in seconds, by number of windows or batch size."""

    load: float = 0.0
    encode: dict[int, float] = field(default_factory=dict)
    prefill: float = 0.0
    step: dict[int, float] = field(default_factory=dict)
    whole: dict[int, float] = field(default_factory=dict)
    peak_bytes: int = 0  # of the device; 0 on a CPU


def main() -> int:
    """Measure and print. Return 2 if there is no GPU."""
    arguments = _parse_arguments()
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "PyTorch finds no GPU that it can use, so nothing was measured. "
            "`--device cpu --shape digits` runs the same code on the CPU.",
            file=sys.stderr,
        )
        return 2
    print(machine(device))
    with tempfile.TemporaryDirectory() as scratch:
        folder = _checkpoint(arguments, device, Path(scratch))
        parity = [*measure_parity(device)]
        inputs = _peer_inputs(folder)
        measure = partial(measure_engine, device, arguments.tokens, arguments.batches)
        load_ours = partial(Ours, folder, device, DTYPE, arguments.tokens)
        ours = measure(arguments.windows, partial(load_ours, graphs=True))
        eager = measure([], partial(load_ours, graphs=False))
        peer = measure(arguments.windows, partial(Peer, folder, device, DTYPE, *inputs))
    call = PEER_CALL.format(folder=folder.name, dtype=DTYPE, device=device, tokens=arguments.tokens)
    print(f"peer: {call}")
    show([*map(_parity_row, parity), *_rows(ours, eager, peer, arguments.tokens)])
    if arguments.json:
        sides = {"ours": asdict(ours), "eager": asdict(eager), "transformers": asdict(peer)}
        facts = {"machine": machine(device), "shape": arguments.shape, "tokens": arguments.tokens}
        print(json.dumps(facts | {"parity": [asdict(each) for each in parity]} | sides))
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--shape", choices=("digits", *full_shape.DECODERS), default="mini")
    parser.add_argument("--tokens", type=int, default=100, help="tokens of each window")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument(
        "--folder", type=Path, help="directory of the checkpoint, written if missing"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the figures as JSON on the last line"
    )
    return parser.parse_args()


def machine(device: torch.device) -> str:
    """Return the GPU, its driver, and the versions of PyTorch and CUDA."""
    if device.type == "cpu":
        return f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}"
    gpu = torch.cuda.get_device_properties(device)
    driver = DRIVER.read_text().splitlines()[0] if DRIVER.exists() else "driver unknown"
    return (
        f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB, torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, {driver}"
    )


def _checkpoint(arguments: argparse.Namespace, device: torch.device, scratch: Path) -> Path:
    if arguments.shape == "digits":
        return CHECKPOINT
    folder: Path = arguments.folder or scratch / "voxtral"
    if not (folder / "config.json").exists():
        began = time.perf_counter()
        size = full_shape.write(folder, arguments.shape, device=device)
        print(f"{size / 1e9:.1f} GB of weights written in {time.perf_counter() - began:.0f} s")
    return folder


def _peer_inputs(folder: Path) -> tuple[list[int], torch.Tensor]:
    """Return the prompt and the features of a window for the peer."""
    files = open_directory(folder)
    prompt = transcription_prompt(Tokenizer.open(files.tokenizer), 1)
    return prompt, log_mel(prepare_samples(synthetic_sound()), files.config.encoder.mels)


def measure_engine(
    device: torch.device,
    tokens: int,
    batches: list[int],
    windows: list[int],
    load: Callable[[], Engine],
) -> Figures:
    """Load one engine, measure it, and free it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    figures, began = Figures(), time.perf_counter()
    engine = load()
    figures.load = time.perf_counter() - began
    figures.encode = {count: engine.encode(count) for count in windows}
    figures.prefill = engine.prefill()
    for batch in batches:
        figures.step[batch] = engine.step(batch, tokens)
        if windows:
            figures.whole[batch] = engine.whole(batch, tokens)
    if device.type == "cuda":
        figures.peak_bytes = torch.cuda.max_memory_allocated(device)
    del engine
    gc.collect()
    return figures


def _parity_row(parity: Parity) -> Row:
    steps = "equal" if parity.steps_are_equal else "NOT EQUAL"
    return Row(
        f"parity in {parity.dtype}: largest difference of logits",
        f"{parity.largest:.2g} (mean {parity.mean:.2g}, standard deviation {parity.spread:.2g})",
        f"{parity.same_ids} of {parity.ids} greedy ids the same",
        f"graphs and eager steps: {steps}",
    )


def _rows(ours: Figures, eager: Figures, peer: Figures, tokens: int) -> Iterator[Row]:
    def ms(seconds: float) -> str:
        return f"{1000 * seconds:.2f} ms"

    yield Row("load, file cache warm", f"{ours.load:.1f} s", f"{peer.load:.1f} s")
    for windows, seconds in ours.encode.items():
        yield Row(f"encode {windows} x {CHUNK_S} s", ms(seconds), ms(peer.encode[windows]))
    yield Row("prompt of one window", ms(ours.prefill), ms(peer.prefill))
    for batch, seconds in ours.step.items():
        figure = f"{ms(seconds)} (without graphs {ms(eager.step[batch])})"
        yield Row(f"one token of each of {batch}", figure, ms(peer.step[batch]))
    for batch, seconds in ours.whole.items():
        label = f"{batch} x {CHUNK_S} s, {tokens} tokens each: RTF, x real time (ours: its parts)"
        yield Row(label, _speed(batch, seconds), _speed(batch, peer.whole[batch]))
    peaks = (f"{each.peak_bytes / 1e9:.2f} GB" for each in (ours, peer))
    yield Row("peak memory of the device", *(peaks if ours.peak_bytes else ("", "")))


def _speed(batch: int, seconds: float) -> str:
    audio_s = batch * CHUNK_S
    return f"{seconds / audio_s:.4f}, {audio_s / seconds:.0f} x"


if __name__ == "__main__":
    sys.exit(main())
