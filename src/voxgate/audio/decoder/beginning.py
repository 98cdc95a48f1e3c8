"""How containers begin: to find a recording that follows another one in the same file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.decoder.file import RegularFile
    from voxgate.audio.decoder.streamed_file import StreamedFile

BEGINNING: Final = re.compile(
    rb"RIFF....(?:WAVE|AVI )|RF64....WAVE|riff\x2e\x91\xcf\x11|FORM....AIF[FC]|caff\0\x01"
    rb"|\.snd\0\0\0|OggS\0\x02|fLaC[\0\x80]\0\0\x22|ID3[\x02-\x04]\0|#!AMR|TTA1\x01\0|MAC "
    rb"|Creative Voice File"
    rb"|wvpk....[\x02-\x10]\x04......\0\0\0\0|\0\0[\0-\x03].ftyp[\w ]{4}"
    rb"|\x1aE\xdf\xa3.{0,60}?(?:webm|matroska)|FLV\x01[\x01\x04\x05]\0\0\0\x09"
    rb"|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\.RMF\0\0\0\x12\0[\0\x01]|nut/multimedia container\0"
    rb"|\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02[\x01-\x04]\0"
    rb"|\xb7\xd8\x00\x20\x37\x49\xda\x11\xa6\x4e\x00\x07\xe9\x5e\xad\x8d",
    re.DOTALL,
)
BLOCK_BYTES: Final = 1 << 20  # searched at once
OVERLAP_BYTES: Final = 100  # no beginning is longer


def beginnings(file: RegularFile | StreamedFile, start: int, end: int) -> Iterator[int]:
    """Yield the positions in [start, end) where a recording may begin."""
    for at in range(start, end, BLOCK_BYTES):
        count = min(BLOCK_BYTES, end - at)
        for match in BEGINNING.finditer(file.read_at(at, count + OVERLAP_BYTES)):
            if match.start() < count:
                yield at + match.start()
