"""What OpenRouter's clients offer beside transcriptions, unmodified: they read it, and it is true.

Keys and credits are in `test_keys.py`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

import voxgate.api.activity
from tests.api.serving import (
    ABSENT,
    ALIAS,
    SCRIPTED,
    Running,
    new_key,
    recording,
    serving,
    with_key,
)
from tests.clients.client import NODE_OPENROUTER, OPENROUTER, Client
from tests.ledger.other_process import sql
from tests.scripted import Scripted
from voxgate import errors
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.key import hash_of
from voxgate.models.available import AvailableModels
from voxgate.pipeline.dispatch import MAX_ATTEMPTS
from voxgate.pipeline.session import Session
from voxgate.prices import ListedPrice, Price, PriceList, parse_prices
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.transcript.values import Options

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRICES = parse_prices(f"{SCRIPTED} = 0.006/minute, {ABSENT} = 1.50/hour", "this test")
BUILT_IN = "Systran/faster-whisper-base"
APP = {"X-OpenRouter-Title": "Notes", "HTTP-Referer": "https://notes.example", "User-Agent": "me"}
WORKSPACE = "00000000-0000-4000-8000-000000000000"
WORDS = 3  # of every text, each a token

NUMBERS = ("price", "output_price", "age_days", "intelligence_index", "coding_index")
UNBUILT: dict[str, Any] = {
    "category": "programming",
    "supported_parameters": "temperature",
    "sort": "newest",
    "input_modalities": "audio",
    "context": 1,
    "arch": "Whisper",
    "model_authors": "scripted",
    "providers": "Local",
    "distillable": "true",
    "zdr": "true",
    "region": "eu",
    **{f"{end}_{name}": 1 for end in ("min", "max") for name in (*NUMBERS, "agentic_index")},
    "min_tool_success_rate": 0.5,
    "max_tool_success_rate": 0.5,
}
"""All further arguments of the list of models in both clients, each with a value that it takes."""

NOT_HERE = (
    *("endpoints.list_zdr_endpoints", "analytics.get_analytics_meta", "byok.list"),
    *("guardrails.list", "organization.list_members", "workspaces.list"),
)
"""What is OpenRouter's alone."""

GENERATIONS = ("plain", "alias", "failed", "streamed")


def says(_: int, options: Options) -> str:
    """Fail for every German recording, as an engine that dies of it."""
    if options.language == "de":
        raise errors.EngineError("The engine ended.", code="engine_died")
    return "One, two, three."


@dataclass(frozen=True)
class Site:
    """A server with generations of two keys, where it is the day after theirs."""

    server: Running
    manager: str
    other: str  # a key with one generation
    limited: str  # a key that may ask for one model
    ids: dict[str, str]  # of generations, by what is particular about each
    day: date  # on which they ended

    def ledger(self, columns: str, where: str = "1") -> list[tuple[Any, ...]]:
        """Return these columns of the ledger's generations, by another program."""
        path = self.server.settings.home / LEDGER_FILE
        return sql(path, f"SELECT {columns} FROM generations WHERE {where}")  # noqa: S608

    def dollars(self, where: str = "1") -> float:
        """Return what generations cost, as the ledger has it."""
        ((nanodollars,),) = self.ledger("sum(cost_nanodollars)", where)
        return float(nanodollars) / 1e9


