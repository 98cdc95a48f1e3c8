"""Every error in every dialect: a sentence, its status and code, an id, and nothing else.

The provider refuses the window, or the whole request, with each code in turn.
"""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import SCRIPTED, Running, recording, serving
from tests.cli.command import clip
from tests.scripted import Scripted
from tests.sounds import encode
from voxgate.errors import CODES, PUBLIC_SENTENCES, Code, error_from_code
from voxgate.pipeline.dispatch import MAX_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from voxgate.errors import VoxgateError

SENTENCE = "The upstream's queue is full (\u00fc, \u201cquoted\u201d). Try again in a minute."
PRIVATE = (
    "The ledger postgresql://alice@db.internal/voxgate and the folder /home/alice/models of "
    "box.internal cannot be used. Free some space there."
)
"""As a sentence may be that is for those of the machine."""

LEDGER_FAILED = "The server's ledger cannot be used now. Try again; the server's log says why."
SOUND = encode(clip(), "note.flac")  # short: each code in each dialect decodes it
FILE = {"file": ("note.flac", SOUND, "audio/flac")}
FORM = {"model": SCRIPTED}
STREAM = FORM | {"stream": "true"}
PATH = "/api/v1/audio/transcriptions"
AUDIO_FILE = {"audio_file": FILE["file"]}
MISTRAL = {"User-Agent": "mistral-client-python/2.6.0"}
AI_SDK = {"User-Agent": "ai/6.0.0 runtime/node.js/22"}
INTERNALS = re.compile(
    r"Traceback|File \"|\.py\b|site-packages|<.+ object at|alice|internal(?!_error)|/home|postgres"
)
DIALECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenRouter": (PATH, {"json": recording(SOUND)}),
    "OpenAI": (PATH, {"data": FORM, "files": FILE}),
    "OpenAI, subtitles": (PATH, {"data": FORM | {"response_format": "srt"}, "files": FILE}),
    "OpenAI, a translation": ("/api/v1/audio/translations", {"data": FORM, "files": FILE}),
    "Mistral": (PATH, {"data": FORM, "files": FILE, "headers": MISTRAL}),
    "the AI SDK": (PATH, {"data": FORM, "files": FILE, "headers": AI_SDK}),
    "a stream": (PATH, {"data": STREAM, "files": FILE}),
    "Mistral's stream": (PATH, {"data": STREAM, "files": FILE, "headers": MISTRAL}),
    "whisper-asr-webservice": (f"/asr?model={SCRIPTED}", {"files": AUDIO_FILE}),
    "its detection": (f"/detect-language?model={SCRIPTED}", {"files": AUDIO_FILE}),
    "whisper.cpp": ("/inference", {"data": FORM, "files": FILE}),
}  # fmt: skip
OF_EACH_KIND: list[Code] = list(
    {
        (row.status, row.retryable, row.kind, code in PUBLIC_SENTENCES): code
        for code, row in CODES.items()
    }.values()
)
"""One code of each status, class, use of a retry, and reader."""


@asynccontextmanager
async def speaking(folder: Path, provider: Scripted) -> AsyncIterator[Running]:
    provider.translates = provider.names_language = True
    provider.honours = frozenset({"max_tokens"})  # which detection asks for
    async with serving(folder, provider) as server:
        yield server


async def ask(server: Running, dialect: str) -> httpx2.Response:
    path, request = DIALECTS[dialect]
    return await server.client.post(f"{server.url}{path}", **request)


def fail_at(number: int, code: Code, provider: Scripted) -> None:
    """Let every attempt at this window of the next recording fail."""
    provider.script({number: [error_of_kind(code)] * MAX_ATTEMPTS})


def check(server: Running, answer: httpx2.Response, code: Code) -> None:
    """Check what is common to all shapes of an error, and the shape."""
    assert answer.status_code == CODES[code].status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("gen-stt-")
    assert (answer.headers.get("x-should-retry") == "false") is not CODES[code].retryable
    check_text(server, answer.text)
    error, sentence = answer.json()["error"], told(code)
    if isinstance(error, str):  # whisper.cpp's
        assert error == sentence
    else:
        assert (error["code"], error["message"]) == (CODES[code].status, sentence)
        assert error["metadata"]["code"] == code


def error_of_kind(code: Code) -> VoxgateError:
    """An error, with a sentence for those of the machine alone where that is what it has."""
    return error_from_code(code, PRIVATE if code in PUBLIC_SENTENCES else SENTENCE)


def told(code: Code) -> str:
    """The sentence of an answer, which anybody may read."""
    return PUBLIC_SENTENCES.get(code, SENTENCE)


def check_text(server: Running, text: str) -> None:
    assert not INTERNALS.search(text)
    assert server.key not in text
    assert str(server.settings.home) not in text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refused_request_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dialect: str
) -> None:
    provider = Scripted()
    async with speaking(tmp_path, provider) as server:
        for code in CODES:
            caplog.clear()
            provider.refusals = [error_of_kind(code)]
            answer = await ask(server, dialect)
            check(server, answer, code)
            whole = f"{answer.headers['x-request-id']} {PRIVATE}"
            assert caplog.messages.count(whole) == (code in PUBLIC_SENTENCES), code


@pytest.mark.parametrize("dialect", ["OpenRouter", "OpenAI, subtitles", "a stream", "whisper.cpp"])
async def test_a_failed_job_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, dialect: str
) -> None:
    provider = Scripted()
    async with speaking(tmp_path, provider) as server:
        for code in OF_EACH_KIND:
            caplog.clear()
            fail_at(0, code, provider)
            check(server, await ask(server, dialect), code)
            whole = [message for message in caplog.messages if PRIVATE in message]
            assert bool(whole) == (code in PUBLIC_SENTENCES), code


@pytest.mark.parametrize("headers", [{}, MISTRAL])
async def test_a_stream_that_has_begun_ends_with_why(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    provider = Scripted(window_s=5.0)
    async with speaking(tmp_path, provider) as server:
        for code in OF_EACH_KIND:
            fail_at(1, code, provider)
            answer = await server.client.post(
                f"{server.url}{PATH}", json=recording(stream=True), headers=headers
            )
            assert answer.status_code == 200
            events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
            assert len(events) > 1
            check_text(server, answer.text)
            error = json.loads(events[-1])["error"]
            assert told(code) in json.dumps(error, ensure_ascii=False).replace("\\", "")
            assert code in json.dumps(error)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_bug_is_reported_without_its_words(tmp_path: Path, dialect: str) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("Traceback of /home/somebody with sk-vg-secret")

    async with speaking(tmp_path, Scripted(gate=fail)) as server:
        answer = await ask(server, dialect)
        assert answer.status_code == 500
        check_text(server, answer.text)
        assert "somebody" not in answer.text
        assert "sk-vg" not in answer.text
        assert "please report it" in answer.text
        assert answer.headers["x-request-id"] in answer.text
