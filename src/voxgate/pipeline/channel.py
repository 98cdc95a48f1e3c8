"""`ChannelSound`: one sound of a recording, on disk, and the windows that it is divided into."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE, Audio, Spool
from voxgate.audio.vad import SpeechDetector
from voxgate.audio.windows import WindowPlanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from voxgate.audio.decoder_process import PcmBlock, SpeechProbabilities
    from voxgate.audio.vad import SpeechRules
    from voxgate.audio.windows import Window
    from voxgate.models.capabilities import Capabilities


class ChannelSound:
    """The mix of a recording's channels, or one of them. Close it, or the disk stays full.

    `numbers` gives each window its index, different from those of the recording's other channels.
    """

    def __init__(
        self,
        folder: Path,
        rules: SpeechRules,
        model: Capabilities,
        numbers: Iterator[int],
        channel: int,
    ) -> None:
        self._spool = Spool(folder)
        self._detector = SpeechDetector(rules)
        self._planner = WindowPlanner(model.window_s, model.long_pause_s, model.margin_s)
        self._numbers, self._channel = numbers, channel

    @property
    def seconds(self) -> float:
        """Seconds of decoded sound."""
        return self._spool.samples / SAMPLE_RATE

    @property
    def next_start_s(self) -> float:
        """The time before which no further window begins; without meaning after `finish`."""
        return self._planner.next_start(self._detector.settled) / SAMPLE_RATE

    def append(self, block: PcmBlock) -> None:
        """Add decoded sound. Raises `SpoolFullError`."""
        self._spool.append(block.pcm16)

    def listen(self, heard: SpeechProbabilities) -> Iterator[Window]:
        """Add probabilities of speech in the sound, and yield the windows that are complete."""
        regions = self._detector.feed(heard.probabilities, heard.levels_db)
        yield from self._numbered(self._planner.feed(regions, self._detector.settled))

    def finish(self) -> Iterator[Window]:
        """Yield the last windows: the sound has ended."""
        samples = self._spool.samples
        regions = self._detector.finish(samples)
        yield from self._numbered(self._planner.feed(regions, samples))
        yield from self._numbered(self._planner.finish(samples))

    def audio(self, window: Window) -> Audio:
        """Return the sound of a window."""
        return Audio(self._spool, window.start, min(window.end, self._spool.samples))

    def close(self) -> None:
        """Free the disk space."""
        self._spool.close()

    def _numbered(self, windows: Iterable[Window]) -> Iterator[Window]:
        for window in windows:
            yield replace(window, index=next(self._numbers), channel=self._channel)
