"""What a model's engine will take of memory, known before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.engine.catalogue import ModelSpec

RUNTIME_BYTES = 400 * 2**20
"""Of an engine with PyTorch, but for its weights: 290 MiB at rest, the rest for a window's work."""


def footprints(spec: ModelSpec) -> Mapping[str | None, int]:
    """Bytes by profile, the most exact first, all included. The spec's own profile is among them.

    Of a checkpoint its headers are read: milliseconds. Raises `CheckpointError` for broken ones.
    Empty where the libraries that would load it are not installed.
    """
    if spec.checkpoint is None:
        return {spec.profile: spec.memory_bytes}
    try:
        from voxgate.voxtral.profiles import PROFILES, footprint  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return {}
    from voxgate.voxtral.folder import look  # noqa: PLC0415 (as above)

    folder = look(spec.checkpoint)
    return {profile: RUNTIME_BYTES + footprint(folder, profile) for profile in PROFILES}
