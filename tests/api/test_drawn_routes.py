"""Of equal endpoints one is drawn by chance: what a request is does not depend on which."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.test_early_start import ENDLESS, SOUND, Upload
from tests.api.test_stream import of, parse
from tests.scripted import Scripted
from tests.upstreams.gateway import MODEL, Elsewhere, gateway, price
from voxgate.api.admission import admit
from voxgate.api.dialects.negotiate import ParsedRequest
from voxgate.pipeline.session import Session
from voxgate.settings import Settings
from voxgate.transcript.values import Options
from voxgate.upstreams import Endpoint, EndpointList, Upstream, UpstreamKind

if TYPE_CHECKING:
    from pathlib import Path

KINDS: tuple[UpstreamKind, ...] = ("mistral", "openai")  # one of them knows no prompt
TIMES = 12


def endpoints() -> EndpointList:
    upstreams = [Upstream(kind, kind, f"https://{kind}.example/v1") for kind in KINDS]
    return EndpointList(
        tuple(upstreams), tuple(Endpoint(MODEL, each, "whisper-1") for each in upstreams)
    )


async def test_equal_requests_are_equal_whoever_is_drawn(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, endpoints=endpoints())

    def asked(**options: Any) -> ParsedRequest:
        return ParsedRequest(model=MODEL, format="json", words=False, options=Options(**options))

    async with Session(settings) as session:
        drawn = [await admit(asked(prompt="Voxgate"), session) for _ in range(2 * TIMES)]
        assert len({each.route.providers[0].slug for each in drawn}) == len(KINDS)
        assert len({each.parsed.options for each in drawn}) == len(KINDS)
        assert len({each.fittings.variants for each in drawn}) == 1
        other = await admit(asked(prompt="another"), session)
        assert other.fittings.variants != drawn[0].fittings.variants


@pytest.mark.parametrize(
    "late", [{}, {"xyzzy": "1"}], ids=["as it began", "a field without effect"]
)
async def test_a_stream_that_began_early_goes_on_whoever_is_drawn(
    tmp_path: Path, late: dict[str, str]
) -> None:
    same = price("0.01", "second")
    drawn = [
        Elsewhere(
            kind,
            kind,
            price=same,
            provider=Scripted(says=lambda *_, name=kind: f"{name}."),
            endpoint={"window_s": 10.0},
        )
        for kind in KINDS
    ]
    texts = set[frozenset[str]]()
    async with gateway(tmp_path, drawn) as running:
        for number in range(TIMES):
            fields = {"model": MODEL, "prompt": f"Voxgate {number}"}
            async with Upload.form(running.server, **fields) as upload:
                await upload.send(ENDLESS + 2 * SOUND)
                begun = await asyncio.wait_for(upload.chunk(), 10)
                assert "delta" in begun
                await upload.close_form(**late)
                (done,) = of(parse(begun + await upload.rest()), "transcript.text.done")
                texts.add(frozenset(done["text"].split()))
    assert texts == {frozenset([f"{kind}."]) for kind in KINDS}