@dataclass(frozen=True)
class Asked:
    """What a client made of the answers to its calls, by what is asked."""

    site: Site
    client: Client
    answers: dict[str, dict[str, Any]]

    def read(self, name: str) -> Any:
        """Return what the client read, by the names of the wire."""
        assert "value" in self.answers[name], self.answers[name]
        return plain(self.answers[name]["value"])

    def raised(self, name: str, status: int, sentence: str) -> None:
        """Look at the error that the client raised, by its own class."""
        self.client.raised(self.answers[name], status, sentence)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    provider = Scripted(says=says, honours=frozenset({"temperature"}))
    async with serving(tmp_path_factory.mktemp("server"), provider, prices=PRICES) as server:
        manager = await new_key(server, "manager", management=True)
        other = await new_key(server, "other")
        limited = await new_key(server, "limited", allowed_models=[ALIAS, "no/model"])
        bodies = {
            "plain": recording(session_id="s-1", user="u-1"),
            "alias": recording(model=ALIAS, temperature=0.3),  # or it would join the first one
            "failed": recording(language="de"),
            "streamed": recording(stream=True, temperature=0.1),
        }
        ids = {
            name: (await server.post(body, headers=APP)).headers["x-generation-id"]
            for name, body in bodies.items()
        }
        answer = await server.post(recording(temperature=0.2), headers=with_key(other))
        ids["other"] = answer.headers["x-generation-id"]
        path = server.settings.home / LEDGER_FILE
        ((ended,),) = sql(path, "SELECT max(date(finished_at)) FROM generations")
        day = date.fromisoformat(ended)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(voxgate.api.activity, "today", lambda: day + timedelta(days=1))
            yield Site(server, manager, other, limited, ids, day)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[OPENROUTER, NODE_OPENROUTER],
    ids=lambda client: client.name,
)
async def asked(site: Site, request: pytest.FixtureRequest) -> Asked:
    """All calls of one client, in one process: it takes seconds to start."""
    client: Client = request.param
    calls = {**of_activity(site, client), **of_others(site, client), **of_models(site, client)}
    return Asked(site, client, dict(zip(calls, await client.do(*calls.values()), strict=True)))


def call(site: Site, client: Client, name: str, key: str = "", **options: Any) -> dict[str, Any]:
    """Ask as the client has it: in JavaScript all names are in camel case."""
    own = client.repeating_nothing()
    if client is NODE_OPENROUTER:
        name, options = camel(name), {camel(each): value for each, value in options.items()}
    return {**own.call(site.server, name, **options), "key": key or site.server.key}


def of_activity(site: Site, client: Client) -> dict[str, dict[str, Any]]:
    def ago(days: int) -> str:
        return str(site.day - timedelta(days=days))

    queries: dict[str, dict[str, Any]] = {
        "activity": {},
        "activity of the day": {"date_": ago(0)},
        "activity of the first day": {"date_": ago(29)},
        "activity of a key": {"api_key_hash": hash_of(site.other)},
        "activity of no key": {"api_key_hash": "0" * 64, "date_": ago(0)},
        "activity of today": {"date_": ago(-1)},
        "activity of the future": {"date_": ago(-40)},
        "activity of the past": {"date_": ago(30)},
        "activity of no day": {"date_": "29.11.2026"},
        "activity of a name": {"api_key_hash": "laptop"},
        "activity of a member": {"user_id": "u-1"},
        "activity by workspace": {"group_by": "workspace"},
        "activity of a workspace": {"workspace_id": "w-1"},
    }
    keys = {"activity for a key": site.server.key, "activity for nobody": "sk-vg-nobody"}
    in_python = client is OPENROUTER  # where the call has one argument, `request`
    name = "analytics.get_user_activity"
    return {
        what: call(
            *(site, client, name, keys.get(what, site.manager)),
            **({"request": query} if in_python else query),
        )
        for what, query in (queries | {key: {} for key in keys}).items()
    }


def of_others(site: Site, client: Client) -> dict[str, dict[str, Any]]:
    ids = {**site.ids, "nothing": "gen-stt-0-nothing"}
    generation = "generations.get_generation"
    return {
        **{f"generation {what}": call(site, client, generation, id=ids[what]) for what in ids},
        "generation for a manager": call(
            site, client, generation, site.manager, id=site.ids["plain"]
        ),
        "credits": call(site, client, "credits.get_credits", site.manager),
        "providers": call(site, client, "providers.list"),
        **{name: call(site, client, name, site.manager) for name in NOT_HERE},
    }


