"""PocketSphinx 5 with the English model inside its wheel.

Words come in two passes over the window, with one decoder. The acoustic model expects cepstra
whose mean over the recording is zero (CMN). A mean that is tracked while it listens starts wrong
and ruins the first seconds; one that the library measures over the whole window takes a call that
holds the GIL to the window's end. So pass 1 measures the mean in pieces, under a search that costs
nearly nothing, and pass 2 recognises with that mean in chunks, each of them a step.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pocketsphinx import Decoder

from voxgate.engine.one_by_one import OneByOne
from voxgate.engine.protocol import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine.sphinx_words import segments_of, words_of
from voxgate.errors import UsageError
from voxgate.transcript.values import Done, Event, Options, Progress

if TYPE_CHECKING:
    from collections.abc import Generator

    from voxgate.engine.capabilities import Capabilities
    from voxgate.engine.catalogue import ModelSpec

BYTES_PER_S = SAMPLE_RATE * SAMPLE_BYTES
PIECE_BYTES = 2 * BYTES_PER_S  # pass 1: holds the GIL for ~70 ms
CHUNK_BYTES = BYTES_PER_S // 10  # pass 2: holds the GIL for ~25 ms
HMMS_PER_FRAME = 3000  # 2.6 times faster on noisy sound than the default 30 000, words no worse
MEASURE = "cmn"  # the name of the search that pass 1 runs under


def load(spec: ModelSpec) -> PocketSphinx:
    """The model, ready. Raises RuntimeError when its files are missing or broken."""
    return PocketSphinx(spec.name, spec.capabilities)


class PocketSphinx:
    """PocketSphinx as a `Recogniser`. One window at a time; 160 MB; lower case, no punctuation."""

    def __init__(self, name: str, capabilities: Capabilities) -> None:
        self.name = name
        self.capabilities = capabilities
        self._decoder: Decoder | None = _decoder()

    def scheduler(self) -> OneByOne:
        """One window after another."""
        return OneByOne(self.recognise, self.capabilities.concurrency)

    def recognise(self, pcm16: bytes, options: Options) -> Generator[Event, None, None]:
        """Progress a step, then segments, then Done. Raises `UsageError` for half a sample.

        The last step before the segments is the longest: up to 3 s for 30 s of noise.
        """
        self.capabilities.check(self.name, options)
        if len(pcm16) % SAMPLE_BYTES:
            raise UsageError(f"{len(pcm16)} bytes are no whole number of 16-bit samples.")
        # The decoder is taken out and put back when the window is finished. Work that is broken off
        # loses it: a new one takes 0.5 s, and ending the utterance properly up to 3 s.
        decoder, self._decoder = self._decoder or _decoder(), None
        mean = yield from _cepstral_mean(decoder, pcm16)
        if mean is not None:
            yield from _search(decoder, pcm16, mean)
            duration_s = len(pcm16) / BYTES_PER_S
            found = segments_of(words_of(decoder.seg() or (), duration_s))
        else:
            found = ()
        self._decoder = decoder
        yield from found
        yield Done(language="en")


def _decoder() -> Decoder:
    decoder = Decoder(loglevel="FATAL", maxhmmpf=HMMS_PER_FRAME)
    decoder.add_keyphrase(MEASURE, "zebra")  # any word will do: what it finds is not read
    return decoder


def _cepstral_mean(decoder: Decoder, pcm16: bytes) -> Generator[Event, None, str | None]:
    """Pass 1: the mean cepstrum, as the library writes it; None for a window without any sound."""
    decoder.activate_search(MEASURE)
    total = [0.0] * 13
    weight = 0
    for start in range(0, len(pcm16), PIECE_BYTES):
        piece = pcm16[start : start + PIECE_BYTES]
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(piece, full_utt=True)
        decoder.end_utt()
        mean = [float(value) for value in decoder.get_cmn().split(",")]
        if all(map(math.isfinite, mean)):  # digital silence, or less than a frame, has no mean
            total = [sum_ + value * len(piece) for sum_, value in zip(total, mean, strict=True)]
            weight += len(piece)
        yield Progress(0.0)
    return ",".join(f"{value / weight:.5f}" for value in total) if weight else None


def _search(decoder: Decoder, pcm16: bytes, mean: str) -> Generator[Event, None, None]:
    """Pass 2: the words, left in the decoder."""
    decoder.activate_search()
    decoder.reinit_feat()  # forgets what came before: without it equal windows differ
    decoder.set_cmn(mean)
    decoder.start_utt()
    for start in range(0, len(pcm16), CHUNK_BYTES):
        chunk = pcm16[start : start + CHUNK_BYTES]
        decoder.process_raw(chunk)
        yield Progress((start + len(chunk)) / BYTES_PER_S)
    decoder.end_utt()
