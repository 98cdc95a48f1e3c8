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

from voxgate.hardware.int8_panels import INT8_PANEL
from voxgate.whisper.kernels import Int8Matrix, LayerNorm, add_bias_and_gelu, attend
from voxgate.whisper.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from voxgate.whisper.directory import WhisperDirectory, WhisperShape
    from voxgate.whisper.kernels import Floats

FRAMES = 1500  # of a window
FFN_FRAMES = 500  # of them at a time: what is between its layers stays in a cache
FFN = 4  # times as wide as a frame is the network between
KERNEL = 3  # features, or frames, that a convolution sees
HEADS = "encoder/num_heads"
HEAD_DIM_STEP, MAX_HEAD_DIM = 16, 256  # of `attend`: a multiple of the first, at most


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
    def read(cls, weights: Weights, name: str, width: int) -> Self:
        """Read and quantize a layer."""
        attention, ffn = f"{name}/self_attention", f"{name}/ffn"
        return cls(
            attention_norm=_norm(weights, f"{attention}/layer_norm", width),
            qkv=_matrix(weights, f"{attention}/linear_0", 3 * width, width),
            out=_matrix(weights, f"{attention}/linear_1", width, width),
            ffn_norm=_norm(weights, f"{ffn}/layer_norm", width),
            up=_matrix(weights, f"{ffn}/linear_0", FFN * width, width),
            down=_matrix(weights, f"{ffn}/linear_1", width, FFN * width),
        )


class Encoder:
    """A loaded encoder. Several threads may call it at once."""

    def __init__(self, weights: Weights, shape: WhisperShape, heads: int, threads: int) -> None:
        width = shape.width
        self._heads, self._threads = heads, threads
        self._convolutions = [
            _convolution(weights, "encoder/conv1", shape.mel_bands, width),
            _convolution(weights, "encoder/conv2", width, width),
        ]
        self._positions = weights.read("encoder/position_encodings/encodings", FRAMES, width)
        self._layers = [
            EncoderLayer.read(weights, f"encoder/layer_{number}", width)
            for number in range(shape.encoder_layers)
        ]
        self._norm = _norm(weights, "encoder/layer_norm", width)

    @classmethod
    def load(cls, directory: WhisperDirectory, threads: int) -> Self | None:
        """Read the encoder of CTranslate2's file, each call to compute with so many threads.

        None for a shape that the kernels do not take, which no published size has. Raises
        `CheckpointError`.
        """
        weights, shape = Weights(directory.files[0]), directory.config
        heads = int(weights.read(HEADS)) if HEADS in weights else 0
        if heads < 1 or shape.width % INT8_PANEL or shape.width % heads:
            return None
        head_dim = shape.width // heads
        if head_dim % HEAD_DIM_STEP or head_dim > MAX_HEAD_DIM:
            return None
        return cls(weights, shape, heads, threads)

    def encode(self, features: Sequence[NDArray[np.float32]]) -> Floats:
        """Encode windows of [bands, 3000] to [windows, 1500, width], one after the other."""
        return np.stack([self._encode(window) for window in features])

    def _encode(self, window: NDArray[np.float32]) -> Floats:
        x = self._convolve(window)
        width = x.shape[1]
        normal, added = np.empty_like(x), np.empty_like(x)
        qkv, mixed = np.empty((FRAMES, 3 * width), np.uint16), np.empty((FRAMES, width), np.uint16)
        wide = np.empty((FFN_FRAMES, FFN * width), np.float32)
        before = None
        for layer in self._layers:
            layer.attention_norm.apply(x, before, normal, self._threads)
            layer.qkv.product(normal, qkv, self._threads)
            attend(qkv, mixed, self._heads, self._threads)
            layer.out.product(mixed, added, self._threads)
            layer.ffn_norm.apply(x, added, normal, self._threads)
            for start in range(0, FRAMES, FFN_FRAMES):
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


def _convolution(weights: Weights, name: str, inputs: int, outputs: int) -> tuple[Floats, Floats]:
    """Return the weights [3 inputs, outputs] and the bias of a convolution."""
    weight = weights.read(f"{name}/weight", outputs, inputs, KERNEL)
    rows = weight.transpose(2, 1, 0).reshape(KERNEL * inputs, outputs)
    return rows, weights.read(f"{name}/bias", outputs)


def _matrix(weights: Weights, name: str, outputs: int, inputs: int) -> Int8Matrix:
    weight = weights.read(f"{name}/weight", outputs, inputs)
    return Int8Matrix.quantize(weight, weights.read(f"{name}/bias", outputs))


def _norm(weights: Weights, name: str, width: int) -> LayerNorm:
    return LayerNorm(weights.read(f"{name}/gamma", width), weights.read(f"{name}/beta", width))
