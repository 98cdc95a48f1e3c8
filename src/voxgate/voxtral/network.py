"""`Network`: the three parts of a Voxtral together, as one tree of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from voxgate.voxtral.decoder import Decoder, DecoderAttention
from voxgate.voxtral.encoder import Encoder, EncoderAttention
from voxgate.voxtral.projector import Projector

if TYPE_CHECKING:
    import torch

    from voxgate.voxtral.config import VoxtralConfig


class Network(nn.Module):
    """Encoder, projector and decoder. What runs when is `model`'s to say."""

    def __init__(self, config: VoxtralConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder)
        self.projector = Projector(config)
        self.decoder = Decoder(config.decoder)
        self.attention_type: torch.dtype | None = None  # None: as what goes from layer to layer

    @property
    def nbytes(self) -> int:
        """Bytes that the weights take, in memory or in a map of a file."""
        held = [*self.parameters(), *self.buffers()]
        return sum(each.numel() * each.element_size() for each in held)

    def attend_in(self, dtype: torch.dtype) -> None:
        """Have attention, and the cache for it, compute in another type than the layers."""
        self.attention_type = dtype
        for module in self.modules():
            if isinstance(module, EncoderAttention | DecoderAttention):
                module.compute = dtype
