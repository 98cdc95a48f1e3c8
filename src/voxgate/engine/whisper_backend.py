"""Whisper as a `Backend`: groups of windows of PCM16, each to segments with timed words."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.engine.group_scheduler import GroupScheduler
from voxgate.errors import CheckpointError, UsageError
from voxgate.transcript.text import ends_sentence
from voxgate.transcript.values import Decoding, Done, Notice, Progress, Segment
from voxgate.whisper.decoding import DecodingOptions, decode_windows
from voxgate.whisper.model import BEAM_SIZE, MAX_TOKENS, Whisper
from voxgate.whisper.words import timed_words

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from voxgate.engine.queue import WindowRequest
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.transcript.values import Event, Options, Word
    from voxgate.whisper.context import Context
    from voxgate.whisper.decoding import DecodedWindow
    from voxgate.whisper.model import Encoded

PAUSE_S = 0.8  # between words: a segment ends there
SILENT_PEAK = 10  # of 32 768: a window without a louder sample has nothing to hear


def load_whisper(spec: ModelSpec) -> WhisperBackend:
    """Load the model. Raise `CheckpointError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder instead.")
    return WhisperBackend(spec.name, spec.capabilities, Whisper.load(spec.checkpoint))


class WhisperBackend:
    """Whisper with `capabilities.concurrency` windows in one call."""

    def __init__(self, name: str, capabilities: Capabilities, model: Whisper) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def scheduler(self) -> GroupScheduler:
        """Start a scheduler."""
        return GroupScheduler(self.recognise, self.capabilities.concurrency, long_steps=True)

    def recognise(
        self, requests: Sequence[WindowRequest]
    ) -> Generator[tuple[WindowRequest, Event] | None, None, None]:
        """Yield every window's start, segments and `Done`, and None after each call of the model.

        Raises `UsageError` for half a sample.
        """
        for request in requests:
            if len(request.pcm16) % SAMPLE_BYTES:
                raise UsageError(f"{len(request.pcm16)} bytes are not whole 16-bit samples.")
        silent = [request for request in requests if _is_silent(request.pcm16)]
        for request in silent:  # the model would invent a word
            yield request, Done()
        requests = [request for request in requests if request not in silent]
        if not requests:
            return
        for request in requests:
            yield request, Progress(0.0)
        encoded = self._model.encode([self._model.features(each.pcm16) for each in requests])
        yield None
        options = [_decoding_options(request.options) for request in requests]
        windows = yield from decode_windows(self._model, encoded, options)
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
        if not words:  # nothing but punctuation
            return []
        segments = [_segment(group, window) for group in _divide(words)]
        if task == "translate":  # its words have another order than the spoken ones
            return [replace(segment, words=()) for segment in segments]
        return segments


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


def _is_silent(pcm16: bytes) -> bool:
    sound = np.frombuffer(pcm16, "<i2")
    return not sound.size or int(np.abs(sound.astype(np.int32)).max()) < SILENT_PEAK


def _decoding_options(options: Options) -> DecodingOptions:
    return DecodingOptions(
        language=options.language,
        temperature=options.temperature,
        max_tokens=min(options.max_tokens or MAX_TOKENS, MAX_TOKENS),
        vocabulary=options.vocabulary,
        task=options.task,
        prompt=options.prompt,
        beam_size=options.beam_size or BEAM_SIZE,
    )


def _divide(words: Sequence[tuple[str, Word]]) -> list[list[tuple[str, Word]]]:
    """Divide words at pauses and at the ends of sentences."""
    groups: list[list[tuple[str, Word]]] = []
    for text, word in words:
        if not groups or _parts(groups[-1][-1], (text, word)):
            groups.append([])
        groups[-1].append((text, word))
    return groups


def _parts(before: tuple[str, Word], after: tuple[str, Word]) -> bool:
    if after[1].start - before[1].end >= PAUSE_S:
        return True
    return ends_sentence(before[0].strip(), after[0].strip())


def _segment(group: Sequence[tuple[str, Word]], window: DecodedWindow) -> Segment:
    words = tuple(word for _, word in group)
    return Segment(
        text="".join(text for text, _ in group).strip(),
        start=words[0].start,
        end=words[-1].end,
        words=words,
        confidence=fmean(word.confidence or 0.0 for word in words),
        doubt=window.doubt,
        decoding=Decoding(
            log_probability=window.log_probability,
            compression_ratio=window.compression_ratio,
            no_speech_probability=window.no_speech_probability,
            temperature=window.temperature,
        ),
    )


def _seconds(pcm16: bytes) -> float:
    return len(pcm16) / SAMPLE_BYTES / SAMPLE_RATE


def _clip(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"
