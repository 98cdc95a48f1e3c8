"""Every fault of an upstream falls to the next one, and alone is told by its real cause."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import error_of
from tests.sounds import RATE, encode, sample
from tests.upstreams import faults
from tests.upstreams.faults import always
from tests.upstreams.gateway import PROXY_URL, Elsewhere, Gateway, gateway, price

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tests.upstreams.proxy import Fault
    from voxgate.errors import Code
    from voxgate.upstreams import UpstreamKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH = encode(sample()[: 2 * RATE], "x.flac")
PATIENCE_S = 0.5
KINDS: tuple[UpstreamKind, ...] = ("compatible", "openai", "mistral", "openrouter")


@dataclass(frozen=True)
class Told:
    """What callers are told of a fault, and the operator, where that is more."""

    code: Code
    public: str
    log: str = ""


FAILED: Code = "upstream_failed"
CANNOT = "cannot be used now. Try again later, or ask for another model"
DENIED = "The provider of this model denies the server access"
SAID = {"error": {"message": "No route to http://me:pw@10.0.0.7:8000/v1?key=abc now"}}
ANSWERS: dict[str, tuple[Fault, Told]] = {
    "half": (faults.half_a_body, Told(FAILED, CANNOT, "broke off before its answer was complete")),
    "page": (faults.PAGE_WITH_200, Told(FAILED, CANNOT, "cannot be used (text/html: ")),
    "cut": (faults.cut_json, Told(FAILED, CANNOT, "cannot be used (application/json: ")),
    "told": (faults.ERROR_WITH_200, Told(FAILED, "502 (Bad Gateway)", "The model behind is down")),
    "502": (faults.PAGE_WITH_502, Told(FAILED, "answered 502 (Bad Gateway). Try again later")),
    "503": (faults.UNAVAILABLE, Told(FAILED, "503 (Service Unavailable)", "Overloaded")),
    "504": (faults.GATEWAY_TIMEOUT, Told("upstream_timeout", "answered 504 (Gateway Timeout)")),
    "reset": (faults.reset, Told(FAILED, CANNOT, "broke off before its answer was complete")),
    "moved": (faults.REDIRECT, Told(FAILED, CANNOT, "No redirect is followed")),
    "huge": (faults.huge, Told(FAILED, CANNOT, "sent more than 4 MB for one window")),
    "key": (
        faults.WRONG_KEY,
        Told("upstream_denied", "denies the server access", "refused every key"),
    ),
    "silent": (faults.silent, Told("upstream_timeout", "did not answer within")),
    "trickle": (faults.trickle, Told("upstream_timeout", "did not answer within")),
    "url": (
        faults.canned(500, SAID),
        Told(FAILED, "500 (Internal Server Error)", "No route to http://10.0.0.7:8000/v1 now"),
    ),
    "429": (faults.RESTING, Told("upstream_rate_limited", "429 (Too Many Requests)")),
}
SAID = {"error": {"message": "No route to http://me:pw@10.0.0.7:8000/v1?key=abc now"}}
PLACES = {  # for which no connection is made
    "refused": ("http://127.0.0.1:1/v1", Told(FAILED, CANNOT, "refused the connection")),
    "unknown": ("http://nowhere.invalid/v1", Told(FAILED, CANNOT, "host whose name is not known")),
    "plain": ("https://127.0.0.1:{port}/v1", Told(FAILED, CANNOT, "did not agree on TLS")),
}
SLOW = {"silent", "trickle"}
TOLD = {name: told for name, (_, told) in (*ANSWERS.items(), *PLACES.items())}

CALLERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/audio/transcriptions", {"stream": "true"}),
    ("/audio/transcriptions", {"response_format": "srt"}),
    ("/audio/translations", {}),
)
"""Paths and fields of dialects; each asks a provider of its own, so that none rests."""


def provider_of(fault: str, kind: str) -> str:
    return f"{kind}-{fault}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    """One provider for each fault and kind, and one that works."""
    broken = [
        Elsewhere(
            provider_of(name, kind),
            kind,
            price=price("1", "second"),
            upstream={"patience_s": PATIENCE_S} if name in SLOW else {},
            url=PLACES[name][0] if name in PLACES else PROXY_URL,
        )
        for kind in KINDS
        for name in TOLD
    ]
    broken += [Elsewhere(f"caller{number}") for number in range(len(CALLERS))]
    listed = [*broken, Elsewhere("healthy", price=price("0.001", "second"))]
    async with gateway(tmp_path_factory.mktemp("faults"), listed) as running:
        for kind in KINDS:
            for name, (fault, _) in ANSWERS.items():
                running.proxies[provider_of(name, kind)].script = always(fault)
        for number in range(len(CALLERS)):
            running.proxies[f"caller{number}"].script = always(faults.UNAVAILABLE)
        yield running


async def ask(elsewhere: Gateway, kind: str, only: bool) -> dict[str, httpx2.Response]:
    """Post once for each fault, all at once, to its provider and, unless it is `only`, another.

    What needs patience is asked of one kind.
    """

    async def one(fault: str) -> httpx2.Response:
        broken = provider_of(fault, kind)
        preferences = {"only": [broken] if only else [broken, "healthy"], "order": [broken]}
        return await elsewhere.post(SPEECH, f"{broken}.flac", provider=preferences)

    asked = [fault for fault in TOLD if kind == KINDS[0] or fault not in SLOW]
    answers = await asyncio.gather(*map(one, asked))
    return dict(zip(asked, answers, strict=True))


@pytest.mark.parametrize("kind", KINDS)
async def test_a_fault_falls_to_the_next_provider(
    elsewhere: Gateway, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Who answered is named, and alone is paid; record and log have what was tried before."""
    for fault, answer in (await ask(elsewhere, kind, only=False)).items():
        assert answer.status_code == 200, (fault, answer.text)
        assert answer.json()["text"].startswith("healthy heard 1.9"), fault
        told = await elsewhere.fact(answer)
        assert (told["provider_name"], told["total_cost"]) == ("healthy", 0.002), fault
        tried = [(each["provider_name"], each["error_code"]) for each in told["provider_responses"]]
        assert tried == [(provider_of(fault, kind), TOLD[fault].code), ("healthy", None)], fault
        failures = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
        lines = [line for line in failures if line.startswith(told["id"])]
        assert [provider_of(fault, kind) in line for line in lines] == [True], fault