def of_models(site: Site, client: Client) -> dict[str, dict[str, Any]]:
    def of_one(name: str, model: str) -> dict[str, Any]:
        author, _, slug = model.partition("/")
        return call(site, client, name, author=author, slug=slug)

    def of_key(key: str, **options: Any) -> dict[str, Any]:
        asked = call(site, client, "models.list_for_user", **options)
        return {**asked, "security": {"bearer": key}}

    lists: dict[str, dict[str, Any]] = {
        "models": {},
        "models of sound": {"output_modalities": "transcription"},
        **{f"models from {at}": {"offset": at, "limit": 1} for at in range(4)},
        "models called Whisper": {"q": "Whisper"},
        "models called nothing": {"q": "nothing like it"},
        "too many models": {"limit": 1001},
        "models from -1": {"offset": -1},
        **{f"models by {name}": {name: value} for name, value in UNBUILT.items()},
    }
    models = (SCRIPTED, ALIAS, ABSENT, BUILT_IN, "scripted/two")
    return {
        **{what: call(site, client, "models.list", **query) for what, query in lists.items()},
        **{f"model {name}": of_one("models.get", name) for name in models},
        **{f"endpoints of {name}": of_one("endpoints.list", name) for name in models},
        "count": call(site, client, "models.count", output_modalities="all"),
        "count of texts": call(site, client, "models.count", output_modalities="text"),
        "models of a limited key": of_key(site.limited),
        "models of a key": of_key(site.other),
        "models of a key from 1": of_key(site.other, offset=1, limit=1),
        "models of a key, of text": of_key(site.other, output_modalities="text"),
        "models of a key by sort": of_key(site.other, sort="newest"),
        "models of nobody": of_key("sk-vg-nobody"),
    }


def camel(name: str) -> str:
    """Return a name with underscores as JavaScript has it."""
    first, *others = name.removesuffix("_").split("_")
    return first + "".join(each.capitalize() for each in others)


def plain(value: Any) -> Any:
    """Return what a client read, with the names of the wire."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {snake(name): plain(each) for name, each in value.items()}


def snake(name: str) -> str:
    letters = [f"_{each.lower()}" if each.isupper() else each for each in name]
    return "".join(letters).removesuffix("_")


async def test_activity_is_what_the_ledger_has(asked: Asked) -> None:
    (row,) = asked.read("activity")["data"]
    (attempt,) = asked.read("generation plain")["data"]["provider_responses"]
    site = asked.site
    assert {"cached_tokens": 0, **row} == {  # JavaScript's client does not know those
        "date": str(site.day),
        "model": SCRIPTED,
        "model_permaslug": SCRIPTED,
        "endpoint_id": attempt["endpoint_id"],
        "provider_name": "Local",
        "requests": len(site.ids),
        "usage": site.dollars(),
        "byok_usage_inference": 0,
        "prompt_tokens": 0,
        "completion_tokens": WORDS * (len(site.ids) - 1),  # the failure has none
        "reasoning_tokens": 0,
        "cached_tokens": 0,
    }
    assert row["usage"] > 0
    assert asked.read("activity of the day") == {"data": [row]}
    for nothing in ("activity of the first day", "activity of no key"):
        assert asked.read(nothing) == {"data": []}
    (its,) = asked.read("activity of a key")["data"]
    assert (its["requests"], its["completion_tokens"]) == (1, WORDS)
    assert its["usage"] == site.dollars(f"id = '{site.ids['other']}'")


async def test_activity_says_what_it_does_not_have(asked: Asked) -> None:
    for what in ("today", "the future", "the past"):
        asked.raised(f"activity of {what}", 400, "this has the last 30 completed days of UTC")
    asked.raised("activity of no day", 400, "'date' must be a day as 2026-11-29, not '29.11.2026'")
    asked.raised("activity of a name", 400, "64 hexadecimal digits")
    asked.raised("activity of a member", 400, "'user_id' is no filter here")
    asked.raised("activity by workspace", 400, "'group_by' is no filter here")
    asked.raised("activity of a workspace", 400, "'workspace_id' is no filter here")
    asked.raised("activity for nobody", 401, "The key is not valid here")
    forbidden = asked.answers["activity for a key"]
    assert (forbidden["raised"], forbidden["status"]) == ("ForbiddenResponseError", 403)
    assert "'first' is no management key" in forbidden["message"]


@pytest.mark.parametrize("name", GENERATIONS)
async def test_a_generation_is_what_the_ledger_has(asked: Asked, name: str) -> None:
    data, id_ = asked.read(f"generation {name}")["data"], asked.site.ids[name]
    columns = "created_at, cost_nanodollars, latency_ms, generation_time_ms, tokens"
    ((created, cost, latency, spent, tokens),) = asked.site.ledger(columns, f"id = '{id_}'")
    assert data["id"] == data["request_id"] == id_
    assert datetime.fromisoformat(data["created_at"]) == utc(created)
    assert data["usage"] == data["total_cost"] == cost / 1e9
    assert (data["total_cost"] > 0) is (name != "failed")
    assert (data["latency"], data["generation_time"]) == (latency, spent)
    assert data["tokens_completion"] == data["native_tokens_completion"] == tokens
    assert tokens == (None if name == "failed" else WORDS)
    assert (data["api_type"], data["model"], data["provider_name"]) == ("stt", SCRIPTED, "Local")
    assert (data["data_region"], data["is_byok"], data["cancelled"]) == ("global", False, False)
    assert (data["num_input_audio_prompt"], data["workspace_id"]) == (1, WORKSPACE)
    assert data["user_agent"] == "me"
    assert data["origin"] == data["http_referer"] == "https://notes.example"
    assert data["streamed"] is (name == "streamed")
    given = ("s-1", "u-1") if name == "plain" else (None, None)
    assert (data["session_id"], data["external_user"]) == given
    attempts = data["provider_responses"]
    statuses = [503] * (MAX_ATTEMPTS + 1) if name == "failed" else [200]
    assert [each["status"] for each in attempts] == statuses
    assert {(each["model_permaslug"], each["provider_name"]) for each in attempts} == {
        (SCRIPTED, "Local")
    }
    assert len({each["endpoint_id"] for each in attempts}) == 1


def utc(text: str) -> datetime:
    """Return a time of the ledger's file, which is in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def test_a_generation_of_nobody_and_of_others(asked: Asked) -> None:
    for what in ("other", "nothing", "for a manager"):
        asked.raised(f"generation {what}", 404, "No generation of this key has the id")


