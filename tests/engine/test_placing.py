"""Where a model computes, by what the settings say and what cards there are."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.spoken_digits import CHECKPOINT
from voxgate.engine.catalogue import CARD_WINDOWS, MODELS, VOXTRAL, ModelSpec, find
from voxgate.engine.footprints import CARD_BYTES, footprints
from voxgate.engine.placing import placed
from voxgate.settings import Settings
from voxgate.voxtral.cards import Card
from voxgate.voxtral.checkpoint import Checkpoint
from voxgate.voxtral.folder import look
from voxgate.voxtral.profiles import footprint

LARGE = Card("GPU-1", "Large", (9, 0), total_bytes=2**36, free_bytes=2**36)
SMALL = replace(LARGE, name="Small", total_bytes=2**31)
OLD = replace(LARGE, name="Old", capability=(7, 5))


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return find(str(CHECKPOINT))


@pytest.mark.parametrize(
    ("device", "profile", "cards", "where"),
    [
        ("auto", "auto", [], ("cpu", "balanced")),
        ("auto", "auto", [LARGE], ("cuda:0", "exact")),
        ("auto", "exact", [LARGE], ("cuda:0", "exact")),
        ("auto", "fast", [LARGE], ("cpu", "fast")),
        ("auto", "auto", [OLD], ("cpu", "balanced")),
        ("auto", "auto", [SMALL], ("cpu", "balanced")),
        ("auto", "auto", [OLD, SMALL, LARGE], ("cuda:2", "exact")),
        ("auto", "exact", [OLD], ("cpu", "exact")),
        ("cpu", "auto", [LARGE], ("cpu", "balanced")),
        ("cpu", "fast", [LARGE], ("cpu", "fast")),
        ("cuda", "auto", [], ("cuda:0", "exact")),
        ("cuda:1", "exact", [OLD], ("cuda:1", "exact")),
    ],
)
def test_a_model_is_placed(
    spec: ModelSpec, device: str, profile: str, cards: list[Card], where: tuple[str, str]
) -> None:
    found = placed(spec, Settings(device=device, profile=profile), lambda: cards)
    assert (found.device, found.profile) == where
    windows = VOXTRAL.concurrency if where[0] == "cpu" else CARD_WINDOWS
    assert found.capabilities == replace(VOXTRAL, concurrency=windows)
    assert found.profile in footprints(found)


def test_memory_that_engines_may_not_have_draws_no_model_to_a_card(spec: ModelSpec) -> None:
    need = footprints(spec.on("cuda", "exact"))["exact"]
    for most, where in ((need - 1, "cpu"), (need, "cuda:0")):
        settings = Settings(engine_memory_bytes=most)
        assert placed(spec, settings, lambda: [LARGE]).device == where


def test_a_model_that_comes_back_from_a_card_has_a_processors_windows(spec: ModelSpec) -> None:
    there = placed(spec, Settings(), lambda: [LARGE])
    assert placed(there, Settings(), list).capabilities == spec.capabilities


def test_a_model_without_a_choice_stays_where_it_is() -> None:
    sphinx = MODELS["cmusphinx/en-us"]
    assert placed(sphinx, Settings(device="cuda"), lambda: [LARGE]) is sphinx


def test_on_a_card_weights_are_counted_as_they_are_stored(spec: ModelSpec) -> None:
    on_card = placed(spec, Settings(device="cuda"))
    (need,) = footprints(on_card).values()
    checkpoint = Checkpoint.open(CHECKPOINT)
    weights = footprint(look(CHECKPOINT), "exact", "cuda:0")
    assert weights == checkpoint.nbytes(checkpoint.dtype)
    assert need > CARD_BYTES + weights


def test_a_model_is_placed_without_pytorch() -> None:
    """The server places models; its process has no use for PyTorch."""
    code = f"""
import sys
from voxgate.engine.catalogue import find
from voxgate.engine.placing import placed
from voxgate.settings import Settings
placed(find({str(CHECKPOINT)!r}), Settings())
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
