"""What computes a Voxtral here: the processor's instructions, PyTorch, kernels, a GPU."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.voxtral.processor import flags

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRA = 'pip install torch==2.13.0 && pip install "voxgate[voxtral]"'
CUDA_BUILD = (
    "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130"
)
DRIVER = Path("/proc/driver/nvidia/version")

INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f", "avx512bw", "avx512vl", "avx512dq"},
    "VNNI": {"avx512_vnni"},
    "bf16": {"avx512_bf16"},
    "AMX": {"amx_int8", "amx_bf16"},
}
"""By the name that people know, x86's flags of /proc/cpuinfo."""


def checks() -> Iterator[Check]:
    """None is needed: there is a model that wants none of it."""
    yield _instructions()
    absent = [name for name in ("torch", "safetensors", "mistral-common") if not _has(name)]
    if absent:
        yield Check("voxtral", "note", f"{', '.join(absent)} not installed: no Voxtral runs", EXTRA)
    if "torch" not in absent:
        yield from _torch()


def _instructions() -> Check:
    known = flags()
    if not known:
        return Check("instructions", "note", "the system does not say what the processor can")
    if "avx" not in known:
        return Check("instructions", "ok", f"of {platform.machine()}")
    there = [name for name, needed in INSTRUCTIONS.items() if needed <= known]
    lacking = [name for name in ("AVX2", "AVX-512", "VNNI", "bf16") if name not in there]
    found = ", ".join(there) or "none of AVX2 and its kin"
    if lacking:
        return Check("instructions", "note", f"{found}; Voxtral is slower without {lacking[0]}")
    return Check("instructions", "ok", found)


def _torch() -> Iterator[Check]:
    version = metadata.version("torch")
    try:
        import torch  # noqa: PLC0415 (seconds, and its absence is a finding)
    except (ImportError, OSError) as error:
        yield Check("torch", "note", f"{version} does not load: {error}", EXTRA)
        return
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for processors"
    threads = torch.get_num_threads()
    yield Check("torch", "ok", f"{version}, built {built}, {threads} threads")
    yield _kernels()
    yield _gpu(built, torch.version.cuda is not None, torch.cuda.is_available())


def _kernels() -> Check:
    from voxgate.voxtral import native  # noqa: PLC0415 (it imports torch)

    reason = native.unavailable()
    if reason is None:
        return Check("kernels", "ok", "native ones take over where they are faster")
    lacks_package = "not installed" in reason
    return Check("kernels", "note", reason, "make kernels" if lacks_package else "")


def _gpu(built: str, for_cuda: bool, usable: bool) -> Check:
    try:
        driver = DRIVER.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip()
    except (OSError, IndexError):
        return Check("gpu", "ok", "no NVIDIA driver: processors compute")
    if usable:
        return Check("gpu", "ok", f"{driver}; engines of this version compute on processors")
    if not for_cuda:
        return Check("gpu", "note", f"{driver}; but PyTorch is built {built}", CUDA_BUILD)
    return Check("gpu", "note", f"{driver}; but PyTorch finds no GPU", "nvidia-smi")


def _has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
