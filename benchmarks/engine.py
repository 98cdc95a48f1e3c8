"""The model itself at full shape, beside transformers in the same run.

    python -m benchmarks.engine [--shape mini] [--tokens 12] [--profile balanced] [--dtype auto]

Makes a checkpoint of random weights (Mini: 9.4 GB on disk), loads it, and takes 30 s of sound
through encoder, prompt and N tokens. Each engine runs in a process of its own, one after the other,
so that its peak memory is its own. Random weights say nothing sensible, and just as fast.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import full_shape
from benchmarks.table import Row, show
from voxgate.voxtral.profiles import PROFILES, named

SECONDS = 30
TOKENS = 100  # of a window, which the real-time factor is stated for: fluent speech
RATE = 16_000


@dataclass(frozen=True)
class Figures:
    """What one engine took."""

    dtype: str
    load_s: float
    encode_s: float
    prefill_s: float
    ms_per_token: float  # median
    peak_bytes: int

    @property
    def rtf(self) -> float:
        """Processing time over sound, for a window of `TOKENS` tokens; loading is not counted."""
        return (self.encode_s + self.prefill_s + TOKENS * self.ms_per_token / 1000) / SECONDS


def main() -> None:
    """Measure both engines and print the table, or, as a child, measure one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--shape", choices=full_shape.DECODERS, default="mini")
    parser.add_argument("--tokens", type=int, default=12, help="decode steps that are measured")
    parser.add_argument("--profile", choices=(*PROFILES, "all"), default="exact")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--only", choices=("voxgate", "transformers"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where the checkpoint lies or is to be kept")
    asked = parser.parse_args()
    if asked.only:
        measure = _voxgate if asked.only == "voxgate" else _transformers
        figures = measure(asked.folder, asked.tokens, asked.dtype, asked.profile)
        print(json.dumps(asdict(figures)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.folder or Path(scratch) / "voxtral"
        if not (folder / "config.json").exists():
            began = time.perf_counter()
            size = full_shape.write(folder, asked.shape)
            print(f"{size / 1e9:.1f} GB of weights written in {time.perf_counter() - began:.0f} s")
        profiles: list[str] = [*PROFILES] if asked.profile == "all" else [asked.profile]
        ours = {each: _ours(folder, asked.tokens, asked.dtype, each) for each in profiles}
        wanted = asked.dtype if asked.dtype != "auto" else "bfloat16"
        peer = _child("transformers", folder, asked.tokens, wanted, "exact")
    threads = torch.get_num_threads()
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, {peer.dtype}")
    print("peer: VoxtralForConditionalGeneration.from_pretrained(folder, dtype), greedy, cached")
    show(row for name, figures in ours.items() for row in _rows(figures, peer, name))


def _ours(folder: Path, tokens: int, dtype: str, profile: str) -> Figures:
    """The second start of a profile: at the first its weights are quantised, which is said."""
    if profile != "exact":
        began = time.perf_counter()
        _child("voxgate", folder, 1, dtype, profile)
        print(f"{profile}: first start and a window in {time.perf_counter() - began:.0f} s")
    return _child("voxgate", folder, tokens, dtype, profile)


def _child(engine: str, folder: Path, tokens: int, dtype: str, profile: str) -> Figures:
    command = [sys.executable, "-m", "benchmarks.engine", "--only", engine]
    command += ["--folder", str(folder), "--tokens", str(tokens), "--dtype", dtype]
    command += ["--profile", profile]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def _rows(ours: Figures, peer: Figures, profile: str) -> list[Row]:
    def row(what: str, figure: str, mine: float, theirs: float) -> Row:
        ratio = f"  ({theirs / mine:.2f} times ours)"
        return Row(f"{profile}: {what}", figure.format(mine), figure.format(theirs) + ratio)

    return [
        row("load, file cache warm", "{:.1f} s", ours.load_s, peer.load_s),
        row(f"encode {SECONDS} s of sound", "{:.2f} s", ours.encode_s, peer.encode_s),
        row("prefill of its prompt", "{:.2f} s", ours.prefill_s, peer.prefill_s),
        row("each token", "{:.1f} ms", ours.ms_per_token, peer.ms_per_token),
        row(f"real-time factor with {TOKENS} tokens", "{:.2f}", ours.rtf, peer.rtf),
        row("peak memory", "{:.2f} GB", ours.peak_bytes / 1e9, peer.peak_bytes / 1e9),
    ]


def _voxgate(folder: Path, tokens: int, dtype: str, profile: str) -> Figures:
    from voxgate.voxtral.model import Voxtral  # noqa: PLC0415 (only this child's memory)
    from voxgate.voxtral.prompt import transcription  # noqa: PLC0415

    wanted = None if dtype == "auto" else getattr(torch, dtype)
    watch = _Watch()
    model = Voxtral.load(folder, named(profile), dtype=wanted)
    load_s = watch.lap()
    (audio,) = model.encode([_sound()])
    encode_s = watch.lap()
    prompt = transcription(model.tokenizer, 1)
    cache = model.cache(slots=1, capacity=len(prompt) + tokens)
    slot = cache.take()
    logits = model.prefill(cache, slot, prompt, audio)
    prefill_s = watch.lap()
    laps = []
    for _ in range(tokens):
        logits = model.step(cache, [slot], [int(logits.argmax())])[0]
        laps.append(watch.lap())
    return _figures(str(model.dtype), load_s, encode_s, prefill_s, laps)


@torch.inference_mode()
def _transformers(folder: Path, tokens: int, dtype: str, _profile: str) -> Figures:
    from transformers import (  # noqa: PLC0415 (only this child's memory)
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    from voxgate.voxtral.prompt import transcription  # noqa: PLC0415
    from voxgate.voxtral.tokenizer import Tokenizer  # noqa: PLC0415

    ids = torch.tensor([transcription(Tokenizer.open(folder / "tekken.json"), 1)])
    watch = _Watch()
    model: Any = VoxtralForConditionalGeneration.from_pretrained(
        folder, dtype=getattr(torch, dtype)
    )
    load_s = watch.lap()
    extractor: Any = WhisperFeatureExtractor  # without types
    features = extractor(feature_size=128)(
        _sound().numpy(), sampling_rate=RATE, return_tensors="pt"
    ).input_features
    audio = model.get_audio_features(features.to(model.dtype)).pooler_output
    encode_s = watch.lap()
    embeddings = model.get_input_embeddings()(ids)
    embeddings[ids == model.config.audio_token_id] = audio.reshape(-1, audio.shape[-1])
    out = model(inputs_embeds=embeddings, use_cache=True, logits_to_keep=1)
    prefill_s = watch.lap()
    laps = []
    for _ in range(tokens):
        token = out.logits[:, -1:].argmax(-1)
        out = model(input_ids=token, past_key_values=out.past_key_values, use_cache=True)
        laps.append(watch.lap())
    return _figures(str(model.dtype), load_s, encode_s, prefill_s, laps)


class _Watch:
    def __init__(self) -> None:
        self._began = time.perf_counter()

    def lap(self) -> float:
        """Seconds since the last lap."""
        now = time.perf_counter()
        took, self._began = now - self._began, now
        return took


def _figures(
    dtype: str, load_s: float, encode_s: float, prefill_s: float, laps: list[float]
) -> Figures:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    median_ms = 1000 * sorted(laps)[len(laps) // 2]
    return Figures(dtype.removeprefix("torch."), load_s, encode_s, prefill_s, median_ms, peak)


def _sound() -> torch.Tensor:
    """30 s of a rising tone with noise, [480 000] float32."""
    time_s = torch.arange(SECONDS * RATE) / RATE
    noise = torch.randn(len(time_s), generator=torch.Generator().manual_seed(0))
    return 0.3 * torch.sin(2 * torch.pi * (100 + 60 * time_s) * time_s) + 0.01 * noise


if __name__ == "__main__":
    main()
