"""Endpoints of tests, and one window asked of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxgate.models.capabilities import Capabilities
from voxgate.providers.upstream.client import UpstreamClient
from voxgate.providers.upstream.dialect import WindowQuestion
from voxgate.providers.upstream.encoding import EncodedSound
from voxgate.providers.upstream.model import UpstreamModel
from voxgate.settings import Settings
from voxgate.transcript.values import Done, Options, Segment
from voxgate.upstreams import Endpoint, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.audio.spool import Audio
    from voxgate.providers.upstream.dialect import Times

LANGUAGES = ("en", "de", "fr")


def endpoint(
    url: str = "http://127.0.0.1:1/v1",
    *,
    kind: Any = "compatible",
    model: str = "whisper-large-v3",
    **upstream: Any,
) -> Endpoint:
    """Return a model at an upstream, with these fields of the upstream."""
    return Endpoint("someone/whisper", Upstream("somewhere", kind, url, **upstream), model)


@asynccontextmanager
async def model_at(
    endpoint: Endpoint, *, times: Times = "word", **settings: Any
) -> AsyncIterator[UpstreamModel]:
    """Be a model of a session's own client."""
    client = UpstreamClient(replace(Settings(), **settings))
    capabilities = Capabilities(window_s=600.0, languages=LANGUAGES, times=times)
    try:
        yield UpstreamModel(endpoint, capabilities, client)
    finally:
        await client.aclose()


async def answer(
    model: UpstreamModel, window: Audio, options: Options | None = None
) -> tuple[list[Segment], Done]:
    """Ask the model about one window."""
    events = [event async for event in model.transcribe(window, options or Options())]
    done = events[-1]
    assert isinstance(done, Done)
    return [event for event in events if isinstance(event, Segment)], done


async def ask(
    endpoint: Endpoint, window: Audio, options: Options | None = None, **how: Any
) -> tuple[list[Segment], Done]:
    """Ask a model of its own client about one window."""
    async with model_at(endpoint, **how) as model:
        return await answer(model, window, options)


def question(
    kind: Any = "compatible",
    model: str = "whisper-large-v3",
    *,
    times: Times = "word",
    upstream: dict[str, Any] | None = None,
    **options: Any,
) -> WindowQuestion:
    """Return a question to a model at an upstream, with these options."""
    at = endpoint(kind=kind, model=model, **(upstream or {}))
    return WindowQuestion(EncodedSound(b"fLaC", "flac"), Options(**options), at, times)
