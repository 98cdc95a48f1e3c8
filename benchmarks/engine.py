"""The model at full size, compared with transformers in the same run.

    python -m benchmarks.engine [--shape mini] [--tokens 12] [--profile balanced] [--dtype auto]

Writes a checkpoint of random weights (Mini: 9.4 GB on disk), loads it, and runs 30 s of audio
through encoder, prompt and N tokens. Each engine runs in its own process, one after the other, so
that peak memory is measured separately. The text of random weights is meaningless, the speed is
not.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import torch

from benchmarks import full_shape
from benchmarks.table import Row, show
from voxgate.benchmarking.window import (
    BENCH_TOKENS,
    Stopwatch,
    WindowTimings,
    measure_windows,
    synthetic_sound,
    window_timings,
)
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE
from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.quantization.profiles import PROFILES, Profile, parse_profile
from voxgate.voxtral.quantization.weight_cache import cache_paths

PEER_FLOAT32_BYTES = 23e9  # of transformers with Mini in float32, at its peak

Clock: TypeAlias = Callable[[], float]


def main() -> None:
    """Measure both engines and print the table; in a child process, measure one."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--shape", choices=full_shape.DECODERS, default="mini")
    parser.add_argument("--tokens", type=int, default=12, help="number of decode steps")
    parser.add_argument("--profile", choices=(*PROFILES, "all"), default="exact")
    parser.add_argument("--dtype", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument(
        "--one-thread",
        action="store_true",
        help="one thread, and its CPU time instead of wall time: for a busy machine",
    )
    parser.add_argument("--only", choices=("voxgate", "transformers"), help=argparse.SUPPRESS)
    parser.add_argument(
        "--folder", type=Path, help="directory of the checkpoint, written if missing"
    )
    arguments = parser.parse_args()
    if arguments.only:
        measure = _measure_voxgate if arguments.only == "voxgate" else _measure_transformers
        if arguments.one_thread:
            torch.set_num_threads(1)
        timings = measure(
            arguments.folder,
            arguments.tokens,
            arguments.dtype,
            arguments.profile,
            _clock(arguments.one_thread),
        )
        print(json.dumps(asdict(timings)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "voxtral"
        if not (folder / "config.json").exists():
            began = time.perf_counter()
            size = full_shape.write(folder, arguments.shape)
            print(f"{size / 1e9:.1f} GB of weights written in {time.perf_counter() - began:.0f} s")
        profiles: list[Profile] = [*PROFILES] if arguments.profile == "all" else [arguments.profile]
        one_thread, tokens, dtype = arguments.one_thread, arguments.tokens, arguments.dtype
        ours = {
            profile: measure_profile(folder, profile, tokens, dtype, one_thread=one_thread)
            for profile in profiles
        }
        peer = measure_transformers(
            folder, tokens, peer_dtype() if dtype == "auto" else dtype, one_thread=one_thread
        )
    threads = "1 thread, CPU time" if one_thread else f"{torch.get_num_threads()} threads"
    print(f"{platform.machine()}, {threads}, torch {torch.__version__}, {peer.dtype}")
    print("peer: VoxtralForConditionalGeneration.from_pretrained(folder, dtype), greedy, cached")
    show(row for profile, timings in ours.items() for row in _rows(timings, peer, profile))


def measure_profile(
    folder: Path, profile: Profile, tokens: int, dtype: str = "auto", *, one_thread: bool = False
) -> WindowTimings:
    """Measure Voxgate with quantized weights in the cache; a first run creates them if missing."""
    if profile != "exact" and not any(
        path.file.exists() for path in cache_paths(open_directory(folder), profile)
    ):
        began = time.perf_counter()
        _run(command("voxgate", folder, 1, profile, dtype, one_thread=one_thread))
        print(f"{profile}: first start and a window in {time.perf_counter() - began:.0f} s")
    return _run(command("voxgate", folder, tokens, profile, dtype, one_thread=one_thread))


def peer_dtype() -> str:
    """Return the type in which transformers is fastest here.

    That is bfloat16 where the processor computes in it, or where float32 does not fit.
    """
    native = onednn.many_rows_dtype() is torch.bfloat16
    return "bfloat16" if native or free_bytes() < PEER_FLOAT32_BYTES else "float32"


def measure_transformers(
    folder: Path, tokens: int, dtype: str = "bfloat16", *, one_thread: bool = False
) -> WindowTimings:
    """Measure transformers."""
    return _run(command("transformers", folder, tokens, "exact", dtype, one_thread=one_thread))


def _clock(one_thread: bool) -> Clock:
    return time.thread_time if one_thread else time.perf_counter


def command(
    engine: str,
    folder: Path,
    tokens: int,
    profile: str,
    dtype: str = "auto",
    *,
    one_thread: bool = False,
) -> list[str]:
    """Return the command that measures an engine in its own process."""
    call = [sys.executable, "-m", "benchmarks.engine", "--only", engine]
    call += ["--folder", str(folder), "--tokens", str(tokens), "--dtype", dtype]
    return [*call, "--profile", profile, *(["--one-thread"] if one_thread else [])]


def _run(call: list[str]) -> WindowTimings:
    done = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True)
    return WindowTimings(**json.loads(done.stdout.splitlines()[-1]))


def _rows(ours: WindowTimings, peer: WindowTimings, profile: str) -> list[Row]:
    def row(label: str, template: str, mine: float, theirs: float) -> Row:
        ratio = f"  ({theirs / mine:.2f} times ours)"
        return Row(f"{profile}: {label}", template.format(mine), template.format(theirs) + ratio)

    return [
        row("load, file cache warm", "{:.1f} s", ours.load_s, peer.load_s),
        row(f"encode {CHUNK_S} s of audio", "{:.2f} s", ours.encode_s, peer.encode_s),
        row("prefill of its prompt", "{:.2f} s", ours.prefill_s, peer.prefill_s),
        row("each token", "{:.1f} ms", ours.ms_per_token, peer.ms_per_token),
        row(f"real-time factor with {BENCH_TOKENS} tokens", "{:.2f}", ours.rtf, peer.rtf),
        row("peak memory", "{:.2f} GB", ours.peak_rss_bytes / 1e9, peer.peak_rss_bytes / 1e9),
    ]


def _measure_voxgate(
    folder: Path, tokens: int, dtype: str, profile: str, clock: Clock
) -> WindowTimings:
    torch_dtype = None if dtype == "auto" else getattr(torch, dtype)
    (timings,) = measure_windows(
        str(folder), parse_profile(profile), tokens, dtype=torch_dtype, clock=clock
    )
    return timings


@torch.inference_mode()
def _measure_transformers(
    folder: Path, tokens: int, dtype: str, _profile: str, clock: Clock
) -> WindowTimings:
    from transformers import (  # noqa: PLC0415 (only in this child process's memory)
        VoxtralForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    from voxgate.voxtral.prompt import transcription_prompt  # noqa: PLC0415
    from voxgate.voxtral.tokenizer import Tokenizer  # noqa: PLC0415

    ids = torch.tensor([transcription_prompt(Tokenizer.open(folder / "tekken.json"), 1)])
    watch = Stopwatch(clock)
    model: Any = VoxtralForConditionalGeneration.from_pretrained(
        folder, dtype=getattr(torch, dtype)
    )
    load_s = watch.lap()
    extractor: Any = WhisperFeatureExtractor  # untyped
    features = extractor(feature_size=128)(
        synthetic_sound().numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt"
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
    return window_timings(str(model.dtype), load_s, encode_s, prefill_s, laps)


if __name__ == "__main__":
    main()
