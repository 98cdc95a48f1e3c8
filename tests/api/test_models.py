"""The model routes, in the shapes that clients require."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
import pytest_asyncio

from tests.api.serving import ABSENT, ALIAS, SCRIPTED, Running, error_of, serving
from tests.models.store.checkpoints import write_hf
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BUILT_IN = "Systran/faster-whisper-base"
pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUIRED = {
    *("id", "canonical_slug", "name", "created", "context_length", "architecture", "pricing"),
    *("top_provider", "per_request_limits", "supported_parameters", "default_parameters"),
    *("supported_voices", "links"),
}  # openrouter-api.md 4.1


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def anyone(server: Running) -> AsyncIterator[httpx2.AsyncClient]:
    """A caller without a key: the list of models needs none."""
    async with httpx2.AsyncClient(base_url=f"{server.url}/api/v1") as client:
        yield client


async def test_everything_is_listed(anyone: httpx2.AsyncClient) -> None:
    body = (await anyone.get("/models")).json()
    assert {model["id"] for model in body["data"]} == {
        BUILT_IN,
        SCRIPTED,
        ABSENT,
    }
    assert body["total_count"] == 3
    assert body["links"] == {"next": None}
    assert all(model.keys() >= REQUIRED for model in body["data"])
    installed = {model["id"]: model["voxgate"]["installed"] for model in body["data"]}
    assert installed[SCRIPTED]
    assert not installed[ABSENT]


@pytest.mark.parametrize(
    ("wanted", "count"), [("all", 3), ("transcription", 3), ("text,transcription", 3), ("text", 0)]
)
async def test_modalities_filter(anyone: httpx2.AsyncClient, wanted: str, count: int) -> None:
    asked = {"output_modalities": wanted}
    assert (await anyone.get("/models", params=asked)).json()["total_count"] == count
    assert (await anyone.get("/models/count", params=asked)).json() == {"data": {"count": count}}


async def test_a_filter_that_is_not_built_is_refused(anyone: httpx2.AsyncClient) -> None:
    answer = await anyone.get("/models", params={"sort": "newest"})
    assert answer.status_code == 400
    assert "'sort' is not built yet" in error_of(answer)["message"]
    assert (await anyone.get("/models", params={"output_modalities": ""})).json()[
        "total_count"
    ] == 3


async def test_no_name_of_a_query_is_ignored(server: Running) -> None:
    for path, query in (
        *(("/models", "xyzzy=1"), ("/models/count", "q=whisper"), ("/models/user", "q=whisper")),
        *(("/models", "q=whisper&q=voxtral"), ("/models/user", "limit=1&limit=2")),
    ):
        answer = await server.client.get(f"{path}?{query}")
        assert answer.status_code == 400, (path, query)
        name = query.partition("=")[0]
        assert f"'{name}' is " in error_of(answer)["message"]


async def test_pages_lead_to_each_other(anyone: httpx2.AsyncClient) -> None:
    first = (await anyone.get("/models", params={"limit": 2})).json()
    assert len(first["data"]) == 2
    second = (await anyone.get(first["links"]["next"])).json()
    assert len(second["data"]) == 1
    assert second["links"]["next"] is None
    assert (await anyone.get("/models", params={"q": "WHISPER"})).json()["total_count"] == 1


async def test_one_model_by_both_routes(anyone: httpx2.AsyncClient) -> None:
    model = (await anyone.get(f"/model/{SCRIPTED}")).json()["data"]
    assert model["id"] == SCRIPTED
    assert (await anyone.get("/models/scripted%2Fone")).json() == model
    details = await anyone.get(httpx2.URL(str(anyone.base_url)).join(model["links"]["details"]))
    endpoint = details.json()["data"]["endpoints"][0]
    assert endpoint["model_id"] == SCRIPTED
    assert endpoint["context_length"] == 0
    absent = (await anyone.get(f"/models/{ABSENT}/endpoints")).json()
    assert absent["data"]["endpoints"] == []


@pytest.mark.parametrize("path", ["/model/a/b", "/models/a%2Fb", "/models/a/b/endpoints"])
async def test_an_unknown_model(anyone: httpx2.AsyncClient, path: str) -> None:
    answer = await anyone.get(path)
    assert answer.status_code == 404
    assert error_of(answer)["availability"]["code"] == "model_not_found"


async def test_a_key_that_is_given_is_checked(server: Running, anyone: httpx2.AsyncClient) -> None:
    """Clients test their key here."""
    for path in ("/models", "/models/count", f"/models/{SCRIPTED}", f"/model/{SCRIPTED}"):
        for wrong in ("Bearer sk-vg-nobody", f"Basic {server.key}", server.key):
            answer = await anyone.get(path, headers={"Authorization": wrong})
            assert error_of(answer)["code"] == 401
        for right in (f"Bearer {server.key}", f"bearer  {server.key}", "", "Bearer"):
            answer = await anyone.get(path, headers={"Authorization": right})
            assert answer.status_code == 200, right


async def test_without_keys_none_is_checked(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        for path in ("/models", "/models/user"):
            answer = await server.client.get(path, headers={"Authorization": "Bearer unused"})
            assert (answer.status_code, answer.json()["total_count"]) == (200, 3)


async def test_health_and_pages(server: Running) -> None:
    assert (await server.client.get(f"{server.url}/healthz")).json()["status"] == "ok"
    page = await server.client.get(f"{server.url}/docs")
    assert page.status_code == 200
    assert "https://" not in page.text  # it works without a network
    schema = (await server.client.get(f"{server.url}/api/v1/openapi.json")).json()
    request = schema["paths"]["/api/v1/audio/transcriptions"]["post"]["requestBody"]
    assert set(request["content"]) == {
        *("application/json", "multipart/form-data", "application/x-www-form-urlencoded"),
        *("audio/*", "video/*", "application/octet-stream"),
    }
    fields = schema["components"]["schemas"]["TranscriptionRequest"]["properties"]
    assert {"model", "input_audio", "response_format"} <= fields.keys()


async def test_an_alias_has_the_page_and_the_endpoint_of_its_model(
    anyone: httpx2.AsyncClient,
) -> None:
    assert (await anyone.get(f"/model/{ALIAS}")).json()["data"]["id"] == SCRIPTED
    assert (await anyone.get(f"/models/{ALIAS}")).json()["id"] == SCRIPTED
    of_alias, of_model = [
        (await anyone.get(f"/models/{name}/endpoints")).json()["data"] for name in (ALIAS, SCRIPTED)
    ]
    assert of_alias == of_model
    assert of_model["endpoints"][0]["model_id"] == SCRIPTED


async def test_capabilities_are_listed(anyone: httpx2.AsyncClient) -> None:
    told = (await anyone.get(f"/model/{SCRIPTED}")).json()["data"]["voxgate"]
    abilities = ("times", "detects_language", "vocabulary", "speakers", "streaming")
    assert [told[name] for name in abilities] == ["segment", False, False, False, False]


@pytest.mark.parametrize(
    ("profile", "precision"), [("exact", "bf16"), ("balanced", "int8"), ("fast", "int4")]
)
async def test_an_installed_checkpoint_is_listed_with_aliases_and_precision(
    tmp_path: Path, profile: str, precision: str
) -> None:
    """Under a name without an author; then as one of a family, whose aliases stand for it."""
    house = Registry.open(Settings(home=tmp_path / "home"))
    record = house.add(write_hf(tmp_path / "tiny"), "tiny")
    async with serving(tmp_path, session=Session, profile=profile) as server:
        listed = {m["id"]: m for m in (await server.client.get("/models")).json()["data"]}
        ours = listed["tiny"]["voxgate"]
        assert (ours["revision"], ours["profile"]) == (record.revision, profile)
        details = httpx2.URL(server.url).join(listed["tiny"]["links"]["details"])
        assert listed["tiny"]["canonical_slug"] == "tiny"
        (endpoint,) = (await server.client.get(details)).json()["data"]["endpoints"]
        assert endpoint["quantization"] == precision
        rest = {"data_collection": "deny", "zdr": True, "first_text_last_30m": None, "canary": None}
        assert endpoint["voxgate"] == {"revision": record.revision, "profile": profile, **rest}
        built_in = (await server.client.get(f"/models/{BUILT_IN}/endpoints")).json()["data"]
        assert built_in["endpoints"][0]["quantization"] == "unknown"
        absent = await server.client.get("/models/mistralai/voxtral-mini-transcribe/endpoints")
        assert absent.status_code == 404
        error = error_of(absent)
        assert error["availability"]["code"] == "no_endpoints"
        assert error["availability"]["requested_models"] == ["mistralai/voxtral-mini-transcribe"]
        assert "voxgate models pull" in error["message"]
        assert ours["aliases"] == []
        kept = house.paths.record("tiny")
        kept.write_text(kept.read_text().replace('"family": "tiny"', '"family": "voxtral-mini"'))
        by_alias = await server.client.get("/models/mistralai/voxtral-mini-transcribe/endpoints")
        assert by_alias.json()["data"]["endpoints"] == [endpoint]
        aliases = (await server.client.get("/model/tiny")).json()["data"]["voxgate"]["aliases"]
        assert "mistralai/voxtral-mini-transcribe" in aliases
        for alias in aliases:
            assert (await server.client.get(f"/model/{alias}")).json()["data"]["id"] == "tiny"
