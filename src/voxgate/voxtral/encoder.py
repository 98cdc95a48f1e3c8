"""The audio encoder: 30 s of log-mel features to 1500 frames (voxtral-model.md A.3).

Whisper's: two convolutions, fixed sinusoidal positions, pre-norm layers with full attention inside
a chunk. Chunks are the batch: they do not see each other, and padded silence is real input.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral import attention
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN
from voxgate.voxtral.quantization.linear import LinearGroup
from voxgate.voxtral.resumable import Resumable, run_to_end

if TYPE_CHECKING:
    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import EncoderConfig, VoxtralConfig


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

    def forward(self, mel: Tensor) -> Tensor:
        """Encode at once."""
        return run_to_end(self.steps(mel))

    def steps(self, mel: Tensor) -> Resumable[Tensor]:
        """Encode, with two steps for each layer."""
        x = F.gelu(self.conv1(mel.to(self.conv1.weight.dtype)))
        x = F.gelu(self.conv2(x)).transpose(1, 2)
        # Added in float32, as the positions are. A sum keeps its first operand's order of memory:
        # left as it is, every later one would be strided, and every norm begin with a copy.
        x = (x + self.positions).to(x.dtype).contiguous()
        for layer in self.layers:
            yield
            x = yield from cast("EncoderLayer", layer).steps(x)
        frames: Tensor = self.norm(x)
        return frames


class EncoderLayer(nn.Module):
    """Attention, then a feed-forward network, each on a normed copy and added back."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width, NORM_EPS)
        self.attention = EncoderAttention(config)
        self.ffn_norm = nn.LayerNorm(config.width, NORM_EPS)
        self.up: nn.Module = nn.Linear(config.width, config.ffn_width)
        self.gelu: nn.Module = nn.GELU()  # by erf
        self.down = nn.Linear(config.ffn_width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[chunks, frames, width] to the same."""
        return run_to_end(self.steps(x))

    def steps(self, x: Tensor) -> Resumable[Tensor]:
        """The same, with a pause after attention: a whole layer may take a quarter of a second."""
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
        self.compute: torch.dtype | None = None  # of `attention.full`; None: PyTorch's, as x
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """[chunks, frames, width] to the same."""
        q, k, v = (self._divided(part) for part in self.qkv(x))
        if self.compute:
            mixed = attention.full_attention(*(part.to(self.compute) for part in (q, k, v)))
        else:
            mixed = F.scaled_dot_product_attention(q, k, v)  # scaled by 1 / sqrt(head_dim)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _divided(self, x: Tensor) -> Tensor:
        """[chunks, frames, width] to [chunks, heads, frames, head_dim]."""
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)


def sinusoids(length: int, width: int) -> Tensor:
    """Whisper's positions [length, width], float32: all sines, then all cosines.

    The frequencies fall geometrically from 1 to 1/10 000, both included: hence `half - 1`.
    """
    half = width // 2
    # Stored tables were computed in float32; in float64 the last bits would differ from theirs.
    frequencies = torch.exp(-math.log(10_000.0) / (half - 1) * torch.arange(half))
    angles = torch.arange(length)[:, None] * frequencies
    return torch.cat((angles.sin(), angles.cos()), dim=1)


# MERGED voxtral.projector
# The projector: encoder frames to embeddings that the decoder reads (voxtral-model.md A.3).


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
