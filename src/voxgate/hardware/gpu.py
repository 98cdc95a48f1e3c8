"""NVIDIA's GPUs, as their driver reports them. Imports no torch.

Code that only needs to know whether a model fits a GPU uses this module. It calls the driver's
management library (NVML), which creates no CUDA context: a context would take some hundred
megabytes of the GPU's memory, and a process that has one must not fork.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TORCH_CUDA = re.compile(r"^cuda\b.*= '(\d+)\.", re.MULTILINE)  # in PyTorch's generated version.py
BFLOAT16_CAPABILITY = (8, 0)  # the compute capability that has bfloat16: Ampere and later


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU at one moment."""

    uuid: str  # GPU-…
    name: str
    capability: tuple[int, int]
    total_bytes: int
    free_bytes: int


UNRESPONSIVE = Gpu("", "a card that does not answer", (0, 0), 0, 0)
"""Stands for a GPU that the driver lists but cannot describe, so that the others keep their index.
"""


class NvidiaDriver:
    """NVIDIA's driver. It orders GPUs by their position on the bus."""

    def __init__(self) -> None:
        """Load and initialize NVML. Raises `OSError` where there is no driver, or an old one."""
        import pynvml  # noqa: PLC0415 (it takes 30 ms, and most commands need no GPU)

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise OSError(f"NVIDIA's driver cannot be used: {error}.") from error

    @property
    def cuda_version(self) -> int:
        """The newest major version of CUDA that the driver serves. Raises `OSError`."""
        try:
            return int(self._nvml.nvmlSystemGetCudaDriverVersion_v2()) // 1000
        except self._nvml.NVMLError as error:
            raise OSError(f"NVIDIA's driver reports no CUDA version: {error}.") from error

    def gpus(self) -> list[Gpu]:
        """Return all GPUs as they are now; `UNRESPONSIVE` for one that does not respond.

        Raises `OSError` where the driver cannot count them.
        """
        try:
            count = self._nvml.nvmlDeviceGetCount()
        except self._nvml.NVMLError as error:
            raise OSError(f"NVIDIA's driver does not count its GPUs: {error}.") from error
        return [self._gpu(index) for index in range(count)]

    def _gpu(self, index: int) -> Gpu:
        nvml = self._nvml
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            capability = nvml.nvmlDeviceGetCudaComputeCapability(handle)
            uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
        except (nvml.NVMLError, UnicodeDecodeError):
            return UNRESPONSIVE
        return Gpu(uuid, name, (capability[0], capability[1]), memory.total, memory.free)


@cache
def nvidia_driver() -> NvidiaDriver | None:
    """Return this machine's driver, or None. It is loaded once."""
    try:
        return NvidiaDriver()
    except OSError:
        return None


def select_visible(gpus: Sequence[Gpu], environ: Mapping[str, str] = os.environ) -> list[Gpu]:
    """Return the GPUs that `CUDA_VISIBLE_DEVICES` leaves to a process, in its order.

    Follows CUDA: entries count up to the first one that names no GPU. Partitions of a GPU (MIG)
    are not supported.
    """
    setting = environ.get("CUDA_VISIBLE_DEVICES")
    if setting is None:
        return list(gpus)
    selected = list[Gpu]()
    for entry in map(str.strip, setting.split(",")):
        if entry.isdecimal() and int(entry) < len(gpus):
            selected.append(gpus[int(entry)])
        elif len(matching := [gpu for gpu in gpus if entry and gpu.uuid.startswith(entry)]) == 1:
            selected += matching
        else:
            break
    return selected


def visible_gpus() -> list[Gpu]:
    """Return the GPUs that this machine's PyTorch can use, by its indices, as they are now."""
    driver, required = nvidia_driver(), torch_cuda_version()
    if driver is None or required is None:
        return []
    try:
        return select_visible(driver.gpus()) if driver.cuda_version >= required else []
    except OSError:
        return []


def why_unusable() -> str | None:
    """Return why PyTorch certainly cannot use any GPU here, as half a sentence; else None."""
    if torch_cuda_version() is None:
        return "PyTorch is not built for CUDA here"
    return "there is no driver of NVIDIA's" if nvidia_driver() is None else None


@cache
def torch_cuda_version() -> int | None:
    """Return the major version of CUDA that PyTorch is built for.

    None without CUDA, or without PyTorch. It is read from PyTorch's files, because importing
    PyTorch takes seconds.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    match = TORCH_CUDA.search(text)
    return int(match[1]) if match else None


def gpu_at(device: str) -> Gpu | None:
    """Return the GPU that PyTorch calls `cuda` or `cuda:N`; None where the driver reports none."""
    gpus, index = visible_gpus(), int(device.partition(":")[2] or 0)
    gpu = gpus[index] if index < len(gpus) else UNRESPONSIVE
    return None if gpu is UNRESPONSIVE else gpu
