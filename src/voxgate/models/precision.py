"""The precision of a model's weights, in OpenRouter's terms (openrouter-api.md 4.4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.catalogue import ModelSpec

UNKNOWN_PRECISION = "unknown"
STORED_PRECISION = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}  # by safetensors' names


def precision_of(spec: ModelSpec) -> str:
    """Return the type of most weights in the spec's profile; `unknown` without one.

    In the exact profile this is the type in which they are stored: widening them on load adds no
    precision. It is read from the headers of the files, in milliseconds. Raises `CheckpointError`
    for broken headers.
    """
    if spec.checkpoint is None or spec.profile is None:
        return UNKNOWN_PRECISION
    try:
        from voxgate.voxtral.quantization import profiles  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return UNKNOWN_PRECISION
    schemes = profiles.PROFILES[profiles.parse_profile(spec.profile)]
    return schemes.language_model if schemes.quantized else _stored_precision(spec.checkpoint)


def _stored_precision(checkpoint: Path) -> str:
    """Return the type of most of the bytes in a checkpoint's files."""
    from voxgate.voxtral.checkpoint.directory import open_directory  # noqa: PLC0415 (only checkpoints need it)
    from voxgate.voxtral.checkpoint.safetensors_file import read_header  # noqa: PLC0415 (it needs an extra)

    nbytes = Counter[str]()
    for path in open_directory(checkpoint).files:
        for tensor in read_header(path).values():
            nbytes[tensor.dtype] += tensor.nbytes
    return STORED_PRECISION[max(nbytes, key=nbytes.__getitem__)]
