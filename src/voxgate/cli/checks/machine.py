"""The machine: its processor, its memory, and how well its kernel confines a decoder."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from voxgate.audio.decoder.sandbox import filters_system_calls
from voxgate.cli.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks() -> Iterator[Check]:
    """What a process of this user may have of it."""
    yield Check("platform", "ok", platform.platform())
    yield Check("cores", "ok", _cores())
    yield Check("memory", "ok", _memory())
    yield _sandbox()


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return f"{usable} usable of {os.cpu_count()}, {platform.machine()}"


def _memory() -> str:
    page = os.sysconf("SC_PAGE_SIZE")
    found = f"{os.sysconf('SC_PHYS_PAGES') * page / 1e9:.1f} GB"
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        found += f", {os.sysconf('SC_AVPHYS_PAGES') * page / 1e9:.1f} GB of it unused"
    return found


def _sandbox() -> Check:
    if filters_system_calls():
        return Check("sandbox", "ok", "decoders run with limits and a filter of system calls")
    return Check(
        "sandbox", "note", "decoders run with limits; there is no filter of system calls here"
    )
