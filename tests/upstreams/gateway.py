"""A server whose models are elsewhere: at one other server, under names of several providers.

Each provider is a model of that server and has a proxy of its own before it.
"""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.api.serving import Running, model_spec, serving
from tests.scripted import Scripted
from tests.upstreams.proxy import FaultProxy, fault_proxy
from voxgate.ledger.address import Address
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.session import Session
from voxgate.prices import NO_PRICES, ListedPrice, Price, PriceList
from voxgate.routing.health import HealthBook
from voxgate.upstreams import Endpoint, EndpointList, Upstream, UpstreamKind

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from decimal import Decimal
    from pathlib import Path

    import httpx2

    from voxgate.audio.spool import Audio
    from voxgate.ledger.generation import Generation
    from voxgate.prices import Unit
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options

MODEL = "somebody/whisper-large"
"""What callers ask for."""

PROXY_URL = "http://127.0.0.1:{port}/api/v1"
"""Where a provider is; `port` is that of its proxy."""


def named(name: str) -> Scripted:
    """Return a provider whose text says who heard how much in which language."""

    def hears(window: Audio, options: Options) -> str:
        return f"{name} heard {window.duration_s:.3f} s in {options.language}"

    return Scripted(hears=hears, concurrency=8, translates=True)


@dataclass
class Elsewhere:
    """One provider elsewhere, and how its endpoint is described."""

    name: str
    kind: UpstreamKind = "compatible"
    price: Price | None = None
    provider: Scripted | None = None  # None: it names itself
    model: str = MODEL  # as callers name it
    upstream: dict[str, Any] = field(default_factory=dict)  # fields of `Upstream`
    endpoint: dict[str, Any] = field(default_factory=dict)  # fields of `Endpoint`
    url: str = PROXY_URL

    upstream_model: str = ""  # as its server names it; by default after the provider

    def __post_init__(self) -> None:
        self.upstream_model = self.upstream_model or f"{self.name}/whisper"


@dataclass
class Gateway:
    """The server, and what is behind it."""

    server: Running
    behind: Running
    proxies: dict[str, FaultProxy]
    providers: dict[str, Scripted]

    async def post(
        self,
        data: bytes,
        name: str = "note.flac",
        *,
        provider: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        path: str = "/audio/transcriptions",
        **fields: Any,
    ) -> httpx2.Response:
        """Post a recording as a form. Another name makes another request of it."""
        preferences = {"provider": json.dumps(provider)} if provider else {}
        return await self.server.client.post(
            path,
            data={"model": MODEL, **preferences, **fields},
            files={"file": (name, data, "audio/flac")},
            headers=headers,
        )

    async def fact(self, answer: httpx2.Response) -> dict[str, Any]:
        """Return what `GET /generation` tells of an answer's request."""
        query = {"id": answer.headers["x-generation-id"]}
        found = await self.server.client.get("/generation", params=query)
        assert found.status_code == 200, found.text
        data: dict[str, Any] = found.json()["data"]
        return data

    async def record(self, answer: httpx2.Response) -> Generation:
        """Return the record of an answer's request, with its nano-dollars."""
        async with await Ledger.open(Address.of(self.server.settings)) as ledger:
            (key, *_) = await ledger.keys.all()
            found = await ledger.generations.find(answer.headers["x-generation-id"], key.hash)
        assert found
        return found

    def asked(self) -> dict[str, int]:
        """Return how many requests each provider's proxy has received."""
        return {name: len(proxy.faults) for name, proxy in self.proxies.items()}


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def price(amount: str | Decimal, unit: Unit) -> Price:
    return Price.parse({"amount": str(amount), "unit": unit})


@asynccontextmanager
async def gateway(
    folder: Path,
    providers: Sequence[Elsewhere],
    *,
    here: Scripted | None = None,
    clock: Callable[[], float] = time.monotonic,
    **settings: Any,
) -> AsyncIterator[Gateway]:
    """Serve models that are at these providers, in this order; `MODEL` also `here`, before them.

    `clock` is that of their health: one that stands still keeps a breaker open.
    """

    def session(limited: Settings) -> Session:
        opened = Session(limited) if here is None else _session_with(here, limited)
        opened.endpoints.health = HealthBook(clock)
        return opened

    scripted = {each.name: each.provider or named(each.name) for each in providers}
    for each in providers:
        scripted[each.name].name = each.upstream_model  # as it answers
    async with AsyncExitStack() as stack:
        behind = await stack.enter_async_context(_server_behind(folder, providers, scripted))
        proxies = {
            each.name: await stack.enter_async_context(fault_proxy(behind.url))
            for each in providers
        }
        key_file = folder / "upstream.key"
        key_file.write_text(behind.key, encoding="utf-8")
        entries = tuple(_endpoint(each, proxies[each.name].port, key_file) for each in providers)
        listed = [ListedPrice(e.model, e.price, provider=e.name) for e in providers if e.price]
        server = await stack.enter_async_context(
            serving(
                folder / "gateway",
                session=session,
                endpoints=EndpointList(tuple(each.upstream for each in entries), entries),
                prices=PriceList(tuple(listed)) if listed else NO_PRICES,
                **settings,
            )
        )
        yield Gateway(server, behind, proxies, scripted)


def _session_with(here: Scripted, limited: Settings) -> Session:
    spec = replace(model_spec(MODEL, here), endpoints=limited.endpoints.of(MODEL))
    return Session(limited, models={MODEL: spec}, start=lambda *_: here)


def _endpoint(each: Elsewhere, port: int, key_file: Path) -> Endpoint:
    url = each.url.format(port=port)
    fields: dict[str, Any] = {"keys": (f"file:{key_file}",), "concurrency": 16} | each.upstream
    upstream = Upstream(each.name, each.kind, url, **fields)
    return Endpoint(each.model, upstream, each.upstream_model, **each.endpoint)


def _server_behind(
    folder: Path, providers: Sequence[Elsewhere], scripted: Mapping[str, Scripted]
) -> AbstractAsyncContextManager[Running]:
    by_name = {each.upstream_model: scripted[each.name] for each in providers}
    models = {name: model_spec(name, provider) for name, provider in by_name.items()}

    def session(limited: Settings) -> Session:
        return Session(limited, models=models, start=lambda spec, _: by_name[spec.name])

    return serving(folder / "behind", session=session)


def deltas(answer: httpx2.Response) -> tuple[list[str], dict[str, Any]]:
    """Return the deltas of a stream in OpenAI's dialect, and its last event."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    events = [json.loads(line) for line in lines if line.startswith("{")]
    parts = [each["delta"] for each in events if each.get("type") == "transcript.text.delta"]
    return parts, events[-1]
