"""A model that does not translate although it is asked to: no face is silent about it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import FILE, SCRIPTED, Running, recording, serving
from tests.scripted import Scripted
from tests.sounds import SAMPLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

GERMAN = "Guten Morgen zusammen, wir sind heute hier, um lange über den Haushalt zu sprechen."
ENGLISH = "Good morning, everyone. We are here to talk about the budget for a long time."
CODE = "untranslated_text"
FORM = {"model": SCRIPTED}
AUDIO_FILE = {"audio_file": FILE["file"]}
MISTRAL = {"User-Agent": "mistral-client-python/2.6.0"}


@pytest.fixture
async def deaf(tmp_path: Path) -> AsyncIterator[Running]:
    """A server whose model says that it translates, and writes what was said."""
    async with serving(tmp_path, speaker(GERMAN)) as server:
        yield server


def speaker(text: str) -> Scripted:
    return Scripted(translates=True, says=lambda _n, _o: text, language=lambda _: ("de", 0.9))


@pytest.mark.parametrize(
    ("path", "request_"),
    [
        ("/api/v1/audio/translations", {"json": recording()}),
        ("/api/v1/audio/translations", {"data": FORM, "files": FILE}),
        ("/api/v1/audio/translations", {"json": recording(response_format="verbose_json")}),
        ("/api/v1/audio/translations", {"json": recording(response_format="text")}),
        ("/api/v1/audio/translations", {"json": recording(response_format="srt")}),
        ("/api/v1/audio/translations", {"json": recording(), "headers": MISTRAL}),
        (f"/asr?task=translate&output=json&model={SCRIPTED}", {"files": AUDIO_FILE}),
        (f"/asr?task=translate&output=srt&model={SCRIPTED}", {"files": AUDIO_FILE}),
        ("/inference", {"data": FORM | {"translate": "true"}, "files": FILE}),
    ],
)  # fmt: skip
async def test_every_answer_warns(deaf: Running, path: str, request_: dict[str, Any]) -> None:
    answer = await deaf.client.post(f"{deaf.url}{path}", **request_)
    assert answer.status_code == 200, answer.text
    assert "Haushalt" in answer.text
    assert CODE in answer.headers["x-voxgate-warning"]
    if answer.headers["content-type"].startswith("application/json"):
        assert [each["code"] for each in answer.json()["warnings"]] == [CODE]


@pytest.mark.parametrize("headers", [{}, MISTRAL])
async def test_a_streams_end_warns(deaf: Running, headers: dict[str, str]) -> None:
    body = recording(stream=True)
    answer = await deaf.client.post("/audio/translations", json=body, headers=headers)
    events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    assert [each["code"] for each in json.loads(events[-1])["warnings"]] == [CODE]


async def test_the_command_line_warns(deaf: Running) -> None:
    command = ("transcribe", str(SAMPLE), "--task", "translate", "-m", SCRIPTED)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voxgate", *command, "--server", deaf.url, "--key", deaf.key),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await process.communicate()
    assert process.returncode == 0, said
    assert "Haushalt" in out.decode()
    assert "The text was to be English, and is not: 0:00.0 to 0:10.4." in said.decode()


async def test_nothing_warns_of_a_translation_or_of_a_transcription(tmp_path: Path) -> None:
    async with serving(tmp_path / "english", speaker(ENGLISH)) as server:
        translated = await server.client.post("/audio/translations", json=recording())
        assert "x-voxgate-warning" not in translated.headers
        assert "warnings" not in translated.json()
    async with serving(tmp_path / "german", speaker(GERMAN)) as server:
        transcribed = await server.post(recording())
        assert "x-voxgate-warning" not in transcribed.headers
