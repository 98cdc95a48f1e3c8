"""Which model serves a request, by its preferences: a real server with two scripted models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import (
    FILE,
    PATH,
    error_of,
    model_spec,
    new_key,
    recording,
    serving,
    with_key,
)
from tests.scripted import Scripted
from voxgate.pipeline.session import Session
from voxgate.prices import parse_prices
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from tests.api.serving import Running
    from voxgate.settings import Settings

PLAIN = "scripted/plain"
ABLE = "scripted/able"
RESTING = "scripted/resting"
ABSENT = "scripted/absent"
PROVIDERS = {
    PLAIN: Scripted(name=PLAIN),
    ABLE: Scripted(name=ABLE, honours=frozenset({"seed", "max_tokens"}), vocabulary=True),
    RESTING: Scripted(name=RESTING),
}
PRICES = parse_prices(f"{PLAIN} = 0.006/minute, {ABLE} = 0.36/hour", "this test")


SESSIONS = list[Session]()


def session(settings: Settings) -> Session:
    models = {name: model_spec(name, provider) for name, provider in PROVIDERS.items()}
    models[ABSENT] = model_spec(ABSENT, PROVIDERS[PLAIN], ("no-such-dist",))
    SESSIONS.append(Session(settings, models=models, start=lambda spec, _: PROVIDERS[spec.name]))
    return SESSIONS[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder: Path = tmp_path_factory.mktemp("server")
    async with serving(folder, session=session, prices=PRICES) as running:
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


def answered_by(response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    return response.headers["x-voxgate-model"]


@pytest.mark.parametrize(
    "provider",
    [
        {"only": ["local"]},
        {"only": [f"local/{PLAIN}", "groq"], "ignore": ["groq"]},
        {"order": ["groq"], "sort": "latency", "preferred_max_latency": 0.1},
        {"order": ["local"], "allow_fallbacks": False},
        {"zdr": True, "data_collection": "deny"},
        {"max_price": {"audio": "0.006"}},
        {"max_price": {"request": 0, "completion": 0}},
        {"quantizations": ["unknown"]},
    ],
)
async def test_preferences_that_this_server_meets(
    server: Running, provider: dict[str, Any]
) -> None:
    answer = await server.post(recording(model=PLAIN, provider=provider))
    assert answered_by(answer) == PLAIN
    assert "x-voxgate-warning" not in answer.headers


@pytest.mark.parametrize(
    ("provider", "excluded_by", "field"),
    [
        ({"only": ["groq"]}, "allowed_providers", "provider.only"),
        ({"ignore": ["local"]}, "allowed_providers", "provider.ignore"),
        ({"order": ["groq"], "allow_fallbacks": False}, "allowed_providers", "provider.order"),
        ({"max_price": {"audio": 0.0059}}, "max_price", "provider.max_price"),
        ({"quantizations": ["fp16"]}, "quantization", "provider.quantizations"),
    ],
)
async def test_preferences_that_leave_nothing_are_answered_as_openrouter_does(
    server: Running, provider: dict[str, Any], excluded_by: str, field: str
) -> None:
    answer = await server.post(recording(model=PLAIN, provider=provider))
    error = error_of(answer)
    assert (answer.status_code, error["metadata"]["error_type"]) == (404, "not_found")
    detail = error["availability"]["constraint"].pop("detail")
    assert f"local/{PLAIN}: {detail}" in error["message"]
    assert error["availability"] == {
        "code": "constraint_filtered",
        "retryable": False,
        "requested_models": [PLAIN],
        "docs_url": "/docs",
        "affected_providers": ["local"],
        "excluded_by": [excluded_by],
        "constraint": {"field": field},
    }


async def test_preferences_in_a_form(server: Running) -> None:
    for form in (
        {"provider[only][]": ["groq"]},
        {"provider": json.dumps({"only": ["groq"]})},
    ):
        answer = await server.client.post(
            f"{server.url}{PATH}", data={"model": PLAIN, **form}, files=FILE
        )
        assert error_of(answer)["availability"]["constraint"]["field"] == "provider.only"


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({"model": "not/here", "models": [PLAIN, ABLE]}, PLAIN),
        ({"model": ABSENT, "models": ["not/here", ABLE]}, ABLE),
        ({"model": PLAIN, "models": [ABLE]}, PLAIN),
        ({"model": PLAIN, "models": [PLAIN]}, PLAIN),
        ({"model": PLAIN, "models": [ABLE], "max_tokens": 5}, ABLE),
        (
            {
                "model": PLAIN,
                "models": [ABLE],
                "seed": 7,
                "provider": {"require_parameters": True},
            },
            ABLE,
        ),
        ({"model": PLAIN, "models": [ABLE], "provider": {"ignore": [f"local/{PLAIN}"]}}, ABLE),
        ({"model": f"{PLAIN}:floor"}, PLAIN),
    ],
)
async def test_the_first_model_that_can_serve_it_does(
    server: Running, fields: dict[str, Any], model: str
) -> None:
    assert answered_by(await server.post(recording(**fields))) == model


async def test_where_no_model_can_each_ones_reason_is_given(server: Running) -> None:
    answer = await server.post(recording(model="not/here", models=[ABSENT]))
    assert answer.status_code == 404
    message = error_of(answer)["message"]
    assert "'not/here'" in message
    assert "no-such-dist, which this server does not have" in message
    refused = error_of(await server.post(recording(model=PLAIN, models=[ABLE], language="tlh")))
    assert (refused["code"], refused["metadata"]["code"]) == (400, "unsupported_option")
    assert f"local/{PLAIN}: " in refused["message"]
    assert f"local/{ABLE}: " in refused["message"]
    alone = error_of(await server.post(recording(model=PLAIN, language="tlh")))
    assert alone["metadata"]["code"] == "unsupported_language"


async def test_a_key_may_use_no_other_model_by_the_list(server: Running) -> None:
    headers = with_key(await new_key(server, "one model", allowed_models=[PLAIN]))
    refused = await server.post(recording(model=PLAIN, models=[ABLE]), headers=headers)
    assert error_of(refused)["metadata"]["code"] == "permission_denied"
    allowed = await server.post(recording(model="not/here", models=[PLAIN]), headers=headers)
    assert error_of(allowed)["metadata"]["code"] == "permission_denied"
    assert answered_by(await server.post(recording(model=PLAIN), headers=headers)) == PLAIN


async def test_a_hedge_without_a_second_endpoint_is_a_warning(server: Running) -> None:
    answer = await server.post(recording(model=PLAIN, hedge=True))
    assert "'hedge' was not used" in json.dumps(answer.json()["warnings"])
    own = {"options": {"local": {"hedge": True}}, "require_parameters": True}
    refused = error_of(await server.post(recording(model=PLAIN, provider=own)))
    assert "'hedge' was not used" in refused["message"]


async def test_a_caller_may_be_told_who_was_asked(server: Running) -> None:
    headers = {"X-OpenRouter-Metadata": "enabled"}
    answer = await server.post(recording(model=PLAIN, models=[ABLE]), headers=headers)
    told = answer.json()["openrouter_metadata"]
    assert told["requested"] == PLAIN
    assert (told["strategy"], told["attempt"]) == ("direct", 1)
    assert told["endpoints"] == {
        "total": 2,
        "available": [
            {"provider": "Local", "model": PLAIN, "selected": True},
            {"provider": "Local", "model": ABLE, "selected": False},
        ],
    }
    assert told["attempts"] == [{"provider": "Local", "model": PLAIN, "status": 200}]
    assert "openrouter_metadata" not in (await server.post(recording(model=PLAIN))).json()


async def test_a_text_has_no_metadata(server: Running) -> None:
    body = recording(model=PLAIN, response_format="text")
    plain = await server.post(body)
    told = await server.post(body, headers={"X-OpenRouter-Metadata": "enabled"})
    assert told.text == plain.text


async def test_what_rests_is_asked_later_and_another_model_now(server: Running) -> None:
    refused = EndedAttempt("rate_limited", 0.1, retry_after_s=60)
    SESSIONS[-1].endpoints.health.record(f"local/{RESTING}", refused)
    answer = await server.post(recording(model=RESTING))
    error = error_of(answer)
    assert (answer.status_code, error["metadata"]["error_type"]) == (429, "rate_limit_exceeded")
    availability = error["availability"]
    assert (availability["code"], availability["retryable"]) == ("capacity_exhausted", True)
    assert availability["excluded_by"] == ["rate_limited"]
    assert 0 < availability["retry_after"] == int(answer.headers["retry-after"]) <= 60
    assert answered_by(await server.post(recording(model=RESTING, models=[PLAIN]))) == PLAIN
