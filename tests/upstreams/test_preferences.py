"""What a caller prefers decides who is asked: seen at the upstreams, and in answer and record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import error_of
from tests.processes import until
from tests.sounds import RATE, encode, sample
from tests.upstreams import faults
from tests.upstreams.faults import always
from tests.upstreams.gateway import MODEL, Clock, Elsewhere, Gateway, gateway, price
from voxgate.routing.health import SPANS_S
from voxgate.routing.tally import MIN_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx2

    from tests.upstreams.proxy import Exchange

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH = encode(sample()[: 2 * RATE], "x.flac")
OTHER_MODEL = "somebody/whisper-small"
LISTED = [  # 2 s cost as many cents, at `other` half a cent
    Elsewhere("cheap", price=price("0.01", "second"), upstream={"collects_data": True}),
    Elsewhere("fair", price=price("1.20", "minute"), upstream={"collects_data": False}),
    Elsewhere(
        "dear",
        price=price("108", "hour"),
        upstream={"collects_data": False, "zero_retention": True},
        endpoint={"quantization": "fp16"},
    ),
    Elsewhere("other", price=price("0.005", "request"), model=OTHER_MODEL),
]
CLOCK = Clock()
COSTS = {"cheap": 0.02, "fair": 0.04, "dear": 0.06, "other": 0.005}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def serving_all(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path_factory.mktemp("preferences"), LISTED, clock=CLOCK) as running:
        yield running


@pytest.fixture
def elsewhere(serving_all: Gateway) -> Gateway:
    """All upstreams work, and nobody knows how they have done."""
    CLOCK.now += 2 * SPANS_S["1d"]
    for proxy in serving_all.proxies.values():
        proxy.script = always(None)
        proxy.faults.clear()
    return serving_all


async def check(elsewhere: Gateway, answer: httpx2.Response, name: str) -> dict[str, Any]:
    """Check that this provider answered, at its price. Return its record."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["text"].startswith(f"{name} heard")
    record = await elsewhere.fact(answer)
    assert (record["provider_name"], record["total_cost"]) == (name, COSTS[name])
    assert answer.json()["usage"]["cost"] == COSTS[name]
    return record


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ({"order": ["dear", "fair"]}, "dear"),
        ({"order": ["DEAR/dear/whisper"]}, "dear"),
        ({"only": ["fair"]}, "fair"),
        ({"ignore": ["cheap", "dear"]}, "fair"),
        ({"sort": "price"}, "cheap"),
        ({"sort": "price", "ignore": ["cheap"]}, "fair"),
        ({"zdr": True}, "dear"),
        ({"data_collection": "deny", "sort": "price"}, "fair"),
        ({"quantizations": ["fp16"]}, "dear"),
        ({"max_price": {"audio": 0.6}}, "cheap"),
        ({"max_price": {"audio": 1.2}, "order": ["dear", "fair"]}, "fair"),
    ],
)
async def test_who_is_preferred_is_asked_and_nobody_else(
    elsewhere: Gateway, provider: dict[str, Any], name: str
) -> None:
    await check(elsewhere, await elsewhere.post(SPEECH, provider=provider), name)
    assert {each for each, count in elsewhere.asked().items() if count} == {name}


async def test_the_order_goes_on_where_the_first_fails(elsewhere: Gateway) -> None:
    elsewhere.proxies["dear"].script = always(faults.PAGE_WITH_502)
    answer = await elsewhere.post(SPEECH, provider={"order": ["dear", "fair"]})
    await check(elsewhere, answer, "fair")
    assert elsewhere.asked() == {"cheap": 0, "fair": 1, "dear": 1, "other": 0}


