"""Voxtral as a `Recogniser`: one window of PCM16 to one segment of text.

The model gives no times. A window's text is one segment over the whole window; whoever knows where
in it somebody spoke divides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxgate.engine.protocol import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.errors import CheckpointError, UsageError
from voxgate.transcript.values import Done, Event, Notice, Options, Progress, Segment
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.profiles import named
from voxgate.voxtral.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Generator

    from voxgate.engine.capabilities import Capabilities
    from voxgate.engine.catalogue import ModelSpec
    from voxgate.voxtral.generation import Generation
    from voxgate.voxtral.steps import Steps

RUNAWAY = Notice(
    "runaway_text",
    "A part of the text was cut off: the model wrote more than anybody can say in that time. "
    "Compare it with the recording.",
)


def load(spec: ModelSpec) -> VoxtralRecogniser:
    """The model, ready. Raises `CheckpointError` and `InsufficientMemoryError`."""
    if spec.checkpoint is None:
        raise CheckpointError(f"{spec.name} has no folder of weights. Name the folder itself.")
    model = Voxtral.load(spec.checkpoint, named(spec.profile or "exact"))
    return VoxtralRecogniser(spec.name, spec.capabilities, model)


class VoxtralRecogniser:
    """One window at a time."""

    def __init__(self, name: str, capabilities: Capabilities, model: Voxtral) -> None:
        self.name = name
        self.capabilities = capabilities
        self._model = model

    def recognise(self, pcm16: bytes, options: Options) -> Generator[Event, None, None]:
        """Progress a layer, then a segment if anything was said, then Done.

        Raises `UsageError` for half a sample or none, and for values out of range.
        """
        self.capabilities.check(self.name, options)
        if len(pcm16) % SAMPLE_BYTES:
            raise UsageError(f"{len(pcm16)} bytes are no whole number of 16-bit samples.")
        samples = np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768.0
        generation = yield from _ticking(
            self._model.generate_steps(
                samples,
                options.language,
                options.max_tokens,
                options.stop,
                Sampling(
                    temperature=options.temperature,
                    top_p=options.top_p,
                    seed=options.seed,
                    frequency_penalty=options.frequency_penalty,
                    presence_penalty=options.presence_penalty,
                ),
            )
        )
        if text := generation.text.strip():
            duration_s = len(samples) / SAMPLE_RATE
            yield Segment(
                text,
                0.0,
                duration_s,
                confidence=generation.confidence,
                time_source="speech_region",
            )
        notices = (RUNAWAY,) if generation.finish == "runaway" else ()
        yield Done(options.language, notices, tokens=len(generation.token_ids))


def _ticking(steps: Steps[Generation]) -> Generator[Event, None, Generation]:
    """Take the steps, with a sign of life for each."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            generation: Generation = end.value
            return generation
        yield Progress(0.0)
