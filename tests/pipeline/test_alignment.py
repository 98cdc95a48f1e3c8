"""The times of words that a model without times recognised: from another model, in its engine."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.pipeline.test_job import FOUR, decoders, run
from tests.scripted import Scripted
from tests.sounds import encode
from tests.spoken_digits import CHECKPOINT, joined, matched, phrase, takes
from tests.whisper.weights import whisper_home
from voxgate import errors
from voxgate.models.running import running_engines
from voxgate.pipeline.route import SharedProvider
from voxgate.pipeline.session import Session
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.transcript.values import Transcript

__all__ = ["decoders"]  # the fixture

SEEDS = ((13,), pytest.param((13, 14), marks=pytest.mark.long))
"""Each gives strings of 160 words by five speakers."""


async def aligned(
    aligner: Scripted, decoders: DecoderPool, options: Options | None = None
) -> tuple[Scripted, Transcript]:
    provider = Scripted(times="none", confidence=0.5, says=lambda *_: "so it goes")
    more: dict[str, Any] = {"aligner": SharedProvider.of(aligner)}
    transcript = await run(
        encode(FOUR, "x.wav"), provider, decoders, Settings(), options=options or Options(), **more
    )
    return provider, transcript


async def test_words_have_the_aligners_times_and_the_models_text(decoders: DecoderPool) -> None:
    aligner = Scripted(aligns=True)
    provider, transcript = await aligned(aligner, decoders, Options(language="de"))
    assert sorted(w.start for w in aligner.windows) == sorted(w.start for w in provider.windows)
    assert aligner.aligned == [("so it goes", "de")] * 4
    assert [word.text for word in transcript.words] == ["so", "it", "goes"] * 4
    assert {word.time_source for word in transcript.words} == {"aligned"}
    for segment, window in zip(transcript.segments, provider.windows, strict=True):
        assert (segment.time_source, segment.confidence) == ("aligned", 0.5)
        assert segment.end == pytest.approx(window.end / 16_000)
        assert segment.end - segment.start == pytest.approx(0.3)
    assert transcript.notices == ()


async def test_an_aligner_gets_as_many_attempts_as_the_model(decoders: DecoderPool) -> None:
    died = errors.EngineError("It died.", code="engine_died")
    _, transcript = await aligned(Scripted(aligns=True, faults={1: [died, died]}), decoders)
    assert {word.time_source for word in transcript.words} == {"aligned"}
    assert transcript.notices == ()


@pytest.mark.parametrize(
    "error",
    [
        errors.EngineError("It died.", code="engine_died"),
        errors.EngineStartError("It is too large.", code="model_too_large"),
    ],
)
async def test_an_aligner_that_fails_costs_its_times_only(
    decoders: DecoderPool, error: errors.VoxgateError
) -> None:
    aligner = Scripted(aligns=True, faults={1: [error] * 9})
    _, transcript = await aligned(aligner, decoders)
    assert transcript.text == " ".join(["so it goes"] * 4)
    (notice,) = transcript.notices
    assert notice.code == "not_aligned"
    assert notice.sentence.endswith(error.sentence)
    assert notice.public.code == "not_aligned"
    assert notice.public.sentence.endswith(f": {error.public_sentence}")
    sources = [segment.time_source for segment in transcript.segments]
    assert sources == ["aligned", *["speech_region"] * 3]
    assert len(aligner.windows) == 1 + (3 if error.retryable else 1)  # no more after the failure


async def test_an_unknown_language_is_left_to_the_aligner(decoders: DecoderPool) -> None:
    aligner = Scripted(aligns=True)
    await aligned(aligner, decoders)
    assert aligner.aligned == [("so it goes", None)] * 4


def engines(home: Path) -> set[str]:
    return {record.model for record in running_engines(home / "run")}


@pytest.mark.parametrize("seeds", SEEDS)
async def test_words_of_the_digits_checkpoint_are_where_they_are_said(
    tmp_path: Path, seeds: tuple[int, ...]
) -> None:
    """In one session: with times, and before that without, when nothing aligns."""
    settings = Settings(home=whisper_home(), profile="exact")
    print(f"seeds {seeds}")
    spoken = [
        joined([phrase(rng, its, 8, (0.05, 0.5)) for _ in range(4)], [4.0] * 4)  # four windows
        for rng in map(random.Random, seeds)
        for its in takes().values()
    ]
    starts, ends = list[float](), list[float]()
    async with Session(settings) as session:
        path = spoken[0].save(tmp_path / "a.wav")
        plain = await session.transcribe(path, model=str(CHECKPOINT), times=False)
        assert engines(settings.home) == {CHECKPOINT.name}
        assert {segment.time_source for segment in plain.segments} == {"speech_region"}
        for each in spoken:
            path = each.save(tmp_path / "a.wav")
            heard = await session.transcribe(path, model=str(CHECKPOINT))
            assert heard.notices == ()
            times = [time for word in heard.words for time in (word.start, word.end)]
            assert times == sorted(times)
            assert 0 <= times[0] <= times[-1] <= heard.duration
            assert all(a.end <= b.start for a, b in pairwise(heard.segments))
            assert " ".join(word.text for word in heard.words) == heard.text
            for said, word in matched(each.text, heard.text):
                starts.append(abs(heard.words[word].start - each.said[said].start))
                ends.append(abs(heard.words[word].end - each.said[said].end))
            if each is spoken[0]:
                assert heard.text == plain.text
        assert len(engines(settings.home)) == 2
    for errors_s in (starts, ends):
        median, percentile = np.median(errors_s), np.percentile(errors_s, 95)
        print(f"{len(errors_s)} words: median {median:.3f} s, 95th percentile {percentile:.3f} s")
        assert median <= 0.08
        assert percentile <= 0.25
