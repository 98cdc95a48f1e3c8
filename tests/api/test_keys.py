"""`/keys`, `/key` and `/credits`, by OpenRouter's own client and by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import Running, error_of, new_key, recording, serving, with_key
from tests.clients.client import NODE_OPENROUTER, OPENROUTER
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from tests.ledger import postgres

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOLLAR, MINUTE = 10**9, 960_000
EVERY_CALL = [
    ("GET", "/keys"),
    ("POST", "/keys"),
    ("GET", "/keys/{hash}"),
    ("PATCH", "/keys/{hash}"),
    ("DELETE", "/keys/{hash}"),
    ("GET", "/credits"),
]


class Manager:
    """Manages the keys of a server by its routes."""

    def __init__(self, server: Running, secret: str) -> None:
        self.server, self.secret = server, secret

    async def ask(self, method: str, path: str, **body: Any) -> httpx2.Response:
        content = body if method in {"POST", "PATCH"} else None
        return await self.server.client.request(
            method, path, headers=with_key(self.secret), json=content
        )

    async def create(self, **fields: Any) -> tuple[dict[str, Any], str]:
        answer = await self.ask("POST", "/keys", **fields)
        assert answer.status_code == 201, answer.text
        made = answer.json()
        return made["data"], made["key"]

    async def edit(self, hash_: str, **fields: Any) -> dict[str, Any]:
        answer = await self.ask("PATCH", f"/keys/{hash_}", **fields)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def manager(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Manager]:
    async with serving(tmp_path_factory.mktemp("server")) as server:
        yield Manager(server, await new_key(server, "manager", management=True))


async def spend(server: Running, hash_: str, cost: Amount) -> None:
    """Let a key use so much, as its recordings do."""
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        name = f"gen-{hash_[:8]}-{cost.samples}"
        await ledger.generations.begin(Generation(name, hash_, "model"))
        outcome = Outcome(200, 1, cost=cost, audio_samples=cost.samples)
        await ledger.generations.finish(name, outcome)


async def test_openrouters_client_manages_keys(manager: Manager) -> None:
    server = manager.server
    expires = "2100-01-01T00:00:00Z"
    made, listed, credits_, unknown, refused = await OPENROUTER.do(
        {
            **OPENROUTER.call(
                server,
                "api_keys.create",
                name="by a client",
                limit=12.5,
                limit_reset="weekly",
                expires_at=expires,
                creator_user_id="user_1",
                external={"user": "tenant 7"},
            ),
            "key": manager.secret,
        },
        {**OPENROUTER.call(server, "api_keys.list"), "key": manager.secret},
        {**OPENROUTER.call(server, "credits.get_credits"), "key": manager.secret},
        {**OPENROUTER.call(server, "api_keys.get", hash="0" * 64), "key": manager.secret},
        OPENROUTER.call(server, "api_keys.create", name="not allowed"),
    )
    data, secret = made["value"]["data"], made["value"]["key"]
    assert (data["limit"], data["limit_remaining"], data["limit_reset"]) == (12.5, 12.5, "weekly")
    assert (data["creator_user_id"], data["external_user"]) == ("user_1", "tenant 7")
    assert data["expires_at"] == expires
    assert data["hash"] in {each["hash"] for each in listed["value"]["data"]}
    assert credits_["value"]["data"].keys() == {"total_credits", "total_usage"}
    assert (unknown["raised"], unknown["status"]) == ("NotFoundResponseError", 404)
    assert (refused["raised"], refused["status"]) == ("ForbiddenResponseError", 403)
    assert "'first' is no management key" in refused["message"]

    hash_ = data["hash"]
    own, manager_own, changed, got, deleted, gone = await OPENROUTER.do(
        {**OPENROUTER.call(server, "api_keys.get_current_key_metadata"), "key": secret},
        {**OPENROUTER.call(server, "api_keys.get_current_key_metadata"), "key": manager.secret},
        {
            **OPENROUTER.call(
                server, "api_keys.update", hash=hash_, name="other", disabled=True, limit=None
            ),
            "key": manager.secret,
        },
        {**OPENROUTER.call(server, "api_keys.get", hash=hash_), "key": manager.secret},
        {**OPENROUTER.call(server, "api_keys.delete", hash=hash_), "key": manager.secret},
        {**OPENROUTER.call(server, "api_keys.get_current_key_metadata"), "key": secret},
    )
    current = own["value"]["data"]
    assert (current["limit"], current["limit_reset"]) == (12.5, "weekly")
    assert (current["is_management_key"], current["creator_user_id"]) == (False, "user_1")
    (budget,) = current["budgets"]
    assert budget == current["effective_budget"]
    assert (budget["scope"], budget["remaining_usd"]) == ("key_limit", 12.5)
    assert manager_own["value"]["data"]["is_management_key"] is True
    assert changed["value"] == got["value"]
    changed = changed["value"]["data"]
    assert (changed["name"], changed["disabled"], changed["limit"]) == ("other", True, None)
    assert changed["updated_at"]
    assert deleted["value"] == {"DELETED": True}  # a constant, by the client's own name
    assert gone["raised"] == "UnauthorizedResponseError"


async def test_of_a_limit_below_what_is_spent_nothing_remains(manager: Manager) -> None:
    made, secret = await manager.create(name="lowered", limit=5)
    await spend(manager.server, made["hash"], Amount(4 * 10**9))
    await manager.edit(made["hash"], limit=1)
    answer = await manager.server.client.get("/key", headers=with_key(secret))
    current = answer.json()["data"]
    (budget,) = current["budgets"]
    assert (budget["limit_usd"], budget["spend_usd"], budget["remaining_usd"]) == (1, 4, 0)
    assert current["limit_remaining"] == 0


async def test_openrouters_client_in_javascript_reads_every_answer(manager: Manager) -> None:
    hash_ = (await manager.create(name="for javascript", limit=3, limit_reset="daily"))[0]["hash"]
    asked: dict[str, dict[str, Any]] = {
        "apiKeys.create": {"requestBody": {"name": "by javascript", "limit": 2.5}},
        "apiKeys.list": {"includeDisabled": True},
        "apiKeys.update": {"hash": hash_, "requestBody": {"disabled": True}},
        "apiKeys.get": {"hash": hash_},
        "apiKeys.getCurrentKeyMetadata": {},
        "credits.getCredits": {},
        "apiKeys.delete": {"hash": hash_},
    }
    calls = [NODE_OPENROUTER.call(manager.server, name, **each) for name, each in asked.items()]
    answers = await NODE_OPENROUTER.do(*({**call, "key": manager.secret} for call in calls))
    assert not [answer for answer in answers if "value" not in answer]
    made, listed, changed, got, current, _, deleted = (answer["value"] for answer in answers)
    assert (made["data"]["limit"], made["data"]["limitReset"]) == (2.5, None)
    assert {"for javascript", "by javascript"} <= {each["name"] for each in listed["data"]}
    assert changed == got
    assert (got["data"]["disabled"], got["data"]["limitReset"]) == (True, "daily")
    assert current["data"]["isManagementKey"] is True
    assert deleted == {"deleted": True}


async def test_our_own_limits_are_in_one_object_beside(manager: Manager) -> None:
    own = {
        "limit_minutes": 600.5,
        "allowed_models": ["openai/whisper-base"],
        "requests_per_minute": 60,
        "max_recordings": 4,
    }
    data, secret = await manager.create(name="own", limit_reset="monthly", voxgate=own)
    assert {name: data["voxgate"][name] for name in own} == own
    assert (data["limit"], data["limit_reset"]) == (None, "monthly")
    assert (data["voxgate"]["management"], data["voxgate"]["state"]) == (False, "valid")
    changed = await manager.edit(data["hash"], voxgate={"limit_minutes": 5, "max_recordings": None})
    assert changed["voxgate"]["limit_minutes"] == 5
    assert changed["voxgate"]["max_recordings"] is None
    assert changed["voxgate"]["requests_per_minute"] == 60
    answer = await manager.server.client.get("/key", headers=with_key(secret))
    current = answer.json()["data"]
    assert current["rate_limit"]["requests"] == 60
    assert current["voxgate"]["allowed_models"] == own["allowed_models"]
    assert (current["budgets"], current["effective_budget"]) == ([], None)


async def test_usage_is_what_the_key_has_used(manager: Manager) -> None:
    before = (await manager.ask("GET", "/credits")).json()["data"]["total_usage"]
    data, _ = await manager.create(name="used", limit=3, voxgate={"limit_minutes": 10})
    assert [data[name] for name in data if "usage" in name] == [0] * 8
    await spend(manager.server, data["hash"], Amount(DOLLAR // 4, 3 * MINUTE))
    data = (await manager.ask("GET", f"/keys/{data['hash']}")).json()["data"]
    for period in ("", "_daily", "_weekly", "_monthly"):
        assert data[f"usage{period}"] == 0.25
        assert data[f"byok_usage{period}"] == 0
        assert data["voxgate"][f"usage_minutes{period}"] == 3
    assert data["limit_remaining"] == 2.75
    assert data["voxgate"]["limit_minutes_remaining"] == 7
    credits_ = (await manager.ask("GET", "/credits")).json()["data"]
    assert credits_ == dict.fromkeys(("total_credits", "total_usage"), before + 0.25)


async def test_disabled_and_expired_keys_are_listed_on_request(manager: Manager) -> None:
    data, _ = await manager.create(name="switched off")
    await manager.edit(data["hash"], disabled=True)
    path = manager.server.settings.home / LEDGER_FILE
    async with await Ledger.open(path) as ledger:
        expired, _ = await ledger.keys.create(
            "expired", expires_at=datetime(2100, 1, 1, tzinfo=UTC)
        )
    answers = [
        {key["name"] for key in (await manager.ask("GET", f"/keys{query}")).json()["data"]}
        for query in ("", "?include_disabled=true", "?offset=1000")
    ]
    assert "switched off" not in answers[0]
    assert {"first", "manager"} <= answers[0]
    assert "switched off" in answers[1]
    assert answers[2] == set()
    assert (await manager.ask("GET", f"/keys/{data['hash']}")).status_code == 200
    assert (await manager.ask("GET", f"/keys/{expired.hash}")).json()["data"]["expires_at"]


@pytest.mark.parametrize(("method", "path"), EVERY_CALL)
async def test_only_management_keys_manage(manager: Manager, method: str, path: str) -> None:
    _, secret = await manager.create(name=f"{method} {path}")
    hash_ = (await manager.ask("GET", "/keys")).json()["data"][0]["hash"]
    path = path.replace("{hash}", hash_)
    answer = await manager.server.client.request(method, path, headers=with_key(secret))
    assert error_of(answer)["metadata"]["error_type"] == "permission_denied"
    assert "is no management key, and only those may do this" in error_of(answer)["message"]
    assert (await manager.ask("GET", f"/keys/{hash_}")).status_code == 200


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"nme": "x"}, "There is no field 'nme' here"),
        ({"name": ""}, "'name' should have at least 1 character"),
        ({"name": None}, "'name' should be a text"),
        ({"name": " x"}, "no space at either end"),
        ({"name": "manager"}, "A key named 'manager' already exists"),
        ({"limit": -1}, "'limit' should be at least 0"),
        ({"limit": 1e300}, "'limit' should be at most 1000000000"),
        ({"limit": "5"}, "'limit' should be a number"),
        ({"limit": True}, "'limit' should be a number"),
        ({"limit_reset": "hourly"}, "'limit_reset' should be 'daily', 'weekly' or 'monthly'"),
        ({"limit_reset": "daily"}, "A period without a limit"),
        ({"disabled": "no"}, "'disabled' should be true or false"),
        ({"expires_at": "soon"}, "'expires_at' should be a time as 2027-01-01T00:00:00Z"),
        ({"expires_at": 4102444800}, "'expires_at' should be a time"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "'expires_at' should be a time"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "2020-01-01 00:00 UTC is past"),
        ({"include_byok_in_limit": True}, "'include_byok_in_limit' should be False"),
        ({"workspace_id": "mine"}, "'workspace_id' should be '00000000-"),
        ({"voxgate": None}, "'voxgate' should be an object"),
        ({"voxgate": {"management": True}}, "There is no field 'voxgate.management' here"),
        (
            {"voxgate": {"requests_per_minute": 0}},
            "'voxgate.requests_per_minute' should be at least 1",
        ),
        (
            {"voxgate": {"max_recordings": 1.5}},
            "'voxgate.max_recordings' should be a whole number",
        ),
        (
            {"voxgate": {"allowed_models": []}},
            "'voxgate.allowed_models' should have at least 1",
        ),
    ],
)
async def test_what_is_wrong_is_named(manager: Manager, body: dict[str, Any], says: str) -> None:
    before, _ = await manager.create(name=f"{says[:40]} {len(str(body))}".strip())
    for method, path, fields in (
        ("POST", "/keys", {"name": "new", **body}),
        ("PATCH", f"/keys/{before['hash']}", body),
    ):
        answer = await manager.ask(method, path, **fields)
        assert answer.status_code == 400
        assert says in error_of(answer)["message"]
    answer = await manager.ask("GET", f"/keys/{before['hash']}")
    assert answer.json()["data"] == before


async def test_a_body_that_is_no_object(manager: Manager) -> None:
    post, headers = manager.server.client.post, with_key(manager.secret)
    sent: list[tuple[dict[str, Any], int, str]] = [
        ({"content": b"[]"}, 400, "must be an object"),
        ({"content": b"{"}, 400, "not JSON"),
        ({"content": b""}, 400, "not JSON"),
        ({"content": b" " * 70_000}, 413, "64 KiB"),
        ({"data": {"name": "x"}}, 415, "application/json"),
        ({"content": b"{}", "headers": {"Content-Encoding": "gzip"}}, 415, "compressed"),
        ({"json": {}}, 400, "The request has no 'name'"),
    ]
    for options, status, says in sent:
        answer = await post("/keys", **{**options, "headers": headers | options.get("headers", {})})
        assert error_of(answer)["code"] == status, options
        assert says in error_of(answer)["message"]


async def test_a_key_that_is_changed_or_deleted_is_so_at_once(manager: Manager) -> None:
    data, secret = await manager.create(name="short")
    post = manager.server.post
    assert (await post(recording(), headers=with_key(secret))).status_code == 200
    await manager.edit(data["hash"], disabled=True)
    answer = await post(recording(), headers=with_key(secret))
    assert error_of(answer)["code"] == 401
    assert "'short' is disabled" in error_of(answer)["message"]
    renewed = await manager.edit(data["hash"], expires_at="2100-01-01T02:00:00+02:00")
    assert renewed["expires_at"] == "2100-01-01T00:00:00Z"
    assert (await manager.edit(data["hash"], expires_at=None))["expires_at"] is None
    await manager.edit(data["hash"], disabled=False, limit=0)
    assert (await post(recording(), headers=with_key(secret))).status_code == 402
    assert (await manager.ask("DELETE", f"/keys/{data['hash']}")).json() == {"deleted": True}
    assert (await post(recording(), headers=with_key(secret))).status_code == 401
    for method in ("GET", "PATCH", "DELETE"):
        answer = await manager.ask(method, f"/keys/{data['hash']}")
        assert error_of(answer)["code"] == 404
    for hash_ in (data["hash"][:63], data["hash"] + "0", "short"):
        assert (await manager.ask("GET", f"/keys/{hash_}")).status_code == 404


async def test_without_keys_a_local_caller_manages(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off", credits=50.0) as server:
        current = (await server.client.get("/key")).json()["data"]
        assert (current["label"], current["is_management_key"]) == ("no key", True)
        made = await server.client.post("/keys", json={"name": "laptop"})
        assert made.status_code == 201
        (listed,) = (await server.client.get("/keys")).json()["data"]
        assert listed == made.json()["data"]
        credits_ = (await server.client.get("/credits")).json()["data"]
        assert credits_ == {"total_credits": 50, "total_usage": 0}
        page = {"Origin": "https://example.org"}
        assert (await server.client.get("/keys", headers=page)).status_code == 403


async def test_without_keys_nobody_manages_those_of_a_shared_database(
    tmp_path: Path, server: postgres.Server, migrated: str
) -> None:
    shared = server.create(template=migrated)
    url = shared.url.render_as_string(hide_password=False)
    async with await Ledger.open(shared) as ledger:
        key, _ = await ledger.keys.create("other")
    async with serving(tmp_path, auth="off", database_url=url) as running:
        for method, path in (
            *(("GET", "/keys"), ("POST", "/keys")),
            *((method, f"/keys/{key.hash}") for method in ("GET", "PATCH", "DELETE")),
            *(("GET", "/credits"), ("GET", "/activity")),
        ):
            body = {"name": "mine"} if method in {"POST", "PATCH"} else None
            refused = await running.client.request(method, path, json=body)
            assert error_of(refused)["metadata"]["code"] == "permission_denied"
            says = "Use the command line: `voxgate keys` and `voxgate usage`"
            assert says in error_of(refused)["message"]
        current = (await running.client.get("/key")).json()["data"]
        assert current["is_management_key"] is False
    async with await Ledger.open(shared) as ledger:
        assert await ledger.keys.all() == [key]
