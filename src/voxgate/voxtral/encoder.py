"""The audio encoder and the projector: log-mel features to embeddings (voxtral-model.md A.3).

The encoder is Whisper's: two convolutions, fixed sinusoidal positions, and pre-norm layers with
full attention inside a chunk of 30 s. Chunks are the batch: they do not attend to each other, and
padded silence is real input. The projector turns encoder frames into embeddings for the decoder.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.attention import full_attention_by_head
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN
from voxgate.voxtral.quantization.linear import LinearGroup

if TYPE_CHECKING:
    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import EncoderConfig, VoxtralConfig
    from voxgate.voxtral.resumable import Resumable

NORM_EPS = 1e-5


class Encoder(nn.Module):
    """Features [chunks, mels, 3000] to frames [chunks, 1500, width]."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(config.mels, config.width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, kernel_size=3, stride=2, padding=1)
        self.positions = nn.Parameter(torch.empty(ENCODER_POSITIONS, config.width))  # `sinusoids`
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width, NORM_EPS)

    def forward(self, mel: Tensor) -> Resumable[Tensor]:
        """Encode, with two pauses for each layer."""
        x = F.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        # Add in float32, the positions' dtype. A sum keeps the memory order of its first operand:
        # without `contiguous` every later tensor would be strided, and every norm would copy it.
        x = (x + self.positions).to(x.dtype).contiguous()
        for layer in self.layers:
            yield
            x = yield from layer(x)
        frames: Tensor = self.norm(x)
        return frames


class EncoderLayer(nn.Module):
    """Attention, then a feed-forward network, each on a normalized copy and added back."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, NORM_EPS)
        self.attention = EncoderAttention(config)
        self.ffn_norm = nn.LayerNorm(config.width, NORM_EPS)
        self.up: nn.Module = nn.Linear(config.width, config.ffn_width)
        self.gelu: nn.Module = nn.GELU()  # the exact one, by erf
        self.down = nn.Linear(config.ffn_width, config.width)

    def forward(self, x: Tensor) -> Resumable[Tensor]:
        """[chunks, frames, width] to the same.

        Pauses after attention: a whole layer can take a quarter of a second.
        """
        x = self.attention(self.attention_norm(x)).add_(x)
        yield
        out: Tensor = self.down(self.gelu(self.up(self.ffn_norm(x)))).add_(x)
        return out


class EncoderAttention(nn.Module):
    """Every frame attends to every frame of its chunk. Keys have no bias: it would cancel out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = LinearGroup(
            q=nn.Linear(config.width, config.width),
            k=nn.Linear(config.width, config.width, bias=False),
            v=nn.Linear(config.width, config.width),
        )
        # The dtype of `full_attention_by_head`; None uses PyTorch's attention in the dtype of x.
        self.attention_dtype: torch.dtype | None = None
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[chunks, frames, width] to the same."""
        q, k, v = (self._split_heads(part) for part in self.qkv(x))
        if self.attention_dtype:
            q, k, v = (part.to(self.attention_dtype) for part in (q, k, v))
            mixed = full_attention_by_head(q, k, v)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)  # scaled by 1 / sqrt(head_dim)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split_heads(self, x: Tensor) -> Tensor:
        """[chunks, frames, width] to [chunks, heads, frames, head_dim]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def sinusoids(length: int, width: int) -> Tensor:
    """Return Whisper's positions [length, width], float32: all sines, then all cosines.

    The frequencies fall geometrically from 1 to 1/10 000, both included: hence `half - 1`.
    """
    half = width // 2
    # In float32, as the stored tables were computed: in float64 the last bits would differ.
    frequencies = torch.exp(-math.log(10_000.0) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1)


class Projector(nn.Module):
    """Frames [chunks, 1500, encoder width] to embeddings [375 * chunks, decoder width].

    An embedding stands for 80 ms.
    """

    def __init__(self, config: VoxtralConfig) -> None:
        super().__init__()
        grouped, width = FRAMES_PER_TOKEN * config.encoder.width, config.decoder.width
        self.grouped = grouped
        self.linear1 = nn.Linear(grouped, width, bias=False)
        self.linear2 = nn.Linear(width, width, bias=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Join each four consecutive frames into one embedding."""
        embeddings: Tensor = self.linear2(F.gelu(self.linear1(frames.reshape(-1, self.grouped))))
        return embeddings
