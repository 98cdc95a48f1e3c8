"""PocketSphinx 5 with the English model inside its wheel.

Words come in two passes over the window, with one decoder. The acoustic model expects cepstra
whose mean over the recording is zero (CMN). A mean that is tracked while it listens starts wrong
and ruins the first seconds; one that the library measures over the whole window takes a call that
holds the GIL to the window's end. So pass 1 measures the mean in pieces, under a search that costs
nearly nothing, and pass 2 recognises with that mean in chunks, each of them a step.
"""

from __future__ import annotations

import math
import re
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from pocketsphinx import Decoder

from voxgate.engine.protocol import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine.thread_scheduler import ThreadScheduler
from voxgate.errors import UsageError
from voxgate.transcript.values import Done, Event, Options, Progress, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec


# MERGED engine.sphinx_words
# From PocketSphinx's segmentation to words, and from words to segments.

FRAMES_PER_S = 100
PAUSE_S = 0.5  # silence that ends a segment
_VARIANT = re.compile(r"\(\d+\)$")  # you're(2): the second pronunciation
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # <s>, <sil>, [NOISE], ++BREATH++


class SphinxSegment(Protocol):
    """What PocketSphinx says of one word: frames are inclusive, `prob` may exceed 1 slightly."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


def sphinx_words(stretches: Iterable[SphinxSegment], duration_s: float) -> list[Word]:
    """Words as they are written, inside of [0, `duration_s`], without silences and noises."""
    return [
        Word(
            text=_VARIANT.sub("", stretch.word),
            start=min(stretch.start_frame / FRAMES_PER_S, duration_s),
            end=min((stretch.end_frame + 1) / FRAMES_PER_S, duration_s),
            confidence=min(max(stretch.prob, 0.0), 1.0),
        )
        for stretch in stretches
        if not _FILLER.fullmatch(stretch.word)
    ]


def sphinx_segments(words: list[Word]) -> tuple[Segment, ...]:
    """Words parted where `PAUSE_S` or more lies between two. Confidence is the words' mean."""
    parts: list[list[Word]] = []
    for word in words:
        if not parts or word.start - parts[-1][-1].end >= PAUSE_S:
            parts.append([])
        parts[-1].append(word)
    return tuple(_segment(part) for part in parts)


def _segment(words: list[Word]) -> Segment:
    return Segment(
        text=" ".join(word.text for word in words),
        start=words[0].start,
        end=words[-1].end,
        words=tuple(words),
        confidence=fmean(word.confidence or 0.0 for word in words),
    )


BYTES_PER_S = SAMPLE_RATE * SAMPLE_BYTES
CMN_PIECE_BYTES = 2 * BYTES_PER_S  # pass 1: holds the GIL for ~70 ms
SEARCH_CHUNK_BYTES = BYTES_PER_S // 10  # pass 2: holds the GIL for ~25 ms
HMMS_PER_FRAME = 3000  # 2.6 times faster on noisy sound than the default 30 000, words no worse
CMN_SEARCH = "cmn"  # the name of the search that pass 1 runs under


def load_pocketsphinx(spec: ModelSpec) -> PocketSphinxBackend:
    """The model, ready. Raises RuntimeError when its files are missing or broken."""
    return PocketSphinxBackend(spec.name, spec.capabilities)


class PocketSphinxBackend:
    """PocketSphinx as a `Backend`. One window at a time; 160 MB; lower case, no punctuation."""

    def __init__(self, name: str, capabilities: Capabilities) -> None:
        self.name = name
        self.capabilities = capabilities
        self._decoder: Decoder | None = _decoder()

    def scheduler(self) -> ThreadScheduler:
        """One window after another."""
        return ThreadScheduler(self.recognise, self.capabilities.concurrency)

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
            found = sphinx_segments(sphinx_words(decoder.seg() or (), duration_s))
        else:
            found = ()
        self._decoder = decoder
        yield from found
        yield Done(language="en")


def _decoder() -> Decoder:
    decoder = Decoder(loglevel="FATAL", maxhmmpf=HMMS_PER_FRAME)
    decoder.add_keyphrase(CMN_SEARCH, "zebra")  # any word will do: what it finds is not read
    return decoder


def _cepstral_mean(decoder: Decoder, pcm16: bytes) -> Generator[Event, None, str | None]:
    """Pass 1: the mean cepstrum, as the library writes it; None for a window without any sound."""
    decoder.activate_search(CMN_SEARCH)
    total = [0.0] * 13
    weight = 0
    for start in range(0, len(pcm16), CMN_PIECE_BYTES):
        piece = pcm16[start : start + CMN_PIECE_BYTES]
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
    for start in range(0, len(pcm16), SEARCH_CHUNK_BYTES):
        chunk = pcm16[start : start + SEARCH_CHUNK_BYTES]
        decoder.process_raw(chunk)
        yield Progress((start + len(chunk)) / BYTES_PER_S)
    decoder.end_utt()
