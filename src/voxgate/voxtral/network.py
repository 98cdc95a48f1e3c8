"""`Network`: the three parts of a Voxtral together, as one tree of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from voxgate.voxtral.decoder import Decoder, DecoderAttention
from voxgate.voxtral.encoder import Encoder, EncoderAttention, EncoderLayer, Projector
from voxgate.voxtral.layers import RMSNorm, SwiGLUGate
from voxgate.voxtral.quantization.int8 import Epilogue, Int8Linear
from voxgate.voxtral.quantization.linear import FusedLinear

if TYPE_CHECKING:
    import torch

    from voxgate.voxtral.checkpoint.config import VoxtralConfig


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

    def fuse(self) -> None:
        """Take one pass where the description takes several: quantised maps only, on a processor.

        Sums of squares are added in another order there, so that last bits differ.
        """
        for module in self.modules():
            if isinstance(module, RMSNorm | SwiGLUGate):
                module.fused = True
            elif isinstance(module, EncoderLayer) and isinstance(module.up, Int8Linear):
                module.up.epilogue, module.gelu = Epilogue(gelu=True), nn.Identity()
            elif isinstance(module, EncoderAttention) and module.compute:
                _finish(module.qkv, Epilogue(dtype=module.compute))


def _finish(maps: nn.Module, after: Epilogue) -> None:
    if isinstance(maps, FusedLinear) and isinstance(maps.linear, Int8Linear):
        maps.linear.epilogue = after
