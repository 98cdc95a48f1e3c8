"""The machine: its system, cores and memory, and what confines decoders on it."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from voxgate.audio.decoder.sandbox import filters_system_calls
from voxgate.cli.checks.check import Check
from voxgate.registry.amounts import shown
from voxgate.voxtral.memory import free_bytes, total_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks() -> Iterator[Check]:
    """Nothing here keeps a recording from being transcribed."""
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield Check("platform", "ok", platform.platform())
    yield Check("cores", "ok", _cores())
    yield Check("memory", "ok", f"{shown(total_bytes())}, {shown(free_bytes())} of it free")
    yield _sandbox()


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return f"{usable} usable of {os.cpu_count()}, {platform.machine()}"


def _sandbox() -> Check:
    if filters_system_calls():
        return Check("sandbox", "ok", "decoders run with limits and a filter of system calls")
    return Check(
        "sandbox", "note", "decoders run with limits; there is no filter of system calls here"
    )
