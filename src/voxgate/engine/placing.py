"""Where a model computes, and how its weights are held there: as settings say, or leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.engine.footprints import footprints
from voxgate.voxtral import cards

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voxgate.engine.catalogue import ModelSpec
    from voxgate.settings import Settings
    from voxgate.voxtral.cards import Card

OPEN = "auto"
ON_A_PROCESSOR, ON_A_CARD = "balanced", "exact"
"""The profiles where none is asked for. A card has no other: its kernels know 16 bits."""


def placed(
    spec: ModelSpec, settings: Settings, here: Callable[[], Sequence[Card]] = cards.here
) -> ModelSpec:
    """The model on its device and in its profile, where it has a choice of them.

    Left open, the device is the first card that computes with bfloat16 and is large enough, within
    the memory that engines may have, unless the profile is one of a processor's; else the
    processor. What other programs have on it at the moment is not looked at. A device that is
    named is believed: its engine says what is wrong with it. Raises `CheckpointError` for a
    broken one.
    """
    if spec.profile is None:
        return spec
    if (device := settings.device) == OPEN:
        most = settings.engine_memory_bytes
        card = None if is_processors(settings.profile) else _first(spec, here(), most)
        device = "cpu" if card is None else f"cuda:{card}"
    device = "cuda:0" if device == "cuda" else device
    usual = ON_A_PROCESSOR if device == "cpu" else ON_A_CARD
    return spec.on(device, usual if settings.profile == OPEN else settings.profile)


def is_processors(profile: str) -> bool:
    """Whether a profile is for a processor alone."""
    return profile not in {OPEN, ON_A_CARD}


def _first(spec: ModelSpec, found: Sequence[Card], most: float) -> int | None:
    """The number of the first card that the model can be on, with `most` bytes for engines."""
    able = [n for n, card in enumerate(found) if card.capability >= cards.BFLOAT16]
    if not able:
        return None
    need = footprints(spec.on("cuda", ON_A_CARD)).get(ON_A_CARD)
    fitting = (n for n in able if need is not None and need <= min(most, found[n].total_bytes))
    return next(fitting, None)
