"""Voxtral on a card, beside transformers in the same run.

    python -m benchmarks.engine_gpu [--shape mini] [--tokens 100] [--json]

First parity on the device, with the small checkpoint that hears digits: logits and greedy ids
against transformers', recorded steps against eager ones. Then the full shape with random weights
(Mini: 9.4 GB on disk), in bfloat16: loading, encoding, prompts, tokens in batches, memory. A few
minutes. `--device cpu --shape digits` takes the same way on a processor, with graphs off.
`make .venv/bench` installs what it needs; on a card with TORCH= a build for CUDA.
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
from benchmarks.gpu_parity import CHECKPOINT, Parity, parities
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
    """What one engine took; seconds, by windows or batch size."""

    load: float = 0.0
    encode: dict[int, float] = field(default_factory=dict)
    prefill: float = 0.0
    step: dict[int, float] = field(default_factory=dict)
    whole: dict[int, float] = field(default_factory=dict)
    peak_bytes: int = 0  # of the device; 0 on a processor


def main() -> int:
    """Measure and print. 2 where there is no card to measure."""
    asked = _asked()
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print(
            "There is no card here that PyTorch could use, so nothing was measured. "
            "`--device cpu --shape digits` runs the same code on the processor.",
            file=sys.stderr,
        )
        return 2
    print(machine(device))
    with tempfile.TemporaryDirectory() as scratch:
        folder = _checkpoint(asked, device, Path(scratch))
        found = [*parities(device)]
        given = _given(folder)
        measured = partial(figures, device, asked.tokens, asked.batches)
        on_card = partial(Ours, folder, device, DTYPE, asked.tokens)
        ours = measured(asked.windows, partial(on_card, graphs=True))
        eager = measured([], partial(on_card, graphs=False))
        peer = measured(asked.windows, partial(Peer, folder, device, DTYPE, *given))
    call = PEER_CALL.format(folder=folder.name, dtype=DTYPE, device=device, tokens=asked.tokens)
    print(f"peer: {call}")
    show([*map(_parity, found), *_rows(ours, eager, peer, asked.tokens)])
    if asked.json:
        sides = {"ours": asdict(ours), "eager": asdict(eager), "transformers": asdict(peer)}
        facts = {"machine": machine(device), "shape": asked.shape, "tokens": asked.tokens}
        print(json.dumps(facts | {"parity": [asdict(each) for each in found]} | sides))
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_gpu", description=__doc__)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N or cpu")
    parser.add_argument("--shape", choices=("digits", *full_shape.DECODERS), default="mini")
    parser.add_argument("--tokens", type=int, default=100, help="of each window")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--windows", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--folder", type=Path, help="where the checkpoint lies or is to be kept")
    parser.add_argument("--json", action="store_true", help="write the figures on the last line")
    return parser.parse_args()


def machine(device: torch.device) -> str:
    """The card, its driver, and the versions of PyTorch and CUDA."""
    if device.type == "cpu":
        return f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}"
    card = torch.cuda.get_device_properties(device)
    driver = DRIVER.read_text().splitlines()[0] if DRIVER.exists() else "driver unknown"
    return (
        f"{card.name}, {card.total_memory / 1e9:.0f} GB, torch {torch.__version__}, "
        f"CUDA {torch.version.cuda}, {driver}"
    )


def _checkpoint(asked: argparse.Namespace, device: torch.device, scratch: Path) -> Path:
    if asked.shape == "digits":
        return CHECKPOINT
    folder: Path = asked.folder or scratch / "voxtral"
    if not (folder / "config.json").exists():
        began = time.perf_counter()
        size = full_shape.write(folder, asked.shape, device=device)
        print(f"{size / 1e9:.1f} GB of weights written in {time.perf_counter() - began:.0f} s")
    return folder


def _given(folder: Path) -> tuple[list[int], torch.Tensor]:
    """The prompt and the features of a window, as the peer takes them."""
    files = open_directory(folder)
    prompt = transcription_prompt(Tokenizer.open(files.tokenizer), 1)
    return prompt, log_mel(prepare_samples(synthetic_sound()), files.config.encoder.mels)


def figures(
    device: torch.device,
    tokens: int,
    batches: list[int],
    windows: list[int],
    load: Callable[[], Engine],
) -> Figures:
    """Everything of one engine, which is gone again in the end."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    found, began = Figures(), time.perf_counter()
    engine = load()
    found.load = time.perf_counter() - began
    found.encode = {count: engine.encode(count) for count in windows}
    found.prefill = engine.prefill()
    for batch in batches:
        found.step[batch] = engine.step(batch, tokens)
        if windows:
            found.whole[batch] = engine.whole(batch, tokens)
    if device.type == "cuda":
        found.peak_bytes = torch.cuda.max_memory_allocated(device)
    del engine
    gc.collect()
    return found


def _parity(one: Parity) -> Row:
    steps = "equal" if one.steps_are_equal else "NOT EQUAL"
    return Row(
        f"parity in {one.dtype}: logits off by, at most",
        f"{one.largest:.2g} (mean {one.mean:.2g}, of a spread of {one.spread:.2g})",
        f"{one.same_ids} of {one.ids} greedy ids the same",
        f"recorded and eager steps: {steps}",
    )


def _rows(ours: Figures, eager: Figures, peer: Figures, tokens: int) -> Iterator[Row]:
    def ms(seconds: float) -> str:
        return f"{1000 * seconds:.2f} ms"

    yield Row("load, file cache warm", f"{ours.load:.1f} s", f"{peer.load:.1f} s")
    for windows, took in ours.encode.items():
        yield Row(f"encode {windows} x {CHUNK_S} s", ms(took), ms(peer.encode[windows]))
    yield Row("prompt of one window", ms(ours.prefill), ms(peer.prefill))
    for batch, took in ours.step.items():
        figure = f"{ms(took)} (without graphs {ms(eager.step[batch])})"
        yield Row(f"one token of each of {batch}", figure, ms(peer.step[batch]))
    for batch, took in ours.whole.items():
        what = f"{batch} x {CHUNK_S} s, {tokens} tokens each: RTF, x real time (ours: its parts)"
        yield Row(what, _speed(batch, took), _speed(batch, peer.whole[batch]))
    peaks = (f"{each.peak_bytes / 1e9:.2f} GB" for each in (ours, peer))
    yield Row("peak memory of the device", *(peaks if ours.peak_bytes else ("", "")))


def _speed(batch: int, seconds: float) -> str:
    sound_s = batch * CHUNK_S
    return f"{seconds / sound_s:.4f}, {sound_s / seconds:.0f} x"


if __name__ == "__main__":
    sys.exit(main())
