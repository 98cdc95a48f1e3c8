"""The samples and the channels' names of a decoded frame.

PyAV 18.1 handles two things in a way that ends the process by a signal:

* `AudioFrame.to_ndarray` looks for a null pointer after the pointers to the channels, which FFmpeg
  does not promise. With eight or more planar channels it reads past them.
* A layout in an order of its own (7.1 in AIFF and CAF) points to a map of the channels. Each
  `AudioLayout` frees this map, which belongs to the codec or to the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from av.audio.plane import AudioPlane

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame

    from voxgate.audio.decoder.resample import Samples

SAMPLE_TYPES: Final = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
"""FFmpeg's packed sample formats, as NumPy's types."""

UNNAMED: Final = "NONE"  # FFmpeg's name of a channel without a position

STATES_NO_LAYOUT: Final = {"tta"}
"""Codecs for which FFmpeg makes a layout up: the third of three microphones would be an LFE."""


class ChannelNames:
    """The names of the channels of one codec's frames (`FL`, `LFE` …).

    It must be created before anything else reads the codec's layout. It takes the layout's map away
    from the codec, so that it is freed once, and leaves only the number of channels there.
    """

    def __init__(self, codec: AudioCodecContext) -> None:
        layout = codec.layout
        self._names = tuple(channel.name for channel in layout.channels)
        self._guessed = codec.name in STATES_NO_LAYOUT
        if self._names:
            codec.layout = f"{len(self._names)} channels"

    def of(self, frame: AudioFrame) -> tuple[str, ...]:
        """Return the frame's own names, or else the container's if their number is the same."""
        names = tuple(channel.name for channel in frame.layout.channels)
        if self._guessed:
            return (UNNAMED,) * len(names)
        unnamed = all(name == UNNAMED for name in names)
        return self._names if unnamed and len(names) == len(self._names) else names


def to_float32(frame: AudioFrame) -> Samples:
    """Convert a frame to [channels, samples], float32 of full scale 1."""
    channels = frame.layout.nb_channels
    kind = np.dtype(SAMPLE_TYPES[frame.format.packed.name])
    planes = channels if frame.format.is_planar else 1
    count = frame.samples * channels // planes
    samples = np.stack(
        [np.frombuffer(memoryview(AudioPlane(frame, at)), kind, count) for at in range(planes)]
    )
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    if kind == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if kind.kind == "i":
        return samples.astype(np.float32) / np.float32(2 ** (8 * kind.itemsize - 1))
    return samples.astype(np.float32)
