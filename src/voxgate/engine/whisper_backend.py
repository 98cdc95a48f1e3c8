"""Whisper as a `Backend`: groups of windows of PCM16, each to segments with timed words.

The text of a window is recognised, or comes with it and is aligned.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine.group_scheduler import GroupScheduler
from voxgate.errors import CheckpointError, UsageError
from voxgate.transcript.division import divide_words
from voxgate.transcript.values import Decoding, Done, Notice, Progress, Segment
from voxgate.whisper.aligner import align_text
from voxgate.whisper.decoding import DecodingOptions, decode_windows, detect_unknown
from voxgate.whisper.footprint import CALLS
from voxgate.whisper.model import BEAM_SIZE, MAX_TOKENS, Whisper
from voxgate.whisper.words import timed_words

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from voxgate.engine.queue import WindowRequest
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.transcript.values import Event, Options
    from voxgate.whisper.context import Context
    from voxgate.whisper.decoding import DecodedWindow
    from voxgate.whisper.model import Encoded

SILENT_PEAK = 10  # of 32 768: a window without a louder sample has nothing to hear


def load_whisper(spec: ModelSpec) -> WhisperBackend:
    """Load the model. Raise `CheckpointError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder instead.")
    return WhisperBackend(spec.name, spec.capabilities, Whisper.load(spec.checkpoint, CALLS))


class WhisperBackend:
    """Whisper with `capabilities.concurrency` windows at once, in several calls."""

    def __init__(self, name: str, capabilities: Capabilities, model: Whisper) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def scheduler(self) -> GroupScheduler:
        """Start a scheduler."""
        size = self.capabilities.concurrency // CALLS
        return GroupScheduler(self.recognise, size, workers=CALLS, long_steps=True)

    def recognise(
        self, requests: Sequence[WindowRequest]
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        """Yield every window's start, segments and `Done`, and None after each call of the model.

        Raises `UsageError` for half a sample.
        """
        for request in requests:
            if len(request.pcm16) % SAMPLE_BYTES:
                raise UsageError(f"{len(request.pcm16)} bytes are not whole 16-bit samples.")
        for request in requests:
            if _has_nothing_to_hear(request):  # the model would invent a word
                yield request, Done()
        heard = [request for request in requests if not _has_nothing_to_hear(request)]
        if not heard:
            return
        for request in heard:
            yield request, Progress(0.0)
        encoded = self._model.encode([self._model.features(each.pcm16) for each in heard])
        yield None
        for work, has_text in ((self._align, True), (self._transcribe, False)):
            places = [n for n, each in enumerate(heard) if (each.text is not None) == has_text]
            if places:
                yield from work([heard[n] for n in places], encoded[places])

    def _transcribe(
        self, requests: Sequence[WindowRequest], encoded: Encoded
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        options = [_decoding_options(request) for request in requests]
        decoding = decode_windows(self._model, encoded, options)
        windows = yield from _with_progress(requests, decoding)
        for index, (request, window) in enumerate(zip(requests, windows, strict=True)):
            segments = list[Segment]()
            if window.tokens and not request.cancelled:
                segments = self._segments(request, encoded[index : index + 1], window)
            for segment in segments:
                yield request, segment
            yield request, Progress(_seconds(request.pcm16))
            yield request, _done(request.options, window, segments)

    def _segments(
        self, request: WindowRequest, encoded: Encoded, window: DecodedWindow
    ) -> list[Segment]:
        pcm16, task = request.pcm16, request.options.task
        alignment = self._model.align(
            encoded, window.tokens, _seconds(pcm16), window.language, task
        )
        tokenizer = self._model.tokenizer(window.language if task == "transcribe" else "en")
        words = timed_words(tokenizer, window.tokens, alignment, pcm16)
        segments = [
            replace(segment, doubt=window.doubt, decoding=_decoding(window))
            for segment in divide_words(words)
        ]
        if task == "translate":  # its words have another order than the spoken ones
            return [replace(segment, words=()) for segment in segments]
        return segments

    def _align(
        self, requests: Sequence[WindowRequest], encoded: Encoded
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        chosen = [request.options.language for request in requests]
        languages = yield from detect_unknown(self._model, encoded, chosen)
        for index, (request, (language, _)) in enumerate(zip(requests, languages, strict=True)):
            if not request.cancelled:
                words = align_text(
                    self._model,
                    encoded[index : index + 1],
                    request.pcm16,
                    request.text or "",
                    language,
                )
                for segment in divide_words(words):
                    yield request, segment
            yield request, Done(language)


def _with_progress(
    requests: Sequence[WindowRequest],
    decoding: Generator[Sequence[int] | None, None, list[DecodedWindow]],
) -> Generator[tuple[WindowRequest, Event] | None, None, list[DecodedWindow]]:
    """Yield that a window is done when its text is trusted, while others are decoded again."""
    while True:
        try:
            trusted = next(decoding)
        except StopIteration as end:
            windows: list[DecodedWindow] = end.value
            return windows
        yield None
        for index in trusted or ():
            yield requests[index], Progress(_seconds(requests[index].pcm16))


def _decoding(window: DecodedWindow) -> Decoding:
    return Decoding(
        log_probability=window.log_probability,
        compression_ratio=window.compression_ratio,
        no_speech_probability=window.no_speech_probability,
        temperature=window.temperature,
    )


def _done(options: Options, window: DecodedWindow, segments: Sequence[Segment]) -> Done:
    notices = _context_notices(options, window.context)
    if window.doubt and segments:
        sentence = f"'{_clip(window.text)}' may not have been said: the text {window.doubt}."
        notices.insert(0, Notice("doubtful_text", sentence))
    return Done(window.language, tuple(notices), len(window.tokens), window.language_probability)


def _context_notices(options: Options, context: Context) -> list[Notice]:
    """Return what to say of the caller's words that did not fit before the text."""
    notices = list[Notice]()
    used, given = context.vocabulary_used, len(options.vocabulary)
    if used < given:
        sentence = (
            f"{used} of {given} vocabulary words were used: the model takes no more. Put the most "
            f"important first."
        )
        notices.append(Notice("vocabulary_too_long", sentence))
    if context.prompt_is_cut:
        sentence = "Only the end of the prompt was used: the model takes no more. Shorten it."
        notices.append(Notice("prompt_too_long", sentence))
    return notices


def _has_nothing_to_hear(request: WindowRequest) -> bool:
    """Return whether a window is empty, or is to be recognised and silent.

    A text is aligned with silence too: its words are interpolated.
    """
    sound = np.frombuffer(request.pcm16, "<i2")
    if not sound.size:
        return True
    return request.text is None and int(np.abs(sound.astype(np.int32)).max()) < SILENT_PEAK


def _decoding_options(request: WindowRequest) -> DecodingOptions:
    options = request.options
    return DecodingOptions(
        language=options.language,
        temperature=options.temperature,
        max_tokens=min(options.max_tokens or MAX_TOKENS, MAX_TOKENS),
        vocabulary=options.vocabulary,
        task=options.task,
        prompt=options.prompt,
        beam_size=options.beam_size or BEAM_SIZE,
        seconds=_seconds(request.pcm16),
    )


def _seconds(pcm16: bytes) -> float:
    return len(pcm16) / SAMPLE_BYTES / SAMPLE_RATE


def _clip(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