async def test_models_have_prices_as_texts(asked: Asked) -> None:
    listed = asked.read("models of sound")
    assert {model["id"]: model["pricing"] for model in listed["data"]} == {
        SCRIPTED: {"prompt": "0.006", "completion": "0"},
        ABSENT: {"prompt": "1.50", "completion": "0"},
        BUILT_IN: {"prompt": "0", "completion": "0"},
    }
    assert listed == asked.read("models")
    assert listed["total_count"] == asked.read("count")["data"]["count"] == 3
    assert asked.read("count of texts")["data"]["count"] == 0
    (one,) = (model for model in listed["data"] if model["id"] == SCRIPTED)
    for name in (SCRIPTED, ALIAS):
        assert asked.read(f"model {name}")["data"] == one
    assert one["architecture"]["output_modalities"] == ["transcription"]
    assert one["created"] == int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
    assert one["links"]["details"] == f"/api/v1/models/{SCRIPTED}/endpoints"
    assert "temperature" in one["supported_parameters"]
    asked.raised("model scripted/two", 404, "No model is called 'scripted/two'")


async def test_pages_of_models(asked: Asked) -> None:
    whole = asked.read("models")
    pages = [asked.read(f"models from {at}") for at in range(4)]
    assert [page["data"] for page in pages] == [*([model] for model in whole["data"]), []]
    assert {page["total_count"] for page in pages} == {3}
    assert [bool(page["links"]["next"]) for page in pages] == [True, True, False, False]
    assert whole["links"] == {"next": None}
    assert [model["id"] for model in asked.read("models called Whisper")["data"]] == [BUILT_IN]
    assert asked.read("models called nothing")["total_count"] == 0
    asked.raised("too many models", 400, "'limit' in the address")
    asked.raised("models from -1", 400, "'offset' in the address")


