"""`RecordingSound`: a recording's sound while it is decoded, and the windows that it comes in."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from typing import TYPE_CHECKING

from voxgate import tracing
from voxgate.audio.decoder_process import PcmBlock, RecordingFacts, SpeechProbabilities
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.pipeline.channel import ChannelSound
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Hashable
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.source import Source
    from voxgate.audio.spool import Audio
    from voxgate.audio.vad import SpeechRules
    from voxgate.audio.windows import Window
    from voxgate.models.capabilities import Capabilities
    from voxgate.pipeline.trace import Trace


class RecordingSound:
    """The mix of a recording's channels, or each of them. A context: leaving it frees the disk.

    `notices` are the decoder's. `decoded` says that all sound is there, `divided` that all of it is
    in windows.
    """

    def __init__(
        self,
        source: Source,
        decoders: DecoderPool,
        *,
        folder: Path,
        rules: SpeechRules,
        model: Capabilities,
        tenant: Hashable,
        trace: Trace,
        on_sound: Callable[[], None],
    ) -> None:
        """`folder` is where decoded sound is kept. `model` says how long a window may be.

        `on_sound` is called when the first sound is decoded.
        """
        self._source, self._decoders = source, decoders
        self._folder, self._rules, self._model = folder, rules, model
        self._tenant, self._trace, self._on_sound = tenant, trace, on_sound
        self._channels: dict[int, ChannelSound] = {}
        self._window_numbers = itertools.count()
        self._declared_s: float | None = None
        self._open = contextlib.ExitStack()
        self.notices: list[Notice] = []
        self.decoded = self.divided = False

    @property
    def seconds(self) -> float:
        """Seconds of decoded sound."""
        return max((channel.seconds for channel in self._channels.values()), default=0.0)

    @property
    def total_s(self) -> float | None:
        """The recording's length: as stated until all is decoded; None where nothing states it."""
        return self.seconds if self.decoded else self._declared_s

    @property
    def next_starts_s(self) -> dict[int, float]:
        """For each channel that may have further windows, the time before which none begins."""
        if self.divided:
            return {}
        return {number: channel.next_start_s for number, channel in self._channels.items()}

    @property
    def divided_s(self) -> dict[int, float]:
        """For each channel, the time before which all speech is in windows that were yielded."""
        if self.divided:
            return dict.fromkeys(self._channels, self.seconds)
        return self.next_starts_s

    def audio(self, window: Window) -> Audio:
        """Return the sound of a window."""
        return self._channels[window.channel].audio(window)

    async def windows(self) -> AsyncGenerator[Window]:
        """Yield the windows, each as soon as its sound is in the spool. Raises `VoxgateError`."""
        decoding = decode(self._source, self._decoders, self._tenant, self._trace)
        async with contextlib.aclosing(decoding) as events:
            async for event in events:
                if isinstance(event, PcmBlock):
                    first = not self._channels
                    self._channel(event.channel).append(event)
                    if first:
                        self._on_sound()
                elif isinstance(event, SpeechProbabilities):
                    for window in self._channel(event.channel).listen(event):
                        yield window
                elif isinstance(event, RecordingFacts):
                    self._declared_s = event.declared_s
                else:
                    self.notices.append(event)
        self.decoded = True
        if self._source.grown():
            self.notices.append(growing_source_notice(self._source.name))
        for channel in self._channels.values():
            for window in channel.finish():
                yield window
        self.divided = True

    def _channel(self, number: int) -> ChannelSound:
        """Return the sound of a channel; a new one at its first event."""
        if number not in self._channels:
            sound = ChannelSound(
                self._folder, self._rules, self._model, self._window_numbers, number
            )
            self._channels[number] = self._open.enter_context(contextlib.closing(sound))
        return self._channels[number]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()


async def decode(
    source: Source, decoders: DecoderPool, tenant: Hashable, trace: Trace
) -> AsyncGenerator[DecoderEvent]:
    """Yield the decoder's events, and measure the time spent waiting for them."""
    samples = Counter[int]()  # by channel
    with tracing.span("decode", current=False) as span:
        async with contextlib.aclosing(decoders.decode(source, tenant)) as events:
            while True:
                with trace.stages.measure("decode"):
                    event = await anext(events, None)
                if event is None:
                    break
                if isinstance(event, PcmBlock):
                    samples[event.channel] += len(event.pcm16) // SAMPLE_BYTES
                yield event
        seconds = max(samples.values(), default=0) / SAMPLE_RATE
        span.set_attribute("voxgate.audio.seconds", seconds)


def growing_source_notice(name: str) -> Notice:
    """Return the notice for a file that somebody wrote to while it was read."""
    return Notice(
        "growing_source",
        f"{name} grew while it was read. It was taken as it was at the beginning; run again when "
        f"the recording has ended.",
    )
