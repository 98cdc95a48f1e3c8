"""The machine: its processor, and how well its kernel confines a decoder."""

from __future__ import annotations

import os
import platform
import sys
from typing import TYPE_CHECKING

from voxgate.audio.decoder.sandbox import filters_system_calls
from voxgate.cli.checks.check import Check
from voxgate.hardware.cpu import cpu_flags, supports_dtype

if TYPE_CHECKING:
    from collections.abc import Iterator

TELLING = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"),
    *("asimddp", "i8mm", "bf16", "fphp"),  # of ARM
)
"""The flags that make a difference to Voxtral's matrix products."""

OLD = {"x86_64": "avx2", "aarch64": "asimd"}
"""What PyTorch's quick products need at the least."""


def checks() -> Iterator[Check]:
    """What a process of this user may have of it."""
    yield Check("platform", "ok", platform.platform())
    yield Check("cores", "ok", f"{usable_cores()} usable of {os.cpu_count()}, {platform.machine()}")
    yield _processor()
    yield _sandbox()


def usable_cores() -> int:
    """How many this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _processor() -> Check:
    """What it computes with. Nothing mends a processor: another one does."""
    found = cpu_flags()
    if not found:
        return Check("processor", "ok", "this system does not list what it can do")
    least = OLD.get(platform.machine())
    if least and least not in found:
        return Check("processor", "note", f"no {least}: Voxtral is many times slower without")
    bf16 = (
        "computed with" if supports_dtype("BF16") else "emulated, so that float32 takes its place"
    )
    named = ", ".join(flag for flag in TELLING if flag in found)
    return Check("processor", "ok", f"{named or 'nothing beyond its least'}; bfloat16 is {bf16}")


def _sandbox() -> Check:
    if filters_system_calls():
        return Check("sandbox", "ok", "decoders run with limits and a filter of system calls")
    return Check(
        "sandbox", "note", "decoders run with limits; there is no filter of system calls here"
    )
