"""Recordings that cannot be transcribed, as a client of the server meets them."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
import pytest_asyncio

from tests.api.serving import Running, error_of, new_key, recording, serving, with_key
from tests.sounds import RATE, SAMPLE, encode, picture_only, sample

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.asyncio(loop_scope="module")

BAD = {
    "text": (b"Dear all,\n\nthe minutes are ...\n", "not_audio"),
    "random bytes": (np.random.default_rng(1).bytes(100_000), "not_audio"),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "not_audio"),
    "a film without sound": (picture_only("x.mp4"), "no_sound_track"),
    "no bytes": (b"", "empty_audio"),
    "no samples": (encode(sample()[:0], "x.wav"), "empty_audio"),
    "cut off in its index": (encode(sample(), "x.m4a")[:20_000], "truncated_audio"),
    "a header alone": (SAMPLE.read_bytes()[:60], "truncated_audio"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize("what", BAD)
async def test_each_is_a_4xx_with_its_code_in_json_and_form(server: Running, what: str) -> None:
    data, code = BAD[what]
    files = {"file": ("bad.bin", data)}
    form = await server.client.post(
        "/audio/transcriptions", data={"model": "scripted/one"}, files=files
    )
    for answer in (await server.post(recording(data)), form):
        assert 400 <= answer.status_code < 500
        error = error_of(answer)
        assert error["metadata"]["code"] == code
        id_ = answer.headers["x-generation-id"]
        known = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        assert (known["status"], known["error_code"]) == (answer.status_code, code)
    assert "bad.bin" in error["message"]


async def test_half_a_recording_is_half_its_words_and_a_warning(server: Running) -> None:
    data = encode(sample(), "x.flac")
    answer = await server.post(recording(data[: len(data) // 2]))
    assert answer.status_code == 200
    assert answer.json()["warnings"][0]["code"] == "truncated_audio"
    assert answer.headers["x-voxgate-warning"].startswith("truncated_audio")


async def test_bad_recordings_cost_other_ones_nothing(server: Running) -> None:
    """Of the same key, whose decoders they may share, and of another one."""
    keys = [server.key, await new_key(server, "other")]
    good = {encode(sample()[: second * RATE], "x.flac"): second for second in range(1, 9)}
    bodies = [(data, key) for data in [*good, *(data for data, _ in BAD.values())] for key in keys]
    random.Random(20).shuffle(bodies)
    answers = await asyncio.gather(
        *(server.post(recording(data), headers=with_key(key)) for data, key in bodies)
    )
    for (data, _), answer in zip(bodies, answers, strict=True):
        if data in good:
            assert answer.json()["usage"]["seconds"] == good[data]
        else:
            assert 400 <= answer.status_code < 500