async def test_no_filter_of_models_is_ignored(asked: Asked) -> None:
    for name in UNBUILT:
        asked.raised(f"models by {name}", 400, f"'{name}' is not built yet")


async def test_the_models_of_a_key(asked: Asked) -> None:
    own, everything = asked.read("models of a limited key"), asked.read("models of a key")
    assert [model["id"] for model in own["data"]] == [SCRIPTED]
    assert own["total_count"] == 1
    assert everything == asked.read("models")
    assert asked.read("models of a key from 1")["data"] == everything["data"][1:2]
    assert asked.read("models of a key, of text")["data"] == []
    asked.raised("models of nobody", 401, "The key is not valid here")
    if asked.client is OPENROUTER:  # JavaScript's does not send it
        refused = asked.answers["models of a key by sort"]
        assert refused["status"] == 400
        assert "'sort' is not built yet" in refused["message"]


async def test_the_endpoint_of_a_model(asked: Asked) -> None:
    priced, alias, absent, built_in = (
        asked.read(f"endpoints of {name}")["data"] for name in (SCRIPTED, ALIAS, ABSENT, BUILT_IN)
    )
    (endpoint,) = priced["endpoints"]
    assert (priced["id"], priced["architecture"]["modality"]) == (SCRIPTED, "audio->transcription")
    assert alias == priced
    assert absent["endpoints"] == []
    assert (endpoint["model_id"], endpoint["name"]) == (SCRIPTED, f"Local | {SCRIPTED}")
    assert (endpoint["provider_name"], endpoint["tag"]) == ("Local", "local")
    assert endpoint["pricing"] == {"prompt": "0.006", "completion": "0", "discount": 0}
    assert built_in["endpoints"][0]["pricing"]["prompt"] == "0"
    assert (endpoint["context_length"], endpoint["status"]) == (0, 0)
    assert "temperature" in endpoint["supported_parameters"]
    asked.raised("endpoints of scripted/two", 404, "No model is called 'scripted/two'")


async def test_the_provider_is_this_server(asked: Asked) -> None:
    (provider,) = asked.read("providers")["data"]
    assert (provider["name"], provider["slug"]) == ("Local", "local")
    assert provider["privacy_policy_url"] is None


async def test_credits_are_what_the_ledger_has(asked: Asked) -> None:
    used = asked.read("credits")["data"]["total_usage"]
    assert used == asked.read("credits")["data"]["total_credits"] == asked.site.dollars()


async def test_without_prices_everything_costs_nothing(tmp_path: Path) -> None:
    """Both clients at once: each reads a zero, and no null."""
    author, _, slug = SCRIPTED.partition("/")
    async with serving(tmp_path, Scripted(says=says)) as server:
        id_ = (await server.post(recording())).headers["x-generation-id"]
        key = await new_key(server, "manager", management=True)
        ids = {"plain": id_}
        bare = Site(server, key, server.key, server.key, ids, datetime.now(UTC).date())
        clients = (OPENROUTER, NODE_OPENROUTER)
        answers = await asyncio.gather(
            *(
                client.do(
                    call(bare, client, "generations.get_generation", id=id_),
                    call(bare, client, "credits.get_credits", key),
                    call(bare, client, "endpoints.list", author=author, slug=slug),
                )
                for client in clients
            )
        )
    for client, (found, credits_, endpoints) in zip(clients, answers, strict=True):
        told = Asked(bare, client, {"found": found, "credits": credits_, "endpoints": endpoints})
        generation = told.read("found")["data"]
        assert generation["usage"] == generation["total_cost"] == 0
        assert generation["tokens_completion"] == WORDS
        assert told.read("credits")["data"] == {"total_credits": 0, "total_usage": 0}
        (endpoint,) = told.read("endpoints")["data"]["endpoints"]
        assert endpoint["pricing"] == {"prompt": "0", "completion": "0", "discount": 0}


