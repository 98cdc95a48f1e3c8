"""How precisely a model's weights are held, in OpenRouter's words (openrouter-api.md 4.4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.engine.catalogue import ModelSpec

UNKNOWN = "unknown"
STORED = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}  # by safetensors' own names


def precision(spec: ModelSpec) -> str:
    """The type of most of the weights in the spec's profile; `unknown` where nobody says.

    In the exact profile it is the type that they are stored in: weights that are widened when they
    are loaded are no more precise for that. Of it headers are read: milliseconds. Raises
    `CheckpointError` for broken ones.
    """
    if spec.checkpoint is None or spec.profile is None:
        return UNKNOWN
    try:
        from voxgate.voxtral import profiles  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return UNKNOWN
    schemes = profiles.PROFILES[profiles.named(spec.profile)]
    return schemes.language_model if schemes.quantised else _stored(spec.checkpoint)


def _stored(checkpoint: Path) -> str:
    from voxgate.voxtral.folder import look  # noqa: PLC0415 (who asks for no checkpoint needs none)
    from voxgate.voxtral.header import announced_by  # noqa: PLC0415 (as above)

    nbytes = Counter[str]()
    for path in look(checkpoint).files:
        for tensor in announced_by(path).values():
            nbytes[tensor.dtype] += tensor.nbytes
    return STORED[max(nbytes, key=nbytes.__getitem__)]
