"""The samples and the channels' names of a decoded frame.

PyAV 18.1 handles two things in a way that ends the process by a signal:

* `AudioFrame.to_ndarray` looks for a null pointer after the pointers to the channels, which FFmpeg
  does not promise. With eight or more planar channels it reads past them.
* A layout in an order of its own (7.1 in AIFF and CAF) points to a map of the channels. Each
  `AudioLayout` frees this map, which belongs to the codec or to the frame.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from av.audio.format import AudioFormat
from av.audio.plane import AudioPlane

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.frame import AudioFrame
    from av.audio.layout import AudioLayout

    from voxgate.audio.decoder.resample import Samples

SAMPLE_TYPES: Final = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
"""FFmpeg's packed sample formats, as NumPy's types."""

UNNAMED: Final = "NONE"  # FFmpeg's name of a channel without a position

MOST_DESCRIBED: Final = 8  # channels: of more, FFmpeg's description of a layout may be cut short

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
        self._found: dict[str, tuple[str, ...]] = {}  # by FFmpeg's description of the layout
        if self._names:
            codec.layout = f"{len(self._names)} channels"

    def of(self, frame: AudioFrame) -> tuple[str, ...]:
        """Return the frame's own names, or else the container's if their number is the same."""
        layout = frame.layout
        if layout.nb_channels > MOST_DESCRIBED:
            return self._of(layout)
        if (names := self._found.get(layout.name)) is None:
            names = self._found[layout.name] = self._of(layout)
        return names

    def _of(self, layout: AudioLayout) -> tuple[str, ...]:
        names = tuple(channel.name for channel in layout.channels)
        if self._guessed:
            return (UNNAMED,) * len(names)
        unnamed = all(name == UNNAMED for name in names)
        return self._names if unnamed and len(names) == len(self._names) else names


def to_float32(frame: AudioFrame) -> Samples:
    """Convert a frame to [channels, samples], float32 of full scale 1."""
    channels, samples = frame.layout.nb_channels, frame.samples
    kind, is_planar = _sample_type(frame.format.name)
    if is_planar:
        sound = np.empty((channels, samples), np.float32)
        for at in range(channels):
            sound[at] = np.frombuffer(memoryview(AudioPlane(frame, at)), kind, samples)
    else:
        together = np.frombuffer(memoryview(AudioPlane(frame, 0)), kind, samples * channels)
        sound = together.reshape(samples, channels).T.astype(np.float32)
    if kind == np.uint8:
        sound -= np.float32(128)
        sound /= np.float32(128)
    elif kind.kind == "i":
        sound *= np.float32(2.0 ** (1 - 8 * kind.itemsize))  # a power of two: exact
    return sound


@cache
def _sample_type(name: str) -> tuple[np.dtype[Any], bool]:
    """Return the type of a sample format's numbers, and whether each channel has its own plane."""
    sample_format = AudioFormat(name)
    return np.dtype(SAMPLE_TYPES[sample_format.packed.name]), sample_format.is_planar
