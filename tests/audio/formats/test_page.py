"""No false alarm, no silent loss: each container, whole and harmed, as docs/formats.md tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.audio.formats.cells import HARMS, cells, is_right
from tests.audio.formats.containers import CONTAINERS
from tests.audio.formats.page import PAGE, foot, head, row

if TYPE_CHECKING:
    from tests.audio.formats.containers import Written
    from voxgate.audio.decoder_pool import DecoderPool

ADVICE = "run `python -m tests.audio.formats.page`"


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda each: each.title)
async def test_a_container_loses_nothing_silently_and_alarms_nobody(
    container: Written, decoders: DecoderPool
) -> None:
    found = await cells(container, decoders)
    for harm, cell in zip(HARMS, found, strict=True):
        assert cell is None or is_right(harm, cell), f"{harm.title}: {cell}"
    assert row(container, found) in PAGE.read_text(encoding="utf-8"), ADVICE


def test_the_page_has_these_rows_and_no_others() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(head()), ADVICE
    assert text.endswith(foot()), ADVICE
    rows = text.removeprefix(head()).removesuffix(foot()).splitlines()
    assert [line.split(" | ")[0] for line in rows] == [f"| {each.title}" for each in CONTAINERS]
