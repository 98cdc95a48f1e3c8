"""Films with several sound tracks: which is read, and what is said about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.failures import raises
from tests.sounds import RATE, ffmpeg
from voxgate.audio.channels import SoundChoice
from voxgate.audio.decoder_process import PcmBlock
from voxgate.audio.source import Source
from voxgate.settings import Settings
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.audio.decoder_pool import DecoderPool

TONES_HZ = (400, 800, 1200)


def film(name: str, languages: list[str], *, default: int | None = None) -> bytes:
    """Return a file with a tone for each language, the track of number `default` flagged."""
    inputs = [f"sine=frequency={tone}:duration=1" for tone in TONES_HZ[: len(languages)]]
    arguments = [part for tone in inputs for part in ("-f", "lavfi", "-i", tone)]
    for place, language in enumerate(languages):
        arguments += ["-map", f"{place}:a", f"-metadata:s:a:{place}", f"language={language}"]
        flag = "default" if place + 1 == default else "0"
        arguments += [f"-disposition:a:{place}", flag]
    return ffmpeg(*arguments, "-metadata:s:a:1", "title=Director's  comments", name)


async def heard(
    data: bytes,
    decoders: DecoderPool,
    choice: SoundChoice | None = None,
    language: str | None = None,
) -> tuple[int, list[Notice]]:
    """Return the number of the track whose tone is decoded, and the notices."""
    pcm16, notices = b"", list[Notice]()
    with Source.open(data, Settings(), name="film", choice=choice, language=language) as source:
        async for event in decoders.decode(source):
            if isinstance(event, PcmBlock):
                pcm16 += event.pcm16
            elif isinstance(event, Notice):
                notices.append(event)
    spectrum = np.abs(np.fft.rfft(np.frombuffer(pcm16, "<i2").astype(float)))
    return 1 + TONES_HZ.index(round(spectrum.argmax() * RATE / (len(pcm16) // 2), -1)), notices


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4"])
async def test_a_track_is_chosen_by_number_or_language(name: str, decoders: DecoderPool) -> None:
    data = film(name, ["eng", "ger", "fra"])
    for track, number in (
        ("2", 2),
        ("3", 3),
        ("de", 2),
        ("ger", 2),
        ("deu", 2),
        ("fr-CA", 3),
        ("German", 2),
    ):
        assert await heard(data, decoders, SoundChoice(track)) == (number, [])


async def test_without_a_choice_it_is_the_flagged_track(decoders: DecoderPool) -> None:
    number, (notice,) = await heard(film("x.mkv", ["eng", "ger", "fra"], default=2), decoders)
    assert number == 2
    assert notice.code == "several_tracks"
    assert "3 sound tracks: 1 (en), 2 (de, Director's comments), 3 (fr)" in notice.sentence
    assert "Number 2 was transcribed" in notice.sentence
    assert "`track`" in notice.sentence


async def test_without_a_flag_it_is_that_of_the_language_else_the_first(
    decoders: DecoderPool,
) -> None:
    data = film("x.mkv", ["eng", "ger", "fra"])
    for language, number in (("fr", 3), ("de", 2), ("sv", 1), (None, 1)):
        found, _ = await heard(data, decoders, language=language)
        assert found == number


@pytest.mark.parametrize("track", ["4", "0", "sv", "comments", "²"])
async def test_an_unknown_track_is_refused_with_those_there_are(
    track: str, decoders: DecoderPool
) -> None:
    with raises("no_sound_track", match=r"1 \(en\), 2 \(de, Director's comments\)"):
        await heard(film("x.mkv", ["eng", "ger"]), decoders, SoundChoice(track))


@pytest.mark.parametrize("name", ["x.mkv", "x.mp4", "x.wav"])
async def test_an_only_track_without_a_language_is_taken_for_any_and_said(
    name: str, decoders: DecoderPool
) -> None:
    data = ffmpeg("-f", "lavfi", "-i", "sine=frequency=400:duration=1", name)
    number, (notice,) = await heard(data, decoders, SoundChoice("German"))
    assert (number, notice.code) == (1, "unlabelled_track")
    assert "one sound track, which states no language" in notice.sentence
    assert "'de'" in notice.sentence
    for track in ("2", "comments"):
        with raises("no_sound_track"):
            await heard(data, decoders, SoundChoice(track))


async def test_an_only_track_of_another_language_and_several_without_are_refused(
    decoders: DecoderPool,
) -> None:
    for languages in (["eng"], ["und", "und"]):
        with raises("no_sound_track", match="no track in 'de'"):
            await heard(film("x.mkv", languages), decoders, SoundChoice("de"))


def test_values_that_are_none_are_refused() -> None:
    with raises("invalid_request", match="'track' is empty"):
        SoundChoice(" ")
    with raises("invalid_request", match="mix, split"):
        SoundChoice(channels="seperate")  # type: ignore[arg-type]


async def test_a_track_that_nothing_can_decode_is_no_warning(decoders: DecoderPool) -> None:
    data = film("x.m4a", ["eng", "eng"])
    at = data.rindex(b"mp4a")  # the second track's codec becomes one of spatial audio
    spatial = b"apac" + data[at + 4 :].replace(b"esds", b"dapa")
    assert await heard(data[:at] + spatial, decoders) == (1, [])


async def test_a_single_track_needs_no_warning(decoders: DecoderPool) -> None:
    assert await heard(
        ffmpeg("-f", "lavfi", "-i", "sine=frequency=400:duration=1", "x.m4a"), decoders
    ) == (1, [])


async def test_a_recording_that_follows_without_the_track_is_reported(
    decoders: DecoderPool,
) -> None:
    data = film("x.mkv", ["eng", "ger"]) + film("x.mkv", ["eng"])
    number, (notice,) = await heard(data, decoders, SoundChoice("de"))
    assert number == 2
    assert notice.code == "truncated_audio"
    assert "goes on with 1 recording without the sound track 'de'" in notice.sentence
    _, notices = await heard(data, decoders, SoundChoice("en"))
    assert notices == []
