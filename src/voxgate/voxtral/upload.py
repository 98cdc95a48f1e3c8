"""Copy tensors from the CPU to the device that computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on that device.

    The copy to a GPU goes through pinned memory and does not block. A copy from pageable memory
    would block this thread until the GPU has finished everything queued before it. PyTorch keeps
    the pinned block until the copy is complete.
    """
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
