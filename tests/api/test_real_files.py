"""Every real file posted to a server: words where somebody speaks, else a 4xx of one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.serving import SCRIPTED, Running, error_of, serving
from tests.real_files import MEMORY_BYTES, TRUE_SENTENCES, real_files, words_of

if TYPE_CHECKING:
    from pathlib import Path

SHORT_S = 0.7  # the detector hears a lone word of less at times as a noise


@pytest.mark.parametrize("folder", ["devices", "short", "long", "broken"])
async def test_every_file_is_answered(folder: str, tmp_path: Path) -> None:
    """The model is scripted, and answers each window of speech: what it would say is not tested."""
    files = real_files(folder)
    async with serving(tmp_path, decoder_memory_bytes=MEMORY_BYTES) as server:
        for path in files:
            await check_answer(server, path)


async def check_answer(server: Running, path: Path) -> None:
    form = {"model": SCRIPTED, "response_format": "verbose_json"}
    upload = {"file": (path.name, path.read_bytes())}
    answer = await server.client.post("/audio/transcriptions", data=form, files=upload)
    if answer.status_code == 200:
        transcript = answer.json()
        heard = bool(transcript["text"])
        assert heard or not words_of(path) or transcript["duration"] < SHORT_S, path
        return
    error = error_of(answer)
    assert 400 <= answer.status_code < 500, error
    assert error["metadata"]["code"] in TRUE_SENTENCES, error
    assert path.name in error["message"]
    assert "\n" not in error["message"]
    assert not words_of(path), error
