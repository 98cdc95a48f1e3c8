"""The app with a backend that fails."""

from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager

import httpx2
import pytest

from tests.engine.material import DEADLINE_S, one_by_one
from voxgate.engine.app import create_app
from voxgate.engine.group_scheduler import GroupScheduler
from voxgate.engine.protocol import Failure, decode
from voxgate.errors import AudioError
from voxgate.models.capabilities import Capabilities
from voxgate.transcript.values import Event, Options, Progress


class Failing:
    """A `Backend` whose every window fails after one step, or that is full from the start."""

    name = "test/failing"
    capabilities = Capabilities(window_s=1.0, languages=(), times="none")

    def __init__(self, error: Exception, queue_limit: int) -> None:
        self.error, self.queue_limit = error, queue_limit

    def scheduler(self) -> GroupScheduler:
        return GroupScheduler(one_by_one(self.recognise), 1, self.queue_limit)

    def recognise(self, _pcm16: bytes, _options: Options) -> Generator[Event, None, None]:
        yield Progress(0.0)
        raise self.error


@asynccontextmanager
async def client(error: Exception, queue_limit: int = 1) -> AsyncIterator[httpx2.AsyncClient]:
    backend = Failing(error, queue_limit)
    scheduler = backend.scheduler()
    transport = httpx2.ASGITransport(create_app(backend, scheduler))
    async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as http:
        yield http
    scheduler.stop(DEADLINE_S)


async def test_an_accident_becomes_an_error_line_without_its_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with client(RuntimeError("tensor of secret words")) as http:
        for _ in range(2):  # the engine survives it
            response = await http.post("/transcribe", content=b"\0\0")
            step, failure = map(decode, response.content.splitlines())
            assert step == Progress(0.0)
            assert isinstance(failure, Failure)
            assert (failure.code, failure.retryable) == ("engine_error", True)
            assert "test/failing failed on this window (RuntimeError)" in failure.sentence
            assert "secret" not in failure.sentence
    assert "tensor of secret words" in caplog.text


async def test_an_error_with_a_sentence_keeps_it() -> None:
    async with client(AudioError("This is a poem.", code="not_audio")) as http:
        response = await http.post("/transcribe", content=b"\0\0")
    assert decode(response.content.splitlines()[-1]) == Failure(
        "not_audio", "This is a poem.", False
    )


async def test_an_unknown_header_is_ignored() -> None:
    """Such as `voxgate-lane`, which older callers send."""
    async with client(RuntimeError()) as http:
        response = await http.post("/transcribe", content=b"\0\0", headers={"voxgate-lane": "live"})
    assert response.status_code == 200


async def test_a_full_queue_is_503() -> None:
    async with client(RuntimeError(), queue_limit=0) as http:
        response = await http.post("/transcribe", content=b"\0\0")
    assert response.status_code == 503
    failure = decode(response.content)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.retryable) == ("engine_busy", True)


async def test_a_model_that_cannot_align_refuses_a_text() -> None:
    async with client(RuntimeError()) as http:
        header = {"Voxgate-Align": '{"text": "hello", "language": "en"}'}
        response = await http.post("/align", content=b"\0\0", headers=header)
    assert response.status_code == 400
    failure = decode(response.content)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.retryable) == ("unsupported_option", False)