async def test_without_fallbacks_the_error_is_the_first_one_s(elsewhere: Gateway) -> None:
    elsewhere.proxies["dear"].script = always(faults.BAD_REQUEST)
    preferences = {"order": ["dear", "fair"], "allow_fallbacks": False}
    error = error_of(await elsewhere.post(SPEECH, provider=preferences))
    assert (error["code"], error["metadata"]["code"]) == (400, "upstream_refused")
    assert (
        "dear refused the input with 400 (Bad Request): The sound is too loud."
        in (error["message"])
    )
    assert elsewhere.asked() == {"cheap": 0, "fair": 0, "dear": 1, "other": 0}


async def test_nobody_left_is_told_with_each_one_s_reason(elsewhere: Gateway) -> None:
    preferences = {"zdr": True, "max_price": {"audio": 0.1}, "ignore": ["cheap"]}
    answer = await elsewhere.post(SPEECH, provider=preferences)
    error = error_of(answer)
    assert answer.status_code == 404
    for reason in (
        "cheap/cheap/whisper: ",
        "it costs $1.8 a minute of sound",
        "'provider.zdr' is true",
    ):
        assert reason in error["message"]
    assert sum(elsewhere.asked().values()) == 0


async def test_another_model_answers_where_all_of_the_first_are_down(elsewhere: Gateway) -> None:
    """Answer, record and price are the second model's."""
    for name in ("cheap", "fair", "dear"):
        elsewhere.proxies[name].script = always(faults.PAGE_WITH_502)
    answer = await elsewhere.post(SPEECH, models=OTHER_MODEL)
    record = await check(elsewhere, answer, "other")
    assert answer.json()["model"] == record["model"] == OTHER_MODEL
    tried = [(each["provider_name"], each["error_code"]) for each in record["provider_responses"]]
    assert {name for name, error in tried if error == "upstream_failed"} == {
        "cheap",
        "fair",
        "dear",
    }
    assert tried[-1] == ("other", None)


async def test_a_model_that_nobody_has_is_passed_over(elsewhere: Gateway) -> None:
    answer = await elsewhere.post(SPEECH, model="no/such", models=OTHER_MODEL)
    record = await check(elsewhere, answer, "other")
    assert record["model"] == OTHER_MODEL


async def test_a_hedge_takes_who_answers(elsewhere: Gateway) -> None:
    """The first is slower than it was: the second is asked beside it, and the first is left."""
    left = list[bool]()

    async def never(exchange: Exchange) -> None:
        await exchange.left()
        left.append(True)

    for _ in range(MIN_ATTEMPTS):  # its latency is known then
        await elsewhere.post(SPEECH, provider={"only": ["dear"]})
    elsewhere.proxies["dear"].script = always(never)
    answer = await elsewhere.post(SPEECH, provider={"order": ["dear", "fair"]}, hedge="true")
    record = await check(elsewhere, answer, "fair")
    assert [each["provider_name"] for each in record["provider_responses"]] == ["fair"]
    await until(lambda: left == [True], "the end of the first")


async def test_a_hedge_of_one_provider_is_told_not_to_be_one(elsewhere: Gateway) -> None:
    answer = await elsewhere.post(SPEECH, model=OTHER_MODEL, hedge="true")
    await check(elsewhere, answer, "other")
    assert answer.headers["x-voxgate-warning"] == "unused_option"


async def test_options_of_a_provider_are_told_to_be_unused(elsewhere: Gateway) -> None:
    options = {"only": ["dear"], "options": {"dear": {"temperature": 0.7}}}
    answer = await elsewhere.post(SPEECH, provider=options)
    await check(elsewhere, answer, "dear")
    assert answer.headers["x-voxgate-warning"] == "unused_option"
    assert elsewhere.providers["dear"].options[-1].temperature == 0.0
    refused = await elsewhere.post(SPEECH, provider={**options, "require_parameters": True})
    assert refused.status_code in {400, 404}
    assert "provider.options.dear" in error_of(refused)["message"]


async def test_a_model_s_suffix_is_its_sort(elsewhere: Gateway) -> None:
    await check(elsewhere, await elsewhere.post(SPEECH, model=f"{MODEL}:floor"), "cheap")
