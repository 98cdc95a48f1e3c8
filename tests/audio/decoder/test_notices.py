from __future__ import annotations

import pytest

from voxgate.audio.decoder.notices import counted


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 times"), (1, "1 time"), (2, "2 times"), (140, "140 times")]
)
def test_one_is_not_plural(number: int, text: str) -> None:
    assert counted(number, "time") == text
