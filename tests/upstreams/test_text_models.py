"""A server with a model elsewhere that only answers: it is listed, and transcribes nowhere."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.api.serving import error_of, recording, serving
from voxgate.api.wyoming.info import describe
from voxgate.canaries.schedule import CanarySchedule
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.pipeline.session import Session
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream
from voxgate.web.mount import add_pages

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "somebody/qwen3"
NOWHERE = Upstream("nowhere", "compatible", "http://127.0.0.1:9/v1")
LISTED = EndpointList(
    (NOWHERE,), (Endpoint(TEXT, NOWHERE, "qwen3", answers=True, transcribes=False),)
)


async def test_it_is_told_as_what_it_is(tmp_path: Path) -> None:
    async with serving(tmp_path, session=Session, endpoints=LISTED) as server:
        models = {each["id"]: each for each in (await server.client.get("/models")).json()["data"]}
        card = models[TEXT]
        assert card["architecture"]["output_modalities"] == ["text"]
        assert card["capabilities"]["audio_transcription"] is False
        assert {"temperature", "max_tokens", "stop"} <= set(card["supported_parameters"])
        others = [each["architecture"]["modality"] for name, each in models.items() if name != TEXT]
        assert set(others) == {"audio->transcription"}
        endpoints = (await server.client.get(f"/models/{TEXT}/endpoints")).json()
        assert endpoints["data"]["endpoints"][0]["tag"] == "nowhere/qwen3"
        refused = await server.post(recording(model=TEXT))
        assert refused.status_code == 400
        error = error_of(refused)
        assert error["metadata"]["error_type"] == "invalid_request"
        assert f"{TEXT} answers questions about texts, and does not transcribe" in error["message"]


@pytest.mark.parametrize("path", ["/models", f"/models/{TEXT}", f"/compare?models={TEXT}", "/"])
async def test_its_pages_are_shown_and_the_playground_does_not_offer_it(
    tmp_path: Path, path: str
) -> None:
    async with (
        serving(tmp_path, session=Session, pages=add_pages, auth="off", endpoints=LISTED) as server,
        httpx2.AsyncClient(base_url=server.url, follow_redirects=True) as client,
    ):
        page = await client.get(path)
        assert page.status_code == 200
        playground = await client.get("/playground")
        assert playground.status_code == 200
        assert not re.search(rf'<option[^>]*value="{TEXT}"', playground.text)


async def test_neither_canaries_nor_satellites_are_given_it(tmp_path: Path) -> None:
    settings = replace(Settings(), home=tmp_path, endpoints=LISTED)
    async with Session(settings) as session, await Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        await CanarySchedule(session, ledger.canaries).round()
        assert not await ledger.canaries.load()
        (program,) = describe(await session.list_models(), "").asr
        assert [model.name for model in program.models] == [DEFAULT_MODEL]
