"""Draft decoding: what a Whisper's words save on recordings, and what passes cost at full shape.

    python -m benchmarks.drafts [--shape mini] [--profile balanced] [--phrases 20]

The first table needs recordings of digits (`VOXGATE_AUDIO`). The tests' checkpoint writes them with
drafts of three kinds. A Whisper mostly writes numerals, which are other tokens. With the text of
the phrase before as its prompt, as the pipeline gives it to later windows, it writes words. The
third kind is the checkpoint's own text, the most that a draft can save.

The second table is about weights of zeros in a published shape, whose products take as long as any.
It needs as much memory as the profile, and writes the quantized weights to the temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import torch
from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes

from benchmarks.table import Row, median_s, show
from voxgate.benchmarking.synthetic import DECODERS, write_synthetic
from voxgate.engine.decode_batch import checked_counts
from voxgate.engine.queue import WindowRequest
from voxgate.engine.voxtral_backend import VoxtralBackend
from voxgate.models.catalogue import VOXTRAL_CAPABILITIES
from voxgate.pipeline.session import Session
from voxgate.settings import LEAST_CONTEXT_TOKENS, Settings
from voxgate.transcript.values import Done, Event, Options, Segment
from voxgate.voxtral.draft_trial import PassCosts
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.resumable import run_to_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.engine.batch_scheduler import BatchScheduler
    from voxgate.voxtral.quantization.profiles import Profile

DRAFTER = "openai/whisper-base"
DIGITS = 8  # of a phrase
POSITIONS = 450  # held by a slot: a window's prompt and half of its text
ROWS = (1, 2, 4, 8, 16)
RUNS = 5
AGREEMENTS = (0.6, 0.8, 0.95)


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drafts", description=__doc__)
    parser.add_argument("--shape", choices=tuple(DECODERS), default="mini")
    parser.add_argument("--profile", choices=("balanced", "fast"), action="append")
    parser.add_argument("--phrases", type=int, default=20, help="of digits; 0 leaves them out")
    arguments = parser.parse_args()
    profiles = arguments.profile or ["balanced", "fast"]
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        if arguments.phrases:
            show(digit_rows(Path(scratch), arguments.phrases))
        write_synthetic(Path(scratch) / arguments.shape, arguments.shape)
        for profile in profiles:
            show(pass_rows(Path(scratch) / arguments.shape, profile))


@dataclass(frozen=True)
class Decoded:
    """What the engine did for some windows, one after another."""

    texts: tuple[str, ...]
    seconds: float
    tokens: int
    passes: int
    checked: int  # tokens of drafts
    right: int


def digit_rows(scratch: Path, phrases: int) -> list[Row]:
    """Return the rows of phrases of digits, without drafts and with each kind."""
    if not os.environ.get("VOXGATE_AUDIO"):
        sys.exit("VOXGATE_AUDIO names no folder with recordings of digits. Set it.")
    rng = random.Random(7)  # noqa: S311 (nothing secret is drawn)
    speakers = list(takes().values())
    spoken = [phrase(rng, speakers[n % len(speakers)], DIGITS) for n in range(phrases)]
    folder = shutil.copytree(CHECKPOINT, scratch / "digits")
    scheduler = _scheduler(folder)
    _decode(scheduler, spoken[:1], [spoken[0].text])  # warm up, and try what passes cost
    plain = _decode(scheduler, spoken, [""] * phrases)
    heard, hearing_s = asyncio.run(_hear(scratch, spoken, [""] * phrases))
    prompted, _ = asyncio.run(_hear(scratch, spoken, ["", *plain.texts[:-1]]))
    kinds = {
        "as a Whisper writes it": heard,
        "the same, with the text before as its prompt": prompted,
        "the checkpoint's own text": plain.texts,
    }
    rows = [_digit_row("without a draft", plain, plain)]
    rows += [
        _digit_row(kind, _decode(scheduler, spoken, drafts), plain)
        for kind, drafts in kinds.items()
    ]
    scheduler.stop(60)
    print(f"{DRAFTER} heard {phrases} phrases in {hearing_s:.1f} s, the first: {heard[0]!r}")
    return rows


async def _hear(
    scratch: Path, spoken: Sequence[Spoken], prompts: Sequence[str]
) -> tuple[list[str], float]:
    """Return what the draft model writes of each phrase, and the seconds of all but the first."""
    texts, start_s = list[str](), 0.0
    async with Session(Settings.read()) as session:
        for each, prompt in zip(spoken, prompts, strict=True):
            path, options = each.save(scratch / "phrase.wav"), Options(prompt=prompt)
            heard = await session.transcribe(path, model=DRAFTER, options=options, times=False)
            texts.append(heard.text)
            start_s = start_s or time.perf_counter()  # the first has the start of the engine
    return texts, time.perf_counter() - start_s


def _scheduler(folder: Path) -> BatchScheduler:
    model = Voxtral.load(folder, "balanced")
    return VoxtralBackend("digits", VOXTRAL_CAPABILITIES, model, LEAST_CONTEXT_TOKENS).scheduler()


def _decode(scheduler: BatchScheduler, spoken: Sequence[Spoken], drafts: Sequence[str]) -> Decoded:
    """Transcribe windows one after another."""
    before, texts, tokens = scheduler.fill, list[str](), 0
    start_s = time.perf_counter()
    for each, draft in zip(spoken, drafts, strict=True):
        pcm16 = (each.at_16_khz() * 32768).clip(-32768, 32767).astype("<i2").tobytes()
        events, ended = list[Event](), Queue[Exception | None]()
        scheduler.add(WindowRequest(pcm16, Options(draft=draft), events.append, ended.put))
        if error := ended.get():
            raise error
        texts.append(" ".join(event.text for event in events if isinstance(event, Segment)))
        tokens += sum(event.tokens for event in events if isinstance(event, Done))
    seconds, after = time.perf_counter() - start_s, scheduler.fill
    return Decoded(
        tuple(texts), seconds, tokens,
        after.steps - before.steps,
        after.proposed - before.proposed,
        after.accepted - before.accepted,
    )  # fmt: skip


def _digit_row(kind: str, decoded: Decoded, plain: Decoded) -> Row:
    if decoded.texts != plain.texts:
        raise ValueError(f"a draft changed a text: {kind}")
    per_pass = decoded.tokens / decoded.passes
    return Row(
        f"digits, {kind}",
        f"{decoded.tokens} tokens in {decoded.passes} passes, {per_pass:.2f} a pass; "
        f"{decoded.right} of {decoded.checked} tokens of drafts were right",
        f"{decoded.seconds:.2f} s, prompts and encoder included ({plain.seconds:.2f} without)",
    )


def pass_rows(folder: Path, profile: Profile) -> list[Row]:
    """Return what passes of several rows cost, and what that gives at some agreements."""
    model = Voxtral.load(folder, profile)
    trial = run_to_end(model.draft_trial())
    print(f"{profile}: {trial.sentence}")
    _pass_s(model, 1)  # warm up
    costs = PassCosts({rows: _pass_s(model, rows) for rows in ROWS})
    one_s = costs.of(1)
    rows = [
        Row(
            f"{profile}: a pass of {count} tokens",
            f"{1000 * costs.of(count):.1f} ms, {costs.of(count) / one_s:.2f} of one",
            f"{trial.costs.of(count) / trial.costs.of(1):.2f} by the engine's trial"
            if trial.costs
            else "",
        )
        for count in ROWS
    ]
    for agreement in AGREEMENTS:
        (count,) = checked_counts([agreement], [max(ROWS) - 1], costs)
        tokens = sum(agreement**number for number in range(count + 1))
        gain = tokens * one_s / costs.of(1 + count)
        rows.append(
            Row(
                f"{profile}: predicted for one window where {agreement:.0%} of a draft is right",
                f"{gain:.2f} times as many tokens a second",
                f"{tokens:.1f} tokens a pass, which checks {count}",
            )
        )
    return rows


@torch.inference_mode()
def _pass_s(model: Voxtral, rows: int) -> float:
    """Return the median seconds of a pass of so many tokens of one slot."""
    cache = model.new_cache(1, POSITIONS + rows)
    slot = cache.allocate()
    cache.advance([slot], POSITIONS)
    return median_s(lambda: run_to_end(model.check(cache, {slot: [1] * rows})), RUNS)


if __name__ == "__main__":
    main()
