"""Voxtral Mini at each level of instructions that this processor has, one after the other.

    VOXGATE_AUDIO=FOLDER python -m benchmarks.levels [--profile fast] [--tokens 16] [--rows]

Each level is forced with `VOXGATE_KERNELS`; `off` is PyTorch alone. The figures are those of
`voxgate bench engine` on zeros in Mini's shape, each beside the floor at its level. The text is
what the checkpoint of the tests hears in a minute of real spoken digits: where two levels differ in
it, the exit status is 1. `--rows` prints the table as markdown.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from tests.spoken_digits import CHECKPOINT, FILES, joined, phrase, takes

from benchmarks.processor_row import bench_engine, format_run, markdown_row
from voxgate.benchmarking import synthetic
from voxgate.hardware import native_kernels
from voxgate.hardware.level import KERNELS_VARIABLE, OFF
from voxgate.voxtral.quantization.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADINGS = ("kernels", "encode", "prompt", "token", "real-time factor (x its floor)", "text")
SEED, ROUNDS, DIGITS = 4, 2, 6  # of the recording: phrases of each speaker, digits of a phrase
PAUSE_S = 4.0  # ends a window: the checkpoint counts to eight in one


@dataclass(frozen=True)
class LevelResult:
    """What was measured and heard at a level."""

    kernels: str
    run: dict[str, Any]
    text: str

    def cells(self, expected: str) -> tuple[str, ...]:
        """Return the row, with whether the text is the expected one."""
        run = self.run
        times = (f"{run['encode_s']:.2f} s", f"{run['prefill_s']:.2f} s")
        same = "the same" if self.text == expected else "ANOTHER"
        return (self.kernels, *times, f"{run['ms_per_token']:.1f} ms", format_run(run), same)


def main() -> None:
    """Measure every level and print the table. The exit status is 1 where texts differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.levels", description=__doc__)
    parser.add_argument("--profile", choices=PROFILES, default="fast")
    parser.add_argument("--tokens", type=int, default=16, help="number of steps that are timed")
    parser.add_argument("--rows", action="store_true", help="print the table as markdown")
    arguments = parser.parse_args()
    if not (Path(os.environ.get("VOXGATE_AUDIO") or "nowhere") / "digits").is_dir():
        parser.error("VOXGATE_AUDIO names no folder with recordings of digits. Set it.")
    with tempfile.TemporaryDirectory() as scratch:
        results = _measure_all(Path(scratch), arguments.profile, arguments.tokens)
    expected = results[0].text
    _print([result.cells(expected) for result in results], markdown=arguments.rows)
    texts = {result.text for result in results}
    if len(texts) > 1:
        sys.exit("The levels hear different texts:\n" + "\n".join(sorted(texts)))
    print(f"heard at every level: {expected}")


def _measure_all(scratch: Path, profile: str, tokens: int) -> list[LevelResult]:
    mini, digits = scratch / "mini", scratch / "digits"
    synthetic.write_synthetic(mini)
    digits.mkdir()
    for file in FILES:
        shutil.copy(CHECKPOINT / file.name, digits)
    sound = _recording(scratch / "digits.wav")
    results = []
    for kernels in (OFF, *native_kernels.levels()):
        environment = os.environ | {
            "VOXGATE_HOME": str(scratch / "home"),
            KERNELS_VARIABLE: kernels,
            "VOXGATE_PROFILE": profile,
        }
        print(f"{kernels}: measuring", file=sys.stderr)
        options = ("--profile", profile, "--windows", "1", "--tokens", str(tokens))
        found = bench_engine(mini, *options, environment=environment)
        if found["machine"]["kernels"] != kernels:
            sys.exit(f"With {KERNELS_VARIABLE}={kernels} were used: {found['machine']['kernels']}")
        (run,) = found["runs"]
        results.append(LevelResult(kernels, run, _transcribe(sound, digits, environment)))
    return results


def _recording(path: Path) -> Path:
    """Write phrases of every speaker, spoken in takes that the checkpoint was not trained on."""
    draw = random.Random(SEED)  # noqa: S311 (nothing secret is drawn)
    speakers = list(takes().values()) * ROUNDS
    phrases = [phrase(draw, speaker, DIGITS) for speaker in speakers]
    return joined(phrases, [PAUSE_S] * len(phrases)).save(path)


def _transcribe(sound: Path, checkpoint: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "voxgate", "transcribe", str(sound), "-m", str(checkpoint)]
    done = subprocess.run(
        [*command, "-f", "txt"], check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return " ".join(done.stdout.split())


def _print(rows: Sequence[tuple[str, ...]], *, markdown: bool) -> None:
    if markdown:
        print("\n".join(markdown_row(*row) for row in (HEADINGS, ["---"] * len(HEADINGS), *rows)))
        return
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row)
    Console(width=118).print(table)


if __name__ == "__main__":
    main()
