"""The projector: encoder frames to embeddings that the decoder reads (voxtral-model.md A.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.config import FRAMES_PER_TOKEN

if TYPE_CHECKING:
    from torch import Tensor

    from voxgate.voxtral.config import VoxtralConfig


class Projector(nn.Module):
    """Frames [chunks, 1500, encoder width] to [375 * chunks, decoder width]: one for each 80 ms."""

    def __init__(self, config: VoxtralConfig) -> None:
        super().__init__()
        grouped, width = FRAMES_PER_TOKEN * config.encoder.width, config.decoder.width
        self.grouped = grouped
        self.linear1 = nn.Linear(grouped, width, bias=False)
        self.linear2 = nn.Linear(width, width, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Four consecutive frames, joined in time's order, make one embedding."""
        embeddings: Tensor = self.linear2(F.gelu(self.linear1(frames.reshape(-1, self.grouped))))
        return embeddings
