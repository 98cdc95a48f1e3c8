"""A recording of four seconds, and engines that end with their test."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engine.material import SECOND, voice_note
from voxgate.audio.spool import Audio
from voxgate.providers.local import LocalEngine


@pytest.fixture(scope="module")
def note() -> Iterator[Audio]:
    """The first seconds of the voice note, as a window."""
    window = Audio.from_pcm16(voice_note()[: 4 * SECOND])
    yield window
    window.spool.close()


@pytest.fixture
async def engines() -> AsyncIterator[list[LocalEngine]]:
    """A list to which a test adds the engines that it makes: they are closed after it."""
    created = list[LocalEngine]()
    yield created
    for engine in created:
        await engine.aclose()
