"""`Network`: encoder, projector and decoder as one tree of parameters."""

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
    """The parts of a Voxtral. `model` decides what runs when."""

    def __init__(self, config: VoxtralConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder)
        self.projector = Projector(config)
        self.decoder = Decoder(config.decoder)
        self.attention_dtype: torch.dtype | None = None  # None: the activations' dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the weights, in memory or in a mapped file."""
        tensors = [*self.parameters(), *self.buffers()]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    def set_attention_dtype(self, dtype: torch.dtype) -> None:
        """Compute attention, and store keys and values, in another dtype than the activations'."""
        self.attention_dtype = dtype
        for module in self.modules():
            if isinstance(module, EncoderAttention | DecoderAttention):
                module.attention_dtype = dtype

    def fuse(self) -> None:
        """Compute in one pass what the plain layers compute in several.

        For quantized layers on a CPU only. Sums of squares are added in another order, so the last
        bits differ.
        """
        for module in self.modules():
            if isinstance(module, RMSNorm | SwiGLUGate):
                module.fused = True
            elif isinstance(module, EncoderLayer) and isinstance(module.up, Int8Linear):
                module.up.epilogue, module.gelu = Epilogue(gelu=True), nn.Identity()
            elif isinstance(module, EncoderAttention) and module.attention_dtype:
                _set_epilogue(module.qkv, Epilogue(dtype=module.attention_dtype))


def _set_epilogue(group: nn.Module, epilogue: Epilogue) -> None:
    if isinstance(group, FusedLinear) and isinstance(group.linear, Int8Linear):
        group.linear.epilogue = epilogue
