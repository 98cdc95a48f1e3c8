"""Whisper's encoder by the native kernels: log-mel features to frames of 20 ms.

CTranslate2 has an encoder too, and serves where there are no kernels. Both round weights and inputs
of products to 8 bits, in the same way. This one takes a third of its time with AVX-512, since its
products are of 8 bits throughout and its attention is of 16 (docs/log.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from voxgate.errors import CheckpointError
from voxgate.whisper.kernels import Int8Matrix, LayerNorm, add_bias_and_gelu, attend
from voxgate.whisper.weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from voxgate.whisper.kernels import Floats
    from voxgate.whisper.weights import Weights

HEAD_DIM = 64  # of every published size
FFN = 4  # times as wide as a frame is the network between
FFN_FRAMES = 500  # of 1500 at a time: what is between its layers stays in a cache
KERNEL = 3  # features, or frames, that a convolution sees


@dataclass(frozen=True, slots=True, eq=False)
class EncoderLayer:
    """Attention, then a feed-forward network, each on a normalized copy and added back."""

    attention_norm: LayerNorm
    qkv: Int8Matrix
    out: Int8Matrix
    ffn_norm: LayerNorm
    up: Int8Matrix
    down: Int8Matrix

    @classmethod
    def read(cls, weights: Weights, name: str) -> Self:
        """Read and quantize a layer."""
        attention, ffn = f"{name}/self_attention", f"{name}/ffn"
        return cls(
            attention_norm=_norm(weights, f"{attention}/layer_norm"),
            qkv=_matrix(weights, f"{attention}/linear_0"),
            out=_matrix(weights, f"{attention}/linear_1"),
            ffn_norm=_norm(weights, f"{ffn}/layer_norm"),
            up=_matrix(weights, f"{ffn}/linear_0"),
            down=_matrix(weights, f"{ffn}/linear_1"),
        )


class Encoder:
    """A loaded encoder. Several threads may call it at once."""

    def __init__(self, weights: Weights, threads: int) -> None:
        self._threads = threads
        self._convolutions = [_convolution(weights, f"encoder/conv{number}") for number in (1, 2)]
        self._positions = weights["encoder/position_encodings/encodings"]
        count = sum(name.endswith("/self_attention/linear_0/weight") for name in weights)
        self._layers = [
            EncoderLayer.read(weights, f"encoder/layer_{number}") for number in range(count)
        ]
        self._norm = _norm(weights, "encoder/layer_norm")

    @classmethod
    def load(cls, model_file: Path, threads: int) -> Self:
        """Read the encoder of CTranslate2's file, each call to compute with so many threads.

        Raises `CheckpointError`.
        """
        try:
            return cls(read_weights(model_file, "encoder/"), threads)
        except KeyError as error:
            raise CheckpointError(f"{model_file} lacks {error}. Get it again.") from None

    def encode(self, features: Sequence[NDArray[np.float32]]) -> Floats:
        """Encode windows of [bands, 3000] to [windows, 1500, width], one after the other."""
        return np.stack([self._encode(window) for window in features])

    def _encode(self, window: NDArray[np.float32]) -> Floats:
        x = self._convolve(window)
        count, width = x.shape
        normal, added = np.empty_like(x), np.empty_like(x)
        qkv, mixed = np.empty((count, 3 * width), np.uint16), np.empty((count, width), np.uint16)
        wide = np.empty((FFN_FRAMES, FFN * width), np.float32)
        before = None
        for layer in self._layers:
            layer.attention_norm.apply(x, before, normal, self._threads)
            layer.qkv.product(normal, qkv, self._threads)
            attend(qkv, mixed, width // HEAD_DIM, self._threads)
            layer.out.product(mixed, added, self._threads)
            layer.ffn_norm.apply(x, added, normal, self._threads)
            for start in range(0, count, FFN_FRAMES):
                part = slice(start, start + FFN_FRAMES)
                layer.up.product(normal[part], wide, self._threads, gelu=True)
                layer.down.product(wide, added[part], self._threads)
            before = added
        self._norm.apply(x, before, normal, self._threads)
        return normal

    def _convolve(self, window: NDArray[np.float32]) -> Floats:
        """Return the embedding of each frame, [1500, width]. In float32, as CTranslate2 does."""
        x = window.T
        for step, (weight, bias) in enumerate(self._convolutions, start=1):  # the second halves
            width = x.shape[1]
            padded = np.pad(x, ((1, 1), (0, 0))).reshape(-1)
            seen = sliding_window_view(padded, KERNEL * width)[:: step * width]
            x = np.ascontiguousarray(seen) @ weight
            add_bias_and_gelu(x, bias, self._threads)
        return x + self._positions


def _convolution(weights: Weights, name: str) -> tuple[Floats, Floats]:
    """Return the weights [3 inputs, outputs] and the bias of a convolution."""
    weight = weights[f"{name}/weight"]  # [outputs, inputs, 3]
    return weight.transpose(2, 1, 0).reshape(-1, len(weight)), weights[f"{name}/bias"]


def _matrix(weights: Weights, name: str) -> Int8Matrix:
    return Int8Matrix.quantize(weights[f"{name}/weight"], weights[f"{name}/bias"])


def _norm(weights: Weights, name: str) -> LayerNorm:
    return LayerNorm(weights[f"{name}/gamma"], weights[f"{name}/beta"])
