"""A graphics card of NVIDIA's: its driver, and whether PyTorch can use it."""

from __future__ import annotations

import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.hardware.gpu import BFLOAT16_CAPABILITY
from voxgate.hardware.memory import format_bytes
from voxgate.models.placement import AUTO, is_cpu_profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings

DRIVER = Path("/proc/driver/nvidia/version")  # there while the kernel's module is loaded
NUMBER = re.compile(r"\b\d{3}\.\d+(\.\d+)?\b")


def checks(settings: Settings) -> Iterator[Check]:
    """One line. Nobody needs a card: none is no fault, one that cannot be used is a note."""
    yield _gpu(_driver(), settings)


def _driver() -> str | None:
    """The version of the driver that is loaded; None without one."""
    try:
        text = DRIVER.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    number = NUMBER.search(text)
    return number[0] if number else "of an unknown version"


def computing(capability: tuple[int, int], settings: Settings) -> str:
    """Where Voxtral computes beside a card of that compute capability: half a sentence."""
    if settings.device != AUTO:
        return f"Voxtral computes on '{settings.device}': VOXGATE_DEVICE says so"
    if is_cpu_profile(settings.profile):
        return f"Voxtral computes on the processor: VOXGATE_PROFILE={settings.profile} is for it"
    if capability < BFLOAT16_CAPABILITY:
        return "Voxtral computes on the processor: this card has no bfloat16"
    return "Voxtral computes on it where it fits, as 'exact'"


def _gpu(driver: str | None, settings: Settings) -> Check:
    torch = sys.modules.get("torch")  # imported by the check before, where it can be
    if torch is None:
        found = f"NVIDIA's driver {driver}, no PyTorch" if driver else "no driver of NVIDIA's"
        return Check("gpu", "ok", found)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        usable = torch.cuda.is_available()
    if usable:
        card = torch.cuda.get_device_properties(0)
        engines = computing((card.major, card.minor), settings)
        return Check("gpu", "ok", f"{card.name}, {format_bytes(card.total_memory)}; {engines}")
    if settings.device.startswith("cuda"):
        found = f"VOXGATE_DEVICE is '{settings.device}', and PyTorch finds no card that it can use"
        return Check("gpu", "problem", found, "VOXGATE_DEVICE=cpu")
    if driver is None:
        return Check("gpu", "ok", "no driver of NVIDIA's: models run on the processor")
    if torch.version.cuda is None:
        plain = torch.__version__.partition("+")[0]
        found = f"NVIDIA's driver {driver}, and torch {torch.__version__} is built without CUDA"
        return Check("gpu", "note", found, f"pip install --force-reinstall torch=={plain}")
    reason = f": {said[0].message}" if said else ""
    found = f"NVIDIA's driver {driver} does not serve CUDA {torch.version.cuda}{reason}"
    return Check("gpu", "note", found, "a newer driver: https://www.nvidia.com/drivers")
