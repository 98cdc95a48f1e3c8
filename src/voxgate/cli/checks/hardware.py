"""The checks of the machine: processor, sandbox, memory and GPU."""

from __future__ import annotations

import os
import platform
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.audio.decoder.sandbox import filters_system_calls
from voxgate.cli.checks.check import Check
from voxgate.hardware.cores import (
    OPENMP_VARIABLE,
    thread_count,
    threads_variable,
    usable_cores,
)
from voxgate.hardware.cpu import cpu_flags
from voxgate.hardware.gpu import BFLOAT16_CAPABILITY
from voxgate.hardware.level import KERNELS_VARIABLE, forced_level, usable_flags
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes
from voxgate.hardware.native_types import is_native_dtype
from voxgate.installation import Installation
from voxgate.models.placement import AUTO, is_cpu_profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voxgate.hardware.cores import Cores
    from voxgate.settings import Settings

RELEVANT_FLAGS = (
    *("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16"),
    *("asimddp", "i8mm", "bf16", "fphp"),  # of ARM
)
"""The CPU flags that change the speed of Voxtral's matrix products."""

REQUIRED_FLAGS = {"x86_64": "avx2", "aarch64": "asimd"}
"""The flag that PyTorch's fast matrix products need."""

DRIVER_FILE = Path("/proc/driver/nvidia/version")  # it exists while the kernel module is loaded
VERSION_PATTERN = re.compile(r"\b\d{3}\.\d+(\.\d+)?\b")


def check_machine() -> Iterator[Check]:
    """Yield the platform, the cores, the processor and the decoders' sandbox."""
    yield Check("platform", "ok", platform.platform())
    yield check_cores(usable_cores())
    yield _processor()
    yield _sandbox()


def check_cores(cores: Cores, environ: Mapping[str, str] = os.environ) -> Check:
    """Return how many threads an engine computes with, and why they are not as many as processors.

    Fewer than there could be are a note, unless Voxgate's own setting says so.
    """
    threads, variable = thread_count(environ, cores), threads_variable(environ)
    reasons = []
    if cores.allowed < cores.processors:
        reasons.append(f"the process is bound to {_counted(cores.allowed, 'processor')}")
    if cores.cores < cores.allowed:
        reasons.append("hyper-threads share a core")
    if cores.quota < cores.cores:
        reasons.append(f"the quota is {cores.quota:g} processors")
    if threads != cores.threads:
        reasons.append(f"{variable} is {threads}")
    found = f"{_counted(cores.cores, 'core')} of {_counted(cores.processors, 'processor')} usable; "
    found += _counted(threads, "thread") + f", since {' and '.join(reasons)}" * bool(reasons)
    if threads < cores.threads and variable == OPENMP_VARIABLE:
        return Check("cores", "note", found, f"unset {variable}")
    return Check("cores", "ok", found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _processor() -> Check:
    """Return the processor's relevant flags."""
    if not cpu_flags():
        return Check("processor", "ok", "this system does not list its features")
    found = usable_flags()
    required = REQUIRED_FLAGS.get(platform.machine())
    if required and required not in found:
        return Check("processor", "note", f"no {required}: Voxtral is many times slower without it")
    flags = ", ".join(flag for flag in RELEVANT_FLAGS if flag in found) or "no faster instructions"
    bf16 = "by instructions" if is_native_dtype("BF16") else "is emulated: float32 is used"
    only = f"; {KERNELS_VARIABLE} allows no others" * (forced_level() is not None)
    return Check("processor", "ok", f"{platform.machine()}, {flags}{only}; bfloat16 {bf16}")


def _sandbox() -> Check:
    if filters_system_calls():
        return Check("sandbox", "ok", "decoders run with limits and a filter of system calls")
    return Check(
        "sandbox", "note", "decoders run with limits; there is no filter of system calls here"
    )


def check_memory(settings: Settings) -> Check:
    """Return the memory of this machine or container. `check_models` compares models with it."""
    found = f"{format_bytes(total_bytes())}, {format_bytes(free_bytes())} of it free"
    if settings.engine_memory_bytes < total_bytes():
        found += f"; engines may take {format_bytes(settings.engine_memory_bytes)}"
    return Check("memory", "ok", found)


def check_gpu(settings: Settings) -> Check:
    """Return the NVIDIA GPU, and whether PyTorch can use it.

    No GPU is fine. A GPU that cannot be used is a note; it is a problem if the settings request it.
    """
    driver = _driver_version()
    torch = sys.modules.get("torch")  # `check_voxtral` has imported it, if it is installed
    if torch is None:
        found = f"NVIDIA driver {driver}, no PyTorch" if driver else "no NVIDIA driver"
        return Check("gpu", "ok", found)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if usable:
        card = torch.cuda.get_device_properties(0)
        use = explain_device((card.major, card.minor), settings)
        return Check("gpu", "ok", f"{card.name}, {format_bytes(card.total_memory)}; {use}")
    if settings.device.startswith("cuda"):
        found = f"VOXGATE_DEVICE is '{settings.device}', and PyTorch finds no GPU that it can use"
        return Check("gpu", "problem", found, "VOXGATE_DEVICE=cpu")
    if driver is None:
        return Check("gpu", "ok", "no NVIDIA driver: models run on the processor")
    if torch.version.cuda is None:
        plain = torch.__version__.partition("+")[0]
        found = f"NVIDIA driver {driver}, and torch {torch.__version__} is built without CUDA"
        mend = Installation.find().install_packages(f"torch=={plain}", again=True)
        return Check("gpu", "note", found, mend)
    reason = f": {caught[0].message}" if caught else ""
    found = f"NVIDIA driver {driver} does not support CUDA {torch.version.cuda}{reason}"
    return Check("gpu", "note", found, "a newer driver: https://www.nvidia.com/drivers")


def _driver_version() -> str | None:
    """Return the version of the loaded driver; None without one."""
    try:
        text = DRIVER_FILE.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    number = VERSION_PATTERN.search(text)
    return number[0] if number else "of an unknown version"


def explain_device(capability: tuple[int, int], settings: Settings) -> str:
    """Return half a sentence: where Voxtral computes with a GPU of that compute capability.

    It follows the rules of `models.placement.place_model`.
    """
    if settings.device != AUTO:
        return f"Voxtral computes on '{settings.device}', as VOXGATE_DEVICE requests"
    if is_cpu_profile(settings.profile):
        return f"Voxtral computes on the processor: VOXGATE_PROFILE={settings.profile} is for it"
    if capability < BFLOAT16_CAPABILITY:
        return "Voxtral computes on the processor: this GPU has no bfloat16"
    return "Voxtral computes on it where it fits, as 'exact'"
