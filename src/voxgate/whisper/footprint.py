"""What an engine with a Whisper takes of memory, computed before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.hardware import native_kernels

if TYPE_CHECKING:
    from voxgate.whisper.directory import WhisperDirectory, WhisperShape

CALLS = 2
"""Of the model at once, each with half the cores: threads within one call wait for each other at
each of its small steps, so that two calls of two windows take less time than one call of four: two
thirds with 30 s of speech in each, 0.85 with a voice note of 10 s (docs/log.md)."""

RUNTIME_BYTES = 180 * 2**20  # Python, CTranslate2, faster-whisper and its imports
POSITIONS = 448  # of the decoder: the cache grows with the prompt and the text
BEAMS = 5
FRAMES = 1500
FLOAT_BYTES = 4


def engine_bytes(directory: WhisperDirectory, windows: int) -> int:
    """Return the bytes of an engine that takes so many windows at once, on a CPU.

    A window has the keys and values of its text and its sound, and the attention between its
    frames, which the native kernels do without. To align a text, the probabilities of its tokens
    are computed for all at once.
    """
    shape = directory.config
    position = 2 * shape.width * shape.decoder_layers * FLOAT_BYTES
    heads = shape.width // 64
    attention = heads * FRAMES * FRAMES * FLOAT_BYTES
    window = position * (BEAMS * POSITIONS + FRAMES) + attention
    alignment = 2 * POSITIONS * shape.vocabulary * FLOAT_BYTES  # before and after the softmax
    weights = weight_bytes(directory) + (encoder_bytes(shape) if native_kernels.levels() else 0)
    return RUNTIME_BYTES + weights + windows * window + CALLS * alignment


def encoder_bytes(shape: WhisperShape) -> int:
    """Return the bytes of the native kernels' own encoder: 8-bit layers, and convolutions."""
    layers = shape.encoder_layers * 12 * shape.width**2
    return layers + 3 * shape.width * (shape.mel_bands + shape.width) * FLOAT_BYTES


def weight_bytes(directory: WhisperDirectory) -> int:
    """Return the bytes of the weights in memory: stored with 16 bits, loaded with 8."""
    return sum(file.stat().st_size for file in directory.files) // 2
