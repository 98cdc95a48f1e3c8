"""What a recording gives out before its end: in order, never taken back, all of the transcript."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.pipeline.test_job import FOUR, SILENCE, run
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate.audio.channels import SoundChoice
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import TranscriptionJob
from voxgate.pipeline.route import Route
from voxgate.settings import Settings
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.pipeline.job import FinalPiece
    from voxgate.transcript.values import Segment, Transcript


@pytest.fixture
async def decoders() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(Settings()) as decoders:
        yield decoders


class Given:
    """What a job gave out."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.languages: list[str | None] = []
        self.tokens: list[int] = []

    def __call__(self, piece: FinalPiece) -> None:
        assert piece.segments
        self.segments += piece.segments
        self.languages.append(piece.language)
        assert len(piece.tokens) == len(piece.segments)
        self.tokens += piece.tokens

    def is_all_of(self, transcript: Transcript) -> bool:
        text = " ".join(segment.text for segment in self.segments)
        return tuple(self.segments) == transcript.segments and text == transcript.text


async def test_windows_are_given_out_in_order_whatever_their_order_of_end(
    decoders: DecoderPool,
) -> None:
    given, ends = Given(), [asyncio.Event() for _ in range(4)]
    provider = Scripted(concurrency=4, gate=lambda number: ends[number].wait())
    job = asyncio.create_task(
        run(encode(FOUR, "x.wav"), provider, decoders, Settings(), on_final=given)
    )
    await until(lambda: provider.running == 4, "all windows")
    ends[2].set()
    await until(lambda: provider.running == 3, "the end of the third")
    assert given.segments == []
    ends[0].set()
    await until(lambda: len(given.segments) == 1, "the first text")
    ends[3].set()
    await until(lambda: provider.running == 1, "the end of the fourth")
    assert len(given.segments) == 1
    ends[1].set()
    assert given.is_all_of(await job)
    assert given.languages[0] == "en"


async def test_a_window_in_doubt_waits_for_its_neighbours_and_for_its_second_look(
    decoders: DecoderPool,
) -> None:
    given, seen = Given(), dict[int, int]()

    def says(number: int, options: Options) -> str:
        seen.setdefault(len(seen), len(given.segments))
        return f"{number} in {options.language}"

    provider = Scripted(
        says=says, language=lambda number: ("cy", 0.3) if number == 1 else ("en", 0.99)
    )
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings(), on_final=given)
    assert transcript.text == "0 in None 1 in en 2 in None 3 in None"
    assert given.is_all_of(transcript)
    assert seen[2] <= 1  # when the third window is recognised, no more than the first is out
    assert [len(options.language or "") for options in provider.options].count(2) == 1


@pytest.mark.parametrize("stop", ["c d", "d e", "z", "f g h", " e"])
async def test_what_may_begin_a_stop_is_held_back(stop: str, decoders: DecoderPool) -> None:
    texts = ["a b", "c d", "e f", "g h"]
    provider = Scripted(says=lambda number, _: texts[number], honours=frozenset({"stop"}))
    given = Given()
    transcript = await run(
        encode(FOUR, "x.wav"),
        provider,
        decoders,
        Settings(),
        options=Options(stop=(stop,)),
        on_final=given,
    )
    assert transcript.text == " ".join(texts).partition(stop)[0].rstrip()
    assert given.is_all_of(transcript)


async def test_a_limit_of_tokens_ends_what_is_given_out(decoders: DecoderPool) -> None:
    provider = Scripted(says=lambda *_: "one two", honours=frozenset({"max_tokens"}))
    given = Given()
    transcript = await run(
        encode(FOUR, "x.wav"),
        provider,
        decoders,
        Settings(),
        options=Options(max_tokens=4),
        on_final=given,
    )
    assert transcript.text == "one two one two"
    assert given.is_all_of(transcript)


async def split(data: bytes, provider: Scripted, decoders: DecoderPool, **more: Any) -> Transcript:
    choice, accepted = (
        SoundChoice(channels="split"),
        accept_options("x", provider.capabilities, Options()),
    )
    with Source.open(data, Settings(), name="a.wav", choice=choice) as source:
        return await TranscriptionJob(
            source=source,
            options=accepted,
            route=Route.to(provider),
            decoders=decoders,
            settings=Settings(),
            **more,
        ).transcript()


async def test_split_channels_are_given_out_in_the_order_of_their_times(
    decoders: DecoderPool,
) -> None:
    """The parties take turns, and the second is silent at the end."""
    turn = np.concatenate([sample(), SILENCE])
    nobody = np.zeros_like(turn)
    first = np.concatenate([turn, nobody, turn, nobody, turn, turn])
    second = np.concatenate([nobody, turn, nobody, turn, nobody, nobody])
    given = Given()
    provider = Scripted(concurrency=3)
    transcript = await split(
        encode(np.stack([first, second]), "x.flac"), provider, decoders, on_final=given
    )
    starts = [segment.start for segment in given.segments]
    assert starts == sorted(starts)
    assert {segment.channel for segment in given.segments} == {1, 2}
    assert len(provider.windows) == len(given.segments) == 6
    assert given.is_all_of(transcript)


SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_script_gives_the_same_text_in_pieces_and_as_a_whole(
    seed: int, decoders: DecoderPool
) -> None:
    """Random languages, doubts, silences and delays, of 16 windows; the seed is in the name."""
    chance = random.Random(seed)
    utterance = np.concatenate([sample()[: 3 * RATE], SILENCE])
    data = encode(np.concatenate([utterance] * 16), "x.flac")
    script = [
        (
            chance.choice(["", "word", "日本", "a b", " c "]),
            chance.choice(["en", "de"]),
            chance.random(),
        )
        for _ in range(16)
    ]
    delays = [chance.random() / 20 for _ in range(16)]

    def provider(concurrency: int, wait: float) -> Scripted:
        return Scripted(
            concurrency=concurrency,
            gate=lambda number: asyncio.sleep(delays[number] * wait),
            says=lambda number, _: script[number][0] and f"{number} {script[number][0]}",
            language=lambda number: script[number][1:],
            confidence=0.5,
        )

    given = Given()
    several = await run(data, provider(5, 1.0), decoders, Settings(), on_final=given)
    assert given.is_all_of(several)
    assert sum(given.tokens) == several.tokens == len(several.text.split())
    one = await run(data, provider(1, 0.0), decoders, Settings())
    assert one.text == several.text
