"""Which model is used by callers who name none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.spoken_digits import CHECKPOINT
from tests.whisper.weights import whisper_folder
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.models.default_model import choose_default, why_unable
from voxgate.models.footprint import memory_by_profile

if TYPE_CHECKING:
    from voxgate.models.store.registry import Registry
    from voxgate.settings import Settings


def test_the_newest_that_can_run_is_the_default(registry: Registry, settings: Settings) -> None:
    models = AvailableModels(settings)
    assert choose_default(models, settings).spec.name == DEFAULT_MODEL
    registry.add(CHECKPOINT, "acme/digits")
    chosen = choose_default(models, settings)
    assert (chosen.spec.name, chosen.reason) == ("acme/digits", None)


def test_one_that_does_not_fit_is_passed_over_for_the_next(
    registry: Registry, settings: Settings
) -> None:
    registry.add(CHECKPOINT, "acme/digits")
    registry.add(whisper_folder(), "acme/whisper")
    models = AvailableModels(settings)
    assert choose_default(models, settings).spec.name == "acme/whisper"
    (need,) = memory_by_profile(models["acme/whisper"]).values()
    chosen = choose_default(models, replace(settings, engine_memory_bytes=need - 1))
    assert chosen.spec.name == "acme/digits"
    assert chosen.reason is not None
    assert chosen.reason.startswith("acme/whisper takes ")


def test_the_format_of_the_weights_decides_what_fits(
    registry: Registry, settings: Settings
) -> None:
    registry.add(CHECKPOINT, "acme/digits")
    models = AvailableModels(settings)
    needs = memory_by_profile(models["acme/digits"])
    tight = replace(settings, engine_memory_bytes=needs["exact"] - 1, profile="exact", device="cpu")
    reason = why_unable(models["acme/digits"], tight)
    assert reason is not None
    assert reason.startswith("acme/digits takes ")
    assert "of memory as 'exact', and engines can have" in reason
    assert why_unable(models["acme/digits"], replace(tight, profile="fast")) is None


def test_where_none_can_run_the_first_says_why_when_it_is_used(
    registry: Registry, settings: Settings
) -> None:
    registry.add(CHECKPOINT, "acme/digits")
    chosen = choose_default(AvailableModels(settings), replace(settings, engine_memory_bytes=1))
    assert (chosen.spec.name, chosen.reason) == ("acme/digits", None)
