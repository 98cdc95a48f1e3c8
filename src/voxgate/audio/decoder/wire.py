"""What a decoder's process says to its caller, over a pipe: messages of a kind, a length, a body.

    FACTS   JSON     once, first: what the container says of itself
    SOUND   PCM16    mono, 16 kHz, little-endian; appended to what came before
    SPEECH  float32  probabilities of speech, one for each 512 samples from the beginning
    NOTICE  JSON     {"code", "sentence"}: something to know about the result
    ERROR   JSON     {"code", "sentence"}: the end, without a result
    END     empty    the end: everything was decoded

A pipe that ends without ERROR or END means that the process died.
"""

from __future__ import annotations

import os
import struct
from typing import Final

FACTS: Final = b"F"
SOUND: Final = b"S"
SPEECH: Final = b"P"
NOTICE: Final = b"N"
ERROR: Final = b"E"
END: Final = b"Z"

HEADER: Final = struct.Struct("<cI")
MAX_BODY: Final = 1 << 24  # no block comes near it: more is a decoder gone astray


def send(fd: int, kind: bytes, body: bytes = b"") -> None:
    """Write one message, waiting while the pipe is full: that is the back-pressure."""
    view = memoryview(HEADER.pack(kind, len(body)) + body)
    while view:
        view = view[os.write(fd, view) :]
