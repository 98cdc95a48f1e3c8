"""The device that a model is to compute on, looked at before anything is loaded."""

from __future__ import annotations

import os

import torch

from voxgate.errors import UsageError


def found(device: torch.device | str) -> torch.device:
    """The device. Raises `UsageError` for a name that is none, and a card that is not there."""
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"'{device}' is no device. Name cpu, cuda, or cuda:N.") from error
    if wanted.type != "cuda":
        return wanted
    # As `cards` counts them, which has chosen the number: CUDA's own order begins with the fastest.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if not torch.cuda.is_available():
        raise UsageError(
            f"The model is to compute on '{device}', and PyTorch {torch.__version__} finds no card "
            f"here that it could use. `voxgate doctor` says why; VOXGATE_DEVICE=cpu does without."
        )
    count = torch.cuda.device_count()
    if wanted.index is not None and wanted.index >= count:
        raise UsageError(
            f"The model is to compute on '{device}', and the last of {count} cards is "
            f"'cuda:{count - 1}'. Name one that is there in VOXGATE_DEVICE."
        )
    # From here on PyTorch itself can be asked what is free.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return wanted
