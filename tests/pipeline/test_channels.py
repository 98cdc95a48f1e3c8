"""Calls whose parties have a channel each: mixed, nobody is lost; split, each has a text."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

import voxgate
from tests.failures import raises
from tests.sounds import RATE, encode, sample
from voxgate.audio.channels import SoundChoice
from voxgate.transcript.formats import find_writer
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.sounds import Pcm
    from voxgate import Session, Transcript

CALLER = "the train stopped outside the city"
CALLEE = "send me the notes"
CUT_S = 5.2  # of the sample: between its second and its third sentence
QUIET = 0.03  # 30 dB below the other party


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with voxgate.Session(voxgate.Settings()) as session:
        yield session


def parties(gain: float = 1.0) -> Pcm:
    """Return [2, samples]: one party says the sample's beginning, the other its end, later."""
    sound, cut = sample(), round(CUT_S * RATE)
    call = np.zeros((2, len(sound) + RATE), np.int16)
    call[0, :cut] = sound[:cut]
    call[1, cut + RATE :] = (sound[cut:] * gain).astype(np.int16)
    return call


def said(transcript: Transcript, channel: int | None) -> str:
    return " ".join(each.text for each in transcript.segments if each.channel == channel)


async def test_split_channels_have_their_own_words_in_one_order(session: Session) -> None:
    call = encode(parties(), "call.wav")
    split = await session.transcribe(call, choice=SoundChoice(channels="split"))
    assert CALLER in said(split, 1)
    assert CALLEE in said(split, 2)
    assert CALLEE not in said(split, 1)
    starts = [word.start for word in split.words]
    assert starts == sorted(starts)
    assert {word.channel for word in split.words} == {1, 2}
    assert split.duration == pytest.approx(parties().shape[1] / RATE)


async def test_split_channels_in_every_format(session: Session) -> None:
    call = encode(parties(), "call.wav")
    split = await session.transcribe(call, choice=SoundChoice(channels="split"))
    for name in ("txt", "srt", "vtt"):
        lines = find_writer(name).write(split).splitlines()
        turns = [line for line in lines if line.startswith("- ")]
        assert len(turns) == 2
        assert turns[0].startswith("- Hi")
    assert '"channel": 2' in find_writer("verbose_json").write(split)
    mixed = await session.transcribe(call)
    assert {word.channel for word in mixed.words} == {None}
    for name in ("txt", "srt", "verbose_json"):
        text = find_writer(name).write(mixed)
        assert "- " not in text
        assert "channel" not in text


async def test_parties_who_speak_at_once_are_both_heard(session: Session) -> None:
    sound = sample()
    both = np.stack([sound, np.roll(sound, len(sound) // 2)])
    split = await session.transcribe(encode(both, "x.flac"), choice=SoundChoice(channels="split"))
    for channel in (1, 2):
        assert CALLER in said(split, channel)
        own = [each for each in split.segments if each.channel == channel]
        assert all(a.end <= b.start for a, b in itertools.pairwise(own))


@pytest.mark.parametrize("quiet", [0, 1])
async def test_a_quiet_party_is_not_lost_in_the_mix(quiet: int, session: Session) -> None:
    call = parties().astype(float)
    call[quiet] *= QUIET
    text = (await session.transcribe(encode(call.astype(np.int16), "call.wav"))).text
    assert CALLER in text
    assert CALLEE in text


async def test_options_of_one_text_are_refused_for_split_channels(session: Session) -> None:
    for options in (Options(max_tokens=5), Options(stop=("x",))):
        with raises("unsupported_option", match="split channels have a text each"):
            await session.transcribe(
                encode(sample(), "x.wav"), options=options, choice=SoundChoice(channels="split")
            )


async def test_more_channels_than_can_be_split_are_refused(session: Session) -> None:
    nine = encode(np.zeros((9, RATE), np.int16), "x.wav", "-channel_layout", "9C")
    with raises("unsupported_option", match="9 channels, and at most 8"):
        await session.transcribe(nine, choice=SoundChoice(channels="split"))