GROQ = Upstream("groq", "compatible", "https://api.groq.com/openai/v1", zero_retention=True)
MISTRAL = Upstream("mistral", "mistral", "https://api.mistral.ai/v1", collects_data=False)
AWAY = Endpoint("openai/whisper-large-v3", GROQ, "whisper-large-v3", quantization="fp16")
BOTH = Endpoint("openai/whisper-base", MISTRAL, "whisper")
ELSEWHERE = EndpointList((GROQ, MISTRAL), (AWAY, BOTH))
PRICES_ELSEWHERE = PriceList(
    (
        ListedPrice("whisper-base", Price(Decimal("0.006"), "minute")),
        ListedPrice("whisper-base", Price(Decimal("0.003"), "minute"), provider="mistral"),
        ListedPrice("*", Price(Decimal("0.111"), "hour"), provider="groq"),
    )
)


async def test_models_elsewhere_are_listed_with_their_endpoints(tmp_path: Path) -> None:
    """Both clients at once, as above."""
    settings = Settings(home=tmp_path, endpoints=ELSEWHERE, prices=PRICES_ELSEWHERE)
    prices = AvailableModels(settings).prices()  # by models' own names, as a server has them
    async with serving(tmp_path, session=Session, endpoints=ELSEWHERE, prices=prices) as server:
        bare = Site(server, server.key, server.key, server.key, {}, datetime.now(UTC).date())
        clients = (OPENROUTER, NODE_OPENROUTER)
        names = [model.partition("/") for model in (AWAY.model, BOTH.model)]
        answers = await asyncio.gather(
            *(
                client.do(
                    call(bare, client, "providers.list"),
                    call(bare, client, "models.list", output_modalities="all"),
                    *(
                        call(bare, client, "endpoints.list", author=author, slug=slug)
                        for author, _, slug in names
                    ),
                )
                for client in clients
            )
        )
        listed = (await server.client.get("/models")).json()["data"]
        providers = (await server.client.get("/providers")).json()["data"]
    for client, found in zip(clients, answers, strict=True):
        asked = Asked(
            bare, client, dict(zip(("who", "models", "away", "both"), found, strict=True))
        )
        assert [each["slug"] for each in asked.read("who")["data"]] == ["local", "groq", "mistral"]
        assert {AWAY.model, BUILT_IN} == {each["id"] for each in asked.read("models")["data"]}
        (away,) = asked.read("away")["data"]["endpoints"]
        assert (away["provider_name"], away["tag"]) == ("groq", "groq/whisper-large-v3")
        assert (away["quantization"], away["pricing"]["prompt"]) == ("fp16", "0.111")
        assert {"temperature", "prompt"} <= set(away["supported_parameters"])
        assert {value for name, value in away.items() if "_last_" in name} <= {None}
        here, there = asked.read("both")["data"]["endpoints"]
        assert (here["tag"], there["tag"]) == ("local", "mistral/whisper")
        assert (here["pricing"]["prompt"], there["pricing"]["prompt"]) == ("0.006", "0.003")
        assert "prompt" in here["supported_parameters"]
        assert "prompt" not in there["supported_parameters"]
    cards = {each["id"]: each for each in listed}
    facts = {name: cards[name]["voxgate"] for name in cards}
    assert facts[AWAY.model]["providers"] == ["groq"]
    assert (facts[AWAY.model]["installed"], facts[AWAY.model]["missing"]) == (False, None)
    assert facts[BUILT_IN]["providers"] == ["local", "mistral"]
    assert cards[AWAY.model]["pricing"]["prompt"] == "0.111"
    assert "api.groq.com" not in json.dumps([listed, providers])  # an address may be a secret
    policies = {each["slug"]: each["voxgate"] for each in providers}
    assert policies["groq"] == {"data_collection": "allow", "zdr": True}
    assert policies["mistral"] == {"data_collection": "deny", "zdr": False}


@pytest.mark.parametrize("name", NOT_HERE)
async def test_what_is_not_here_is_a_404(asked: Asked, name: str) -> None:
    assert asked.answers[name]["status"] == 404
    assert "There is nothing at /api/v1/" in json.dumps(asked.answers[name])
