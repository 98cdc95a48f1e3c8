"""`encode`: a window's sound in the first format that an upstream takes and that fits its limit.

The samples are ours, so they are encoded in this process. The decoded file begins with the window's
first sample in every format: Opus states its pre-skip and MP3 its delay, and decoders leave both
out. A decoder that does not know LAME's header leaves MP3's in: 69 ms.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, cast

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.errors import UpstreamError

if TYPE_CHECKING:
    import av

    from voxgate.audio.spool import Audio
    from voxgate.upstreams import SoundFormat, Upstream

SHORTEST_S = 0.1
"""OpenAI refuses less (openai-api.md 6): silence is appended."""


class _Encoder(NamedTuple):
    codec: str  # FFmpeg's name
    media_type: str
    bits_s: int | None = None  # bits a second; None: lossless


_ENCODERS: dict[SoundFormat, _Encoder] = {
    "flac": _Encoder("flac", "audio/flac"),
    "ogg": _Encoder("libopus", "audio/ogg", 32_000),
    "mp3": _Encoder("libmp3lame", "audio/mpeg", 64_000),
    "wav": _Encoder("pcm_s16le", "audio/wav"),
}
"""In the order in which they are tried: half the size without loss, then the smallest."""


@dataclass(frozen=True, slots=True)
class EncodedSound:
    """A sound file."""

    data: bytes = field(repr=False)
    format: SoundFormat

    @property
    def part(self) -> tuple[str, bytes, str]:
        """The file in a form: a name that tells the format, the bytes, and their Content-Type."""
        return f"window.{self.format}", self.data, _ENCODERS[self.format].media_type


def encode(window: Audio, upstream: Upstream) -> EncodedSound:
    """Return the window as a file that the upstream takes: mono, 16 kHz.

    It takes some milliseconds for each second of sound: not for the event loop. Raises
    `UpstreamError` (`upstream_failed`) where no format is small enough.
    """
    pcm16 = window.pcm16().ljust(round(SHORTEST_S * SAMPLE_RATE) * SAMPLE_BYTES, b"\0")
    sizes = {}
    for name in _ENCODERS:
        if name in upstream.formats:
            data = _encoded(pcm16, name)
            if len(data) <= upstream.max_bytes:
                return EncodedSound(data, name)
            sizes[name] = f"{len(data):,} bytes as {name}"
    raise UpstreamError(
        f"{upstream.name} takes {upstream.max_bytes:,} bytes, and {window.duration_s:.1f} s of "
        f"sound are {' and '.join(sizes.values()) or 'in none of its formats'}. Lower 'window_s' "
        f"of the endpoint, or list a smaller one of {', '.join(_ENCODERS)} in the provider's "
        f"'formats'."
    )


def _encoded(pcm16: bytes, name: SoundFormat) -> bytes:
    import av  # noqa: PLC0415 (`import voxgate` does without both)
    import numpy as np  # noqa: PLC0415

    encoder, file = _ENCODERS[name], io.BytesIO()
    with av.open(file, "w", format=name) as container:
        stream = cast(
            "av.AudioStream", container.add_stream(encoder.codec, SAMPLE_RATE, layout="mono")
        )
        if encoder.bits_s is not None:
            stream.bit_rate = encoder.bits_s
        samples = np.frombuffer(pcm16, dtype="<i2")[np.newaxis]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()
