"""`voxgate doctor`: whether this machine can transcribe, and what mends it if not."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.exit_codes import FAILED
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import emit

if TYPE_CHECKING:
    from voxgate.cli.checks.check import Check

COLOURS = {"ok": typer.colors.GREEN, "note": typer.colors.YELLOW, "problem": typer.colors.RED}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Look at this machine and try everything once.

    What is installed, the processor, memory, disks and the graphics card, every model's health, and
    the whole path on a second of generated sound. Behind an arrow stands what mends it.

    Exits with 0 when everything that transcribing needs works, with 1 otherwise.
    """
    from voxgate.cli import signals
    from voxgate.cli.checks import still
    from voxgate.cli.smoke_test import run_smoke_test

    settings = apply_settings()
    checks = [*still(settings), *signals.run_until_signal(run_smoke_test(settings))]
    problems = sum(check.state == "problem" for check in checks)
    if as_json:
        emit(json.dumps([asdict(check) for check in checks], ensure_ascii=False, indent=2) + "\n")
    else:
        emit("".join(map(_lines, checks)) + f"\n{_verdict(problems)}\n")
    if problems:
        raise typer.Exit(FAILED)


def _lines(check: Check) -> str:
    line = f"{_coloured(f'{check.state:8}', check.state)} {check.name:16} {check.found}\n"
    return line + (f"{'':25} -> {check.mend}\n" if check.mend else "")


def _coloured(text: str, state: str) -> str:
    terminal = sys.stdout is not None and sys.stdout.isatty()
    wanted = terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return typer.style(text, fg=COLOURS[state]) if wanted else text


def _verdict(problems: int) -> str:
    if not problems:
        return "Everything works."
    return f"{problems} problem{'s' * (problems > 1)}: see above for what mends each."
