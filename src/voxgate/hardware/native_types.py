"""The types of numbers that this processor multiplies by its own instructions.

A library that "supports" a type may emulate it: oneDNN does so with bfloat16 on every processor
with AVX-512, and a product then takes several times as long as in float32. Imports no torch.
"""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import Any

from voxgate.hardware.level import usable_flags

NATIVE_FLAGS: dict[str, tuple[set[str], ...]] = {
    "BF16": ({"avx512_bf16"}, {"amx_bf16"}, {"asimd", "bf16"}),
    "F16": ({"avx512_fp16"}, {"fphp", "asimdhp"}),
}
"""By safetensors' name of a type, the sets of flags of which one is enough: x86's, then ARM's."""

TRIAL_ROWS, TRIAL_SIDE, TRIAL_RUNS = 32, 512, 9


def is_native_dtype(dtype: str) -> bool:
    """Return whether the processor multiplies numbers of this type natively.

    `dtype` is spelled as in safetensors. float32 and wider types are native everywhere. Where the
    system does not list the processor's features, PyTorch is tried if it is loaded, else the answer
    is False: who only asks how much memory a model takes then hears of too much rather than of too
    little.
    """
    if dtype not in NATIVE_FLAGS:
        return True
    if flags := usable_flags():
        return any(required <= flags for required in NATIVE_FLAGS[dtype])
    return "torch" in sys.modules and is_faster_than_float32(dtype)


@cache
def is_faster_than_float32(dtype: str) -> bool:
    """Return whether PyTorch multiplies matrices of this type faster here, by trying it.

    Takes some milliseconds, and needs PyTorch to be loaded.
    """
    torch: Any = sys.modules["torch"]
    narrow = {"BF16": torch.bfloat16, "F16": torch.float16}[dtype]
    return _product_s(torch, narrow) < _product_s(torch, torch.float32)


def _product_s(torch: Any, dtype: Any) -> float:
    """Return the fastest product's seconds of this thread's own processor time."""
    rows = torch.ones(TRIAL_ROWS, TRIAL_SIDE, dtype=dtype)
    matrix = torch.ones(TRIAL_SIDE, TRIAL_SIDE, dtype=dtype)
    elapsed_s = []
    for _ in range(TRIAL_RUNS):
        start_s = time.thread_time()
        rows @ matrix
        elapsed_s.append(time.thread_time() - start_s)
    return min(elapsed_s)
