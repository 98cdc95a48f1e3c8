"""What Voxtral needs beside the libraries of every recording: the extra, and PyTorch's build."""

from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.cli.checks.machine import usable_cores

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRA = ("torch", "safetensors", "mistral-common", "huggingface_hub")
INSTALL = 'pip install "voxgate[voxtral]"'


def checks() -> Iterator[Check]:
    """Without the extra a note: the embedded model transcribes."""
    absent = [name for name in EXTRA if not _is_installed(name)]
    if absent:
        found = f"without {', '.join(absent)} there is no Voxtral, and the embedded model alone"
        yield Check("voxtral", "note", found, INSTALL)
    else:
        versions = ", ".join(f"{name} {metadata.version(name)}" for name in EXTRA[1:])
        yield Check("voxtral", "ok", versions)
    if "torch" not in absent:
        build = _torch()
        yield build
        if build.state != "problem":
            yield _kernels()


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _kernels() -> Check:
    """Whether our own native kernels take part; PyTorch does all of it without them."""
    from voxgate.voxtral.kernels import ops  # noqa: PLC0415 (it imports torch)

    reason = ops.why_unavailable()
    if reason is None:
        return Check("kernels", "ok", "native ones take over where they are faster")
    return Check("kernels", "note", reason, "make kernels" if "not installed" in reason else "")


def _torch() -> Check:
    """Which build it is, and what it makes of this processor. Takes the seconds of its import."""
    try:
        import torch  # noqa: PLC0415 (its absence is a finding)

        from voxgate.voxtral.kernels.onednn import int8_levels  # noqa: PLC0415 (it imports torch)
    except (ImportError, OSError) as error:
        found = f"{metadata.version('torch')} does not load: {error}"
        return Check("torch", "problem", found, "pip install --force-reinstall torch")
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    bf16 = "by instructions" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "emulated"  # noqa: SLF001 (PyTorch has no public test of it)
    int8 = {127: "in full", 63: "in half their range", None: "not to be had"}[int8_levels()]
    threads, cores = torch.get_num_threads(), usable_cores()
    found = (
        f"{torch.__version__}, {build}, computes by {torch.backends.cpu.get_cpu_capability()} in "
        f"{threads} threads; bfloat16 {bf16}, 8-bit products {int8}"
    )
    if threads < cores and "OMP_NUM_THREADS" in os.environ:
        return Check("torch", "note", f"{found}; {cores} cores are usable", "unset OMP_NUM_THREADS")
    return Check("torch", "ok", found)
