"""How precisely a model's weights are held, in OpenRouter's words (openrouter-api.md 4.4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from voxgate.engine.catalogue import PROFILE

if TYPE_CHECKING:
    from voxgate.engine.catalogue import ModelSpec

UNKNOWN = "unknown"
NAMES = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}  # by safetensors' own


def precision(spec: ModelSpec) -> str:
    """The type that most of the weights are stored in; `unknown` where nobody says.

    In the exact profile alone: weights that are widened when they are loaded are no more precise
    for that. Reads headers: milliseconds. Raises `CheckpointError` for broken ones.
    """
    if spec.checkpoint is None or spec.profile != PROFILE:
        return UNKNOWN
    try:
        from voxgate.voxtral.header import announced_by  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return UNKNOWN
    from voxgate.voxtral.folder import look  # noqa: PLC0415 (as above)

    stored = Counter[str]()
    for path in look(spec.checkpoint).files:
        for tensor in announced_by(path).values():
            stored[tensor.dtype] += tensor.nbytes
    return NAMES[max(stored, key=stored.__getitem__)]
