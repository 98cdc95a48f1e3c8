from __future__ import annotations

import pytest

from voxgate.audio.pcm import PcmDeclaration
from voxgate.errors import UsageError


def test_valid_declarations() -> None:
    assert PcmDeclaration.parse("s16le:16000") == PcmDeclaration("s16le", 16_000, 1)
    assert PcmDeclaration.parse("mulaw:8000:2") == PcmDeclaration("mulaw", 8_000, 2)


@pytest.mark.parametrize(
    "text",
    ["", "s16le", "s16le:", "s16le:fast", "s16le:16000:1:1", "s16le:-1", "s16le:16000:0",
     "mp3:16000", "s16le:1", "s16le:16000:65", "s16le:\u0661\u0666000"],
)  # fmt: skip
def test_invalid_declarations_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        PcmDeclaration.parse(text)
