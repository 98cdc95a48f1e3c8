"""What a model's engine will take of memory, known before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.engine.rounds import RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.engine.catalogue import ModelSpec
    from voxgate.voxtral.config import DecoderConfig

CARD_BYTES = 2 * 2**30
"""On a card, but for weights and cache: its context, its libraries' workspaces, what a batch of the
encoder computes, recorded steps. Reckoned, not measured."""

RUNTIME_BYTES = 400 * 2**20
"""Of an engine with PyTorch, but for its weights: 290 MiB at rest, the rest for a window's work."""

WINDOW_POSITIONS = 850
"""Of the cache for 30 s: 375 of sound, a dozen of the prompt, at most 452 of text."""


def footprints(spec: ModelSpec) -> Mapping[str | None, int]:
    """Bytes by profile, the most exact first, all included. The spec's own profile is among them.

    They are of the spec's device. Of a checkpoint its headers are read: milliseconds. Raises
    `CheckpointError` for broken ones. Empty where the libraries that would load it are not
    installed.
    """
    if spec.checkpoint is None:
        return {spec.profile: spec.memory_bytes}
    try:
        from voxgate.voxtral.profiles import PROFILES, footprint  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return {}
    from voxgate.voxtral.folder import look  # noqa: PLC0415 (as above)

    folder = look(spec.checkpoint)
    rest = _cache_bytes(spec, folder.config.decoder)
    if spec.device != "cpu":
        return {"exact": CARD_BYTES + rest + footprint(folder, "exact", spec.device)}
    return {profile: RUNTIME_BYTES + rest + footprint(folder, profile) for profile in PROFILES}


def _cache_bytes(spec: ModelSpec, decoder: DecoderConfig) -> int:
    """Of keys and values of all windows at once, in 16 bits."""
    position = 2 * 2 * decoder.layers * decoder.kv_heads * decoder.head_dim
    return position * WINDOW_POSITIONS * (spec.capabilities.concurrency + RESERVED)
