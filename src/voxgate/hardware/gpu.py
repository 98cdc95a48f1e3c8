"""`Gpu`: NVIDIA's cards, as their driver tells of them. No torch.

Whoever only has to know whether a model fits a card asks here. The driver's own library (NVML)
makes no context on the card, which would take some hundred megabytes of it and forbid to fork.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from ctypes import CDLL, Structure, byref, c_char, c_char_p, c_int, c_uint, c_ulonglong, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LIBRARY = "libnvidia-ml.so.1"  # comes with the driver
TEXT_BYTES = 96  # bytes of a name or a UUID, its end included
BUILT_FOR = re.compile(r"^cuda\b.*= '(\d+)\.", re.MULTILINE)  # in PyTorch's generated version.py
BFLOAT16_CAPABILITY = (8, 0)  # the compute capability that computes with it: Ampere and later


class _Memory(Structure):
    """NVML's, in bytes."""

    _fields_ = (("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong))


@dataclass(frozen=True, slots=True)
class Gpu:
    """One card at one moment."""

    uuid: str  # GPU-…
    name: str
    capability: tuple[int, int]
    total_bytes: int
    free_bytes: int


UNRESPONSIVE = Gpu("", "a card that does not answer", (0, 0), 0, 0)


class NvidiaDriver:
    """NVIDIA's driver. Its order of cards is that of their places on the bus."""

    def __init__(self, library: Any) -> None:
        """`library` is NVML, loaded. Raises `OSError` where it finds no driver."""
        self._library = library
        self._call("nvmlInit_v2")

    @classmethod
    def open(cls) -> NvidiaDriver | None:
        """This machine's, or None."""
        with suppress(OSError):
            return cls(CDLL(LIBRARY))
        return None

    @property
    def cuda(self) -> int:
        """The newest major version of CUDA that it serves."""
        version = c_int()
        self._call("nvmlSystemGetCudaDriverVersion_v2", byref(version))
        return version.value // 1000

    def cards(self) -> list[Gpu]:
        """All there are, as they are now. One that does not tell of itself keeps its number."""
        count, found = c_uint(), list[Gpu]()
        self._call("nvmlDeviceGetCount_v2", byref(count))
        for index in range(count.value):
            try:
                found.append(self._card(index))
            except OSError:
                found.append(UNRESPONSIVE)
        return found

    def _card(self, index: int) -> Gpu:
        card, memory, major, minor = c_void_p(), _Memory(), c_int(), c_int()
        self._call("nvmlDeviceGetHandleByIndex_v2", c_uint(index), byref(card))
        self._call("nvmlDeviceGetMemoryInfo", card, byref(memory))
        self._call("nvmlDeviceGetCudaComputeCapability", card, byref(major), byref(minor))
        uuid, name = self._text("nvmlDeviceGetUUID", card), self._text("nvmlDeviceGetName", card)
        return Gpu(uuid, name, (major.value, minor.value), memory.total, memory.free)

    def _text(self, function: str, card: c_void_p) -> str:
        text = (c_char * TEXT_BYTES)()
        self._call(function, card, text, c_uint(TEXT_BYTES))
        return (c_char_p(text.value).value or b"").decode(errors="replace")

    def _call(self, function: str, *arguments: Any) -> None:
        try:
            code = getattr(self._library, function)(*arguments)
        except AttributeError as error:  # a driver that is older than the function
            raise OSError(str(error)) from error
        if code:
            raise OSError(f"{function} of NVIDIA's driver answers {code}.")


@cache
def nvidia_driver() -> NvidiaDriver | None:
    """This machine's: asked for once."""
    return NvidiaDriver.open()


def select_visible(cards: Sequence[Gpu], environ: Mapping[str, str] = os.environ) -> list[Gpu]:
    """Those that a process may use, by its own numbers: `CUDA_VISIBLE_DEVICES` chooses and orders.

    As CUDA reads it: up to the first entry that is no card's. Parts of cards (MIG) are not known.
    """
    chosen = environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return list(cards)
    found = list[Gpu]()
    for entry in map(str.strip, chosen.split(",")):
        if entry.isdecimal() and int(entry) < len(cards):
            found.append(cards[int(entry)])
        elif len(same := [card for card in cards if entry and card.uuid.startswith(entry)]) == 1:
            found += same
        else:
            break
    return found


def visible_gpus() -> list[Gpu]:
    """The cards that this machine's PyTorch could compute on, by its numbers, as they are now."""
    there, wanted = nvidia_driver(), torch_cuda_version()
    if there is None or wanted is None:
        return []
    try:
        return select_visible(there.cards()) if there.cuda >= wanted else []
    except OSError:
        return []


def why_unusable() -> str | None:
    """Why PyTorch cannot compute on any card here, where that is certain: half a sentence."""
    if torch_cuda_version() is None:
        return "PyTorch is not built for CUDA here"
    return "there is no driver of NVIDIA's" if nvidia_driver() is None else None


@cache
def torch_cuda_version() -> int | None:
    """The major version of CUDA that PyTorch is built for; None without CUDA, or without PyTorch.

    Read from its files: to import it takes seconds.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return None
    found = BUILT_FOR.search(text)
    return int(found[1]) if found else None


def gpu_at(device: str) -> Gpu | None:
    """The card that PyTorch would call `cuda` or `cuda:N`; None where nobody tells of it."""
    found, number = visible_gpus(), int(device.partition(":")[2] or 0)
    card = found[number] if number < len(found) else UNRESPONSIVE
    return None if card is UNRESPONSIVE else card
