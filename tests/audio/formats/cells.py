"""One recording in one container, whole or harmed in one of seven ways, and what is made of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from tests.audio.formats import bursts
from tests.decoding import decode
from tests.sounds import RATE, encode, ffmpeg
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.audio.formats.containers import Written
    from tests.sounds import Pcm
    from voxgate.audio.decoder_pool import DecoderPool

LATE_S: Final = 3
LONGER_S: Final = 5
DAMAGE: Final = (0.45, 0.62)  # of the file's bytes: at least one burst is in it
SEED: Final = 14
LOSS: Final = {"truncated_audio", "damaged_audio"}


@dataclass(frozen=True)
class Harm:
    """A way in which a file differs from a whole one."""

    title: str
    make: Callable[[Written], bytes | None]  # None where the container cannot have it
    delay_s: float = 0
    is_loss: bool = False  # sound is missing from the file
    is_wrong: bool = False  # a header states another length than the file has


@dataclass(frozen=True)
class Cell:
    """What the decoder made of a file."""

    words: str  # all, part, none
    in_time: bool  # each that is heard is where it was said
    codes: tuple[str, ...]  # of the notices, or of the error
    unknowable: str = ""  # why nothing can tell of a loss

    def __str__(self) -> str:
        place = "" if self.words == "none" else ", in time" if self.in_time else ", not in time"
        said = ", ".join(f"`{code}`" for code in self.codes) or self.unknowable
        return f"{self.words}{place}" + (f"; {said}" if said else "")


def whole(container: Written) -> bytes:
    """Return the recording in this container, with a picture of the same length if it holds one."""
    return film(container, bursts.SECONDS) if container.picture else sound(container)


@cache
def sound(container: Written) -> bytes:
    """Return the recording without a picture."""
    return encode(bursts.bursts(), container.name, *container.sound)


@cache
def film(container: Written, picture_s: float, delay_s: float = 0) -> bytes:
    """Return the recording with a picture, which begins `delay_s` before the sound."""
    late = ("-bsf:a", f"setts=ts=PTS+{delay_s}/TB") if delay_s else ()
    return ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc=size=64x64:rate=5:duration={picture_s}"),
        *("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", "-", "-map", "0:v", "-map", "1:a"),
        *(*container.picture, *container.sound, *late, container.name),
        data=bursts.bursts().astype("<i2").tobytes(),
    )


def cut(container: Written) -> bytes:
    """Return the file without the last third of its bytes."""
    data = whole(container)
    return data[: len(data) * 2 // 3]


def joined(container: Written) -> bytes:
    """Return two files, one after the other."""
    return 2 * whole(container)


def late(container: Written) -> bytes | None:
    """Return a film whose sound begins later than its picture."""
    if not container.picture or not container.starts_late:
        return None
    return film(container, bursts.SECONDS + LATE_S, LATE_S)


def longer(container: Written) -> bytes | None:
    """Return a film whose picture lasts longer than its sound."""
    return film(container, bursts.SECONDS + LONGER_S) if container.picture else None


def stated(container: Written, factor: float) -> bytes | None:
    """Return the file with another length in its header."""
    data = whole(container)
    for edit in container.lengths:
        data = edit(data, factor)
    return data if container.lengths else None


def damaged(container: Written, *, noise: bool) -> bytes:
    """Return the file with other bytes in its middle: random ones, or zeros."""
    data = whole(container)
    start, end = (round(share * len(data)) for share in DAMAGE)
    other = random.Random(SEED).randbytes(end - start) if noise else bytes(end - start)
    return data[:start] + other + data[end:]


HARMS: Final = (
    Harm("whole", whole),
    Harm("cut off", cut, is_loss=True),
    Harm("header states half", lambda each: stated(each, 0.5), is_wrong=True),
    Harm("header states twice", lambda each: stated(each, 2), is_wrong=True),
    Harm("late sound", late, delay_s=LATE_S),
    Harm("longer picture", longer),
    Harm("joined", joined),
    Harm("noise in the middle", lambda each: damaged(each, noise=True), is_loss=True),
    Harm("zeros in the middle", lambda each: damaged(each, noise=False), is_loss=True),
)


async def cells(container: Written, decoders: DecoderPool) -> list[Cell | None]:
    """Return the cells of a row, one for each harm; None where the container cannot have it."""
    length = len((await decode(whole(container), decoders)).pcm)
    found: list[Cell | None] = []
    for harm in HARMS:
        data = harm.make(container)
        found.append(await cell(container, harm, data, length, decoders) if data else None)
    return found


async def cell(
    container: Written, harm: Harm, data: bytes, length: int, decoders: DecoderPool
) -> Cell:
    """Decode a file, and listen. The whole one lasts `length` samples."""
    try:
        decoded = await decode(data, decoders)
    except AudioError as error:
        return Cell("none", in_time=True, codes=(error.code,))
    parts = [decoded.pcm] if harm.make is not joined else _halves(decoded.pcm, length)
    found = [late_s for part in parts for late_s in bursts.heard(part, harm.delay_s)]
    heard = [late_s for late_s in found if late_s is not None]
    words = "all" if len(heard) == len(found) else "part" if heard else "none"
    codes = tuple(sorted(decoded.codes))
    unknowable = ""
    if words != "all" and not codes and harm.is_loss:
        unknowable = _why_unknowable(container, harm, decoded.facts.codec)
    in_time = all(abs(late_s) <= bursts.PLACE_S for late_s in heard)
    return Cell(words, in_time, codes, unknowable)


def is_right(harm: Harm, cell: Cell) -> bool:
    """Return whether there is neither a false alarm nor a silent loss."""
    codes = set(cell.codes)
    if not cell.in_time:
        return False
    if cell.words != "all":
        return (harm.is_loss or harm.is_wrong) and bool(codes & LOSS or cell.unknowable)
    allowed = LOSS | {"header_lies"} if harm.is_wrong else {"header_lies"}
    return not harm.is_loss and codes <= (
        allowed if harm.make is joined or harm.is_wrong else set()
    )


def _why_unknowable(container: Written, harm: Harm, codec: str) -> str:
    if harm.make is cut:
        return "" if container.lengths else "no length stated"
    return "any bytes are sound" if codec.startswith(("pcm_", "adpcm_")) else ""


def _halves(pcm: Pcm, length: int) -> list[Pcm]:
    return [pcm[:length], pcm[length:]]
