"""Write docs/formats.md: `python -m tests.audio.formats.page`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

import tests.conftest  # noqa: F401 (sets the environment before anything of Voxgate is imported)
from tests.audio.formats.cells import HARMS, cells
from tests.audio.formats.containers import CONTAINERS
from voxgate.audio.decoder.opening import FORMATS
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.audio.formats.cells import Cell
    from tests.audio.formats.containers import Written

PAGE: Final = Path(__file__).parents[3] / "docs" / "formats.md"
HEAD: Final = """\
# Containers, whole and harmed

Written by `python -m tests.audio.formats.page` from what the decoder makes of real files; `make
test` compares.

Each file is eight seconds with a burst of sound in each, written by FFmpeg, with a picture where
the container holds one. A cell tells how many of these "words" are heard (all, part, none), that
those which are heard are within 50 ms of where they were said, and the code of what is reported.
A cut file lacks the last third of its bytes; in a damaged one, 17 % in the middle are random or
zeros; late sound begins three seconds after the picture; a longer picture lasts five seconds more
than the sound. No cell has a false alarm, or a loss without a report, except where nothing in the
file can tell of it: "no length stated" (the format states none, and the cut leaves no half
packet), or "any bytes are sound" (the codec has no checksum). A dash: the container has no such
thing, or FFmpeg cannot write it.

"""


def head() -> str:
    """Return the page down to the first row."""
    titles = " | ".join(harm.title for harm in HARMS)
    return f"{HEAD}| container | {titles} |\n|{'---|' * (1 + len(HARMS))}\n"


def row(container: Written, found: Sequence[Cell | None]) -> str:
    """Return a line of the table."""
    return f"| {container.title} | {' | '.join(str(cell or '-') for cell in found)} |\n"


def foot() -> str:
    """Return the page below the table."""
    tried = {container.demuxer for container in CONTAINERS}
    others = ", ".join(name for name in FORMATS if name not in tried)
    return f"\nRead as well, but not tried here: {others}.\n"


async def page() -> str:
    """Return the whole page. It takes about a minute."""
    async with DecoderPool(Settings()) as decoders:
        rows = [row(each, await cells(each, decoders)) for each in CONTAINERS]
    return head() + "".join(rows) + foot()


if __name__ == "__main__":
    PAGE.write_text(asyncio.run(page()), encoding="utf-8")
