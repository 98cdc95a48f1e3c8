"""A room for each device."""

from pathlib import Path

import pytest

from tests.spoken_digits import CHECKPOINT
from voxgate.errors import NoWeightsError
from voxgate.models.catalogue import BUILT_IN_MODELS, find_model
from voxgate.models.placement import place_model
from voxgate.providers.local import LocalEngine
from voxgate.providers.memory_arbiter import MemoryArbiters
from voxgate.settings import Settings


def test_models_of_a_device_share_a_room_and_of_two_do_not() -> None:
    rooms = MemoryArbiters(Settings())
    assert rooms.of("cpu") is rooms.of("cpu")
    assert len({rooms.of("cpu"), rooms.of("cuda:0"), rooms.of("cuda:1")}) == 3


async def test_a_model_on_a_card_takes_nothing_from_the_machines_room(tmp_path: Path) -> None:
    """All that engines may have of the machine is little, and the card's is its driver's to say."""
    settings = Settings(home=tmp_path, device="cuda")
    rooms = MemoryArbiters(settings)
    spec = place_model(find_model(str(CHECKPOINT)), settings)
    on_card = LocalEngine(spec, settings, rooms.of(spec.device))
    assert list(on_card.needs) == [on_card.profile] == ["exact"]
    assert rooms.of(spec.device).fits(on_card)
    assert on_card.mapped == 0
    sphinx = LocalEngine(BUILT_IN_MODELS["cmusphinx/en-us"], settings, rooms.of("cpu"))
    assert rooms.of("cpu").fits(sphinx)
    await on_card.aclose()
    await sphinx.aclose()


async def test_a_card_that_cannot_be_there_is_a_404_before_any_engine_starts(
    tmp_path: Path,
) -> None:
    """No 5xx: clients repeat that for an hour. The tests hide this machine's cards."""
    settings = Settings(home=tmp_path, device="cuda:1")
    engine = LocalEngine(place_model(find_model(str(CHECKPOINT)), settings), settings)
    with pytest.raises(
        NoWeightsError, match=r"on 'cuda:1', and .*\. VOXGATE_DEVICE=cpu"
    ) as refused:
        engine.admit()
    assert refused.value.status == 404
    assert engine.pid is None
    await engine.aclose()
