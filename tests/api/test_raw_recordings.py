"""Recordings as the whole body, with the fields in the query: curl, devices, scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import ABSENT, SCRIPTED, Running, error_of, recording, serving
from tests.api.test_stream import parse
from tests.scripted import Scripted
from tests.sounds import SAMPLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")

SOUND = SAMPLE.read_bytes()
PATH = "/audio/transcriptions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    able = Scripted(translates=True, vocabulary=True)
    async with serving(tmp_path_factory.mktemp("server"), able) as running:
        yield running


async def send(
    server: Running,
    content: bytes | AsyncIterator[bytes] = SOUND,
    kind: str = "audio/flac",
    path: str = PATH,
    headers: dict[str, str] | None = None,
    **query: Any,
) -> httpx2.Response:
    return await server.client.post(
        path,
        content=content,
        params={"model": SCRIPTED, **query},
        headers={"Content-Type": kind, **(headers or {})},
    )


async def pieces() -> AsyncIterator[bytes]:
    """The recording as `curl -T -` sends it: chunked, without a length."""
    for start in range(0, len(SOUND), 4096):
        yield SOUND[start : start + 4096]


@pytest.mark.parametrize("kind", ["audio/mpeg", "video/webm", "application/octet-stream"])
async def test_any_type_of_sound_is_transcribed(server: Running, kind: str) -> None:
    """The bytes tell the format, as in a form."""
    for content in (SOUND, pieces()):
        answer = await send(server, content, kind)
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"].startswith("from 0.")


async def test_the_query_has_the_fields_of_forms(server: Running) -> None:
    answer = await send(
        server,
        response_format="verbose_json",
        keyterms=["Voxgate", "Voxtral"],
        language="de",
        xyzzy="1",
    )
    body = answer.json()
    assert (body["language"], body["task"]) == ("de", "transcribe")
    assert body["segments"]
    assert [each["code"] for each in body["warnings"]] == ["unused_option"]
    assert "xyzzy" in body["warnings"][0]["sentence"]
    assert server.provider.options[-1].vocabulary == ("Voxgate", "Voxtral")
    subtitles = await send(server, response_format="srt")
    assert subtitles.text.startswith("1\n00:00:0")


async def test_a_translation(server: Running) -> None:
    answer = await send(server, path="/audio/translations", response_format="verbose_json")
    assert answer.json()["task"] == "translate"


async def test_a_stream(server: Running) -> None:
    answer = await send(server, stream="true")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done, end = (event.data for event in parse(answer.text))
    assert end == "[DONE]"
    assert "".join(each["delta"] for each in deltas) == done["text"] != ""


async def test_a_name_or_a_type_makes_it_headerless(server: Running) -> None:
    pcm = bytes(2 * 16_000 * 3)
    for kind, headers in (
        ("audio/pcm", {}),
        ("application/octet-stream", {"Content-Disposition": 'attachment; filename="a.pcm"'}),
    ):
        answer = await send(server, pcm, kind, headers=headers)
        assert answer.json()["usage"]["seconds"] == 3
    assert error_of(await send(server, pcm, "audio/mpeg"))["metadata"]["code"] == "not_audio"


@pytest.mark.parametrize("kind", ["form", "json"])
async def test_a_query_beside_a_body_with_fields_is_named(server: Running, kind: str) -> None:
    body: dict[str, Any] = {"json": recording()}
    if kind == "form":
        body = {"data": {"model": SCRIPTED}, "files": {"file": SOUND}}
    answer = await server.client.post(PATH, params={"language": "de"}, **body)
    assert (answer.status_code, answer.json()["language"]) == (200, "en")
    (warning,) = answer.json()["warnings"]
    assert "'language' in the address was not used" in str(warning)


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"model": ""}, 400, "no 'model'"),
        ({"model": ABSENT}, 404, "no-such-dist"),
        ({"temperature": "hot"}, 400, "'temperature'"),
        ({"diarize": "true"}, 400, "'diarize'"),
        ({"task": "translate"}, 400, "/audio/translations"),
        ({"file_url": "https://e.com/a.mp3"}, 400, "2 recordings: 'the body', 'file_url'"),
        ({"file": "talk.mp3"}, 400, "2 recordings: 'the body', 'file'"),
        ({"stream": "true", "response_format": "srt"}, 400, "cannot be streamed"),
    ],
)
async def test_bad_queries(server: Running, query: dict[str, Any], status: int, said: str) -> None:
    answer = await send(server, **query)
    assert answer.status_code == status
    assert said in error_of(answer)["message"]


async def test_bad_recordings(server: Running) -> None:
    assert error_of(await send(server, b""))["metadata"]["code"] == "empty_audio"
    named = {"Content-Disposition": 'attachment; filename="/etc/talk.mp3"'}
    error = error_of(await send(server, b"Only text, no sound at all.", headers=named))
    assert error["metadata"]["code"] == "not_audio"
    assert error["message"].startswith("talk.mp3 ")
    encoded = await send(server, headers={"Content-Encoding": "gzip"})
    assert encoded.status_code == 415
