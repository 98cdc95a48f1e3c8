"""Tensors on their way from the processor to wherever the model computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on that device.

    To a card it goes from pinned memory, and nobody waits for it: out of ordinary memory the copy
    would hold this thread until all that was given to the card before it is done. PyTorch keeps
    the pinned block until the copy has been made.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
