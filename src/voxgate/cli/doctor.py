"""`voxgate doctor`: check whether this machine can transcribe, and how to fix it if not."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.exit_codes import FAILED
from voxgate.cli.settings import apply_usable_settings
from voxgate.cli.streams import folded, write_json, write_output

if TYPE_CHECKING:
    from voxgate.cli.checks.check import Check

COLOURS = {"ok": typer.colors.GREEN, "note": typer.colors.YELLOW, "problem": typer.colors.RED}
STATE, NAME = 8, 16  # the width of their columns


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Check this machine, and transcribe a second of generated sound.

    Checks the installed packages, the processor, memory, disks, the GPU and every model. The
    command or setting that fixes a problem follows an arrow.

    Exits with 0 if everything that transcription needs works, with 1 otherwise.
    """
    from voxgate.cli import signals
    from voxgate.cli.checks import static_checks
    from voxgate.cli.smoke_test import run_smoke_test

    settings, faults = apply_usable_settings()
    checks = [*static_checks(settings, faults), *signals.run_until_signal(run_smoke_test(settings))]
    problems = sum(check.state == "problem" for check in checks)
    if as_json:
        write_json([asdict(check) for check in checks])
    else:
        write_output("".join(map(_lines, checks)) + f"\n{_verdict(problems)}\n")
    if problems:
        raise typer.Exit(FAILED)


def _lines(check: Check) -> str:
    lines = f"{check.state:{STATE}} {check.name:{NAME}} {check.found}\n"
    if check.mend:
        lines += f"{'':{STATE + NAME + 1}} -> {check.mend}\n"
    if sys.stdout is None or not sys.stdout.isatty():
        return lines
    width, indent = shutil.get_terminal_size().columns, " " * (STATE + NAME + 2)
    lines = "".join(f"{folded(line, width, indent)}\n" for line in lines.splitlines())
    if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
        return lines
    return typer.style(lines[:STATE], fg=COLOURS[check.state]) + lines[STATE:]


def _verdict(problems: int) -> str:
    if not problems:
        return "Everything works."
    return f"{problems} problem{'s' * (problems > 1)}: the fix of each is behind its arrow."
