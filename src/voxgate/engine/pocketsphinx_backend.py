"""PocketSphinx 5 with the English model that its wheel contains.

Recognition takes two passes over the window, with one decoder. The acoustic model expects cepstra
whose mean over the recording is zero (cepstral mean normalization, CMN). A mean that is learnt
while decoding starts wrong and ruins the first seconds. The library can measure it over the whole
window, but in a call that holds the GIL until the window's end. Therefore pass 1 measures the mean
in pieces, under a search that costs almost nothing, and pass 2 recognises with that mean in chunks.
Each piece and each chunk is a step.
"""

from __future__ import annotations

import math
import re
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from pocketsphinx import Decoder

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine.group_scheduler import GroupScheduler, one_by_one
from voxgate.errors import UsageError
from voxgate.transcript.values import Done, Event, Options, Progress, Segment, Word

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec

BYTES_PER_S = SAMPLE_RATE * SAMPLE_BYTES
CMN_PIECE_BYTES = 2 * BYTES_PER_S  # pass 1: holds the GIL for ~70 ms
SEARCH_CHUNK_BYTES = BYTES_PER_S // 10  # pass 2: holds the GIL for ~25 ms
HMMS_PER_FRAME = 3000  # 2.6 times faster on noisy sound than the default 30 000, words no worse
CMN_SEARCH = "cmn"  # the name of pass 1's search
CEPSTRA = 13  # coefficients per frame

FRAMES_PER_S = 100
PAUSE_S = 0.5  # silence that ends a segment
_VARIANT = re.compile(r"\(\d+\)$")  # you're(2): the second pronunciation
_FILLER = re.compile(r"<.*>|\[.*\]|\+\+.*\+\+")  # <s>, <sil>, [NOISE], ++BREATH++


def load_pocketsphinx(spec: ModelSpec) -> PocketSphinxBackend:
    """Load the model. Raise RuntimeError when its files are missing or broken."""
    return PocketSphinxBackend(spec.name, spec.capabilities)


class PocketSphinxBackend:
    """PocketSphinx as a `Backend`. One window at a time; 160 MB; lower case, no punctuation."""

    def __init__(self, name: str, capabilities: Capabilities) -> None:
        self.name = name
        self.capabilities = capabilities
        self._decoder: Decoder | None = _create_decoder()

    def scheduler(self) -> GroupScheduler:
        """Start a scheduler of one window at a time."""
        return GroupScheduler(one_by_one(self.recognise), size=1)

    def recognise(self, pcm16: bytes, options: Options) -> Generator[Event, None, None]:  # noqa: ARG002 (checked before; the model honours none)
        """Yield `Progress` for each step, then segments, then `Done`.

        The last step before the segments is the longest: up to 3 s for 30 s of noise. Raises
        `UsageError` for half a sample.
        """
        if len(pcm16) % SAMPLE_BYTES:
            raise UsageError(f"{len(pcm16)} bytes are not a whole number of 16-bit samples.")
        # The decoder is put back only when the window is finished. A window that is cancelled
        # loses it: a new decoder takes 0.5 s, and ending the utterance properly up to 3 s.
        decoder, self._decoder = self._decoder or _create_decoder(), None
        mean = yield from _measure_mean(decoder, pcm16)
        segments: tuple[Segment, ...] = ()
        if mean is not None:
            yield from _search(decoder, pcm16, mean)
            duration_s = len(pcm16) / BYTES_PER_S
            segments = sphinx_segments(sphinx_words(decoder.seg() or (), duration_s))
        self._decoder = decoder
        yield from segments
        yield Done(language="en")


def _create_decoder() -> Decoder:
    decoder = Decoder(loglevel="FATAL", maxhmmpf=HMMS_PER_FRAME)
    decoder.add_keyphrase(CMN_SEARCH, "zebra")  # any word will do: its detections are not used
    return decoder


def _measure_mean(decoder: Decoder, pcm16: bytes) -> Generator[Event, None, str | None]:
    """Pass 1: return the mean cepstrum in the library's format; None for a window without sound."""
    decoder.activate_search(CMN_SEARCH)
    total = [0.0] * CEPSTRA
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
    """Pass 2: recognise the words, which stay in the decoder."""
    decoder.activate_search()
    decoder.reinit_feat()  # forgets earlier windows: without it equal windows differ
    decoder.set_cmn(mean)
    decoder.start_utt()
    for start in range(0, len(pcm16), SEARCH_CHUNK_BYTES):
        chunk = pcm16[start : start + SEARCH_CHUNK_BYTES]
        decoder.process_raw(chunk)
        yield Progress((start + len(chunk)) / BYTES_PER_S)
    decoder.end_utt()


class SphinxSegment(Protocol):
    """PocketSphinx's result for one word. Frames are inclusive; `prob` may exceed 1 slightly."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


def sphinx_words(results: Iterable[SphinxSegment], duration_s: float) -> list[Word]:
    """Return the words within [0, `duration_s`] as they are written, without silence and noise."""
    return [
        Word(
            text=_VARIANT.sub("", result.word),
            start=min(result.start_frame / FRAMES_PER_S, duration_s),
            end=min((result.end_frame + 1) / FRAMES_PER_S, duration_s),
            confidence=min(max(result.prob, 0.0), 1.0),
        )
        for result in results
        if not _FILLER.fullmatch(result.word)
    ]


def sphinx_segments(words: list[Word]) -> tuple[Segment, ...]:
    """Divide words at pauses of `PAUSE_S` or more. A segment's confidence is its words' mean."""
    groups: list[list[Word]] = []
    for word in words:
        if not groups or word.start - groups[-1][-1].end >= PAUSE_S:
            groups.append([])
        groups[-1].append(word)
    return tuple(_segment(group) for group in groups)


def _segment(words: list[Word]) -> Segment:
    return Segment(
        text=" ".join(word.text for word in words),
        start=words[0].start,
        end=words[-1].end,
        words=tuple(words),
        confidence=fmean(word.confidence or 0.0 for word in words),
    )