@pytest.mark.parametrize("kind", KINDS)
async def test_the_only_provider_s_fault_is_told_by_its_cause(
    elsewhere: Gateway, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = elsewhere.behind.key
    for fault, answer in (await ask(elsewhere, kind, only=True)).items():
        told, error = TOLD[fault], error_of(answer)
        assert error["metadata"]["code"] == told.code, (fault, error)
        assert told.public in error["message"], (fault, error)
        assert not re.search(r"127\.0|10\.0|://|nowhere", answer.text), fault
        id_ = answer.headers["x-request-id" if fault == "key" else "x-generation-id"]
        lines = [line for line in caplog.messages if id_ in line]
        assert not told.log or any(told.log in line for line in lines), (fault, lines)
        for hidden in (secret, "me:pw", "key=abc"):
            assert not any(hidden in line for line in (*lines, answer.text)), fault
        if fault == "key":  # it rests since the test before: nothing is begun
            continue
        record = await elsewhere.fact(answer)
        assert (record["total_cost"], record["error_code"]) == (0, told.code)


@pytest.mark.parametrize("number", range(len(CALLERS)))
async def test_every_dialect_tells_the_cause(elsewhere: Gateway, number: int) -> None:
    path, fields = CALLERS[number]
    preferences = {"only": [f"caller{number}"]}
    answer = await elsewhere.post(SPEECH, path=path, provider=preferences, **fields)
    assert answer.status_code == 502
    assert f"caller{number} answered 503 (Service Unavailable). Try again later" in answer.text
