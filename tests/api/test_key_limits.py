"""What a key may do is checked before the body, or the rest of it, is read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

import tests.api.serving
from tests.api.serving import (
    ALIAS,
    FILE,
    SCRIPTED,
    Gate,
    ModelsWithAlias,
    Running,
    error_of,
    new_key,
    recording,
    send_partial,
    serving,
    with_key,
)
from tests.api.test_early_start import HEAD, Upload, status_of
from tests.clients.client import NODE_OPENROUTER, OPENROUTER, Client
from tests.processes import until
from tests.scripted import Scripted
from voxgate.configuration.file import ConfigFile
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.key import hash_of
from voxgate.ledger.key_tables import KeyList
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx2

    from voxgate.models.catalogue import ModelSpec

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = "openai/whisper-base"
POST = "/audio/transcriptions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server"), keep_files=True) as running:
        yield running


async def post(server: Running, secret: str, **fields: Any) -> httpx2.Response:
    return await server.post(recording(**fields), headers=with_key(secret))


async def refused_before_the_body(server: Running, secret: str) -> dict[str, Any]:
    """The error for a request of which no byte of the body is sent."""
    reader, writer = await send_partial(replace(server, key=secret), b"", 10**6)
    upload = Upload(reader, writer)
    error = status_of(await upload.rest())
    writer.close()
    return error


async def test_a_management_key_does_not_transcribe(server: Running) -> None:
    secret = await new_key(server, "manager", management=True)
    error = await refused_before_the_body(server, secret)
    assert (error["code"], error["metadata"]["error_type"]) == (403, "permission_denied")
    assert "'manager' is a management key, which does not transcribe" in error["message"]
    for call in (server.client.get, server.client.delete):
        answer = await call("/files/none", headers=with_key(secret))
        assert error_of(answer)["code"] == 403


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"limit_samples": 0, "reset": "monthly"}, "limit of 0 min a month is left"),
        ({"limit_nanodollars": 0}, "limit of $0.00 in all is left"),
    ],
)
async def test_a_key_whose_budget_is_used_up(
    server: Running, fields: dict[str, Any], says: str
) -> None:
    secret = await new_key(server, says, **fields)
    error = await refused_before_the_body(server, secret)
    assert (error["code"], error["metadata"]["error_type"]) == (402, "payment_required")
    assert error["metadata"]["code"] == "budget_exceeded"
    assert says in error["message"]
    answer = await post(server, secret)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        await ledger.keys.edit(says, limit_samples=None, limit_nanodollars=None)
    assert (await post(server, secret)).status_code == 200


async def test_a_key_sends_so_many_requests_a_minute(server: Running) -> None:
    secret = await new_key(server, "slow", requests_per_minute=2)
    assert [(await post(server, secret)).status_code for _ in range(2)] == [200, 200]
    answer = await post(server, secret)
    assert error_of(answer)["metadata"]["code"] == "rate_limit_exceeded"
    assert "may send 2 recordings a minute" in error_of(answer)["message"]
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-ratelimit-limit"] == "2"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(answer.headers["x-ratelimit-reset"]) / 1000 - time.time() <= 60
    assert (await refused_before_the_body(server, secret))["code"] == 429
    assert (await server.client.get("/models", headers=with_key(secret))).status_code == 200
    assert "x-ratelimit-limit" not in (await server.post(recording())).headers


@pytest.mark.parametrize("allowed", [SCRIPTED, ALIAS])
@pytest.mark.parametrize("asked", [SCRIPTED, ALIAS])
async def test_a_model_is_allowed_by_each_of_its_names(
    server: Running, allowed: str, asked: str
) -> None:
    secret = await new_key(server, f"{allowed} {asked}", allowed_models=["not/here", allowed])
    assert (await post(server, secret, model=asked)).status_code == 200
    refused = await post(server, secret, model=BASE)
    error = error_of(refused)
    assert (error["code"], error["metadata"]["code"]) == (403, "permission_denied")
    assert f"may not use the model '{BASE}'. It may use not/here, {allowed}. `" in error["message"]


@pytest.mark.parametrize(("asked", "status"), [(SCRIPTED, 200), (BASE, 403)])
async def test_each_name_is_looked_up_once_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, status: int
) -> None:
    looked_up: Counter[str] = Counter()

    class CountedModels(ModelsWithAlias):
        def __getitem__(self, name: str) -> ModelSpec:
            looked_up[name] += 1
            return super().__getitem__(name)

    monkeypatch.setattr(tests.api.serving, "ModelsWithAlias", CountedModels)
    absent = [f"not/here-{number}" for number in range(5)]
    async with serving(tmp_path) as server:
        secret = await new_key(server, "restricted", allowed_models=[*absent, ALIAS])
        answer = await server.client.post(
            POST, data={"model": asked}, files=FILE, headers=with_key(secret)
        )
    assert answer.status_code == status
    assert [looked_up[name] for name in (*absent, ALIAS)] == [1] * 6


@pytest.mark.parametrize("stream", ["true", "false"])
@pytest.mark.parametrize("kind", ["raw", "form"])
async def test_a_model_is_refused_while_the_recording_is_still_sent(
    server: Running, kind: str, stream: str
) -> None:
    name = f"restricted {kind} {stream}"
    restricted = replace(server, key=await new_key(server, name, allowed_models=[SCRIPTED]))
    opened = Upload.raw if kind == "raw" else Upload.form
    async with opened(restricted, model=BASE, stream=stream) as upload:
        await upload.send(HEAD)
        error = status_of(await upload.rest())
    assert error["code"] == 403
    assert SCRIPTED in error["message"]


async def test_a_model_that_follows_the_recording_is_refused_too(server: Running) -> None:
    secret = await new_key(server, "late", allowed_models=[SCRIPTED])
    boundary = "x"
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.flac"\r\n\r\n'
    model = f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\n{BASE}\r\n'
    body = file.encode() + FILE["file"][1] + f"{model}--{boundary}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = await server.client.post(POST, content=body, headers=with_key(secret) | kind)
    assert error_of(answer)["code"] == 403


async def test_the_other_dialects_check_the_model(server: Running) -> None:
    secret = await new_key(server, "others", allowed_models=[BASE])
    for path, name in (("/asr", "audio_file"), ("/inference", "file")):
        answer = await server.client.post(
            server.url + path, files={name: FILE["file"]}, headers=with_key(secret)
        )
        assert answer.status_code == 403, path


@pytest.mark.parametrize("client", [OPENROUTER, NODE_OPENROUTER], ids=lambda client: client.name)
async def test_openrouters_clients_have_a_class_for_each_refusal(
    server: Running, client: Client
) -> None:
    refusals: dict[str, dict[str, Any]] = {
        "PaymentRequiredResponseError": {"limit_samples": 0},
        "ForbiddenResponseError": {"allowed_models": [BASE]},
    }
    asked = client.transcription(server)
    calls = [
        {**asked, "key": await new_key(server, f"{client.name} {name}", **fields)}
        for name, fields in refusals.items()
    ]
    payment, forbidden = await client.do(*calls)
    assert [payment["raised"], forbidden["raised"]] == [*refusals]
    assert (payment["status"], forbidden["status"]) == (402, 403)
    assert "No minutes are left" in payment["message"]
    assert f"It may use {BASE}" in forbidden["message"]
    assert payment.get("requests", 1) == forbidden.get("requests", 1) == 1


async def test_a_key_has_so_many_recordings_under_way(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, concurrency=4)
    async with serving(tmp_path, provider) as server:
        secret = await new_key(server, "two", max_recordings=2)
        first = [
            asyncio.create_task(post(server, secret, language=language))
            for language in ("en", "de")
        ]
        await until(lambda: provider.running == 2, "two jobs")
        error = await refused_before_the_body(server, secret)
        assert error["code"] == 429
        assert error["message"].startswith("This key has 2 recordings under way, as many as it may")
        assert "--recordings N" in error["message"]
        other = asyncio.create_task(server.post(recording()))  # of another key
        await until(lambda: provider.running == 3, "another key's job")
        gate.open.set()
        assert [(await task).status_code for task in (*first, other)] == [200, 200, 200]
        assert (await post(server, secret, temperature=0)).status_code == 200


async def test_a_key_that_a_file_lists_is_told_to_be_changed_there(tmp_path: Path) -> None:
    limits = {
        "poor": "limit = 0",
        "short": "limit_minutes = 0.001",
        "narrow": f"allowed_models = ['{BASE}']",
        "slow": "requests_per_minute = 1",
        "single": "max_recordings = 1",
    }
    file = tmp_path / "voxgate.toml"
    file.write_text(
        "".join(
            f"[[keys]]\nname = '{name}'\nhash = '{hash_of(name)}'\n{limit}\n"
            for name, limit in limits.items()
        ),
        encoding="utf-8",
    )
    listed, _ = KeyList.read(ConfigFile.read(file))
    gate = Gate()
    provider = Scripted(gate=gate, concurrency=4)
    async with serving(tmp_path / "home", provider) as server:
        async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
            await ledger.listed_keys.apply(listed)
        under_way = [asyncio.create_task(post(server, name)) for name in ("slow", "single")]
        await until(lambda: provider.running == 2, "both jobs")
        errors = [error_of(await post(server, name, temperature=0)) for name in limits]
        assert [error["code"] for error in errors] == [402, 402, 403, 429, 429]
        for error in errors:
            assert error["message"].endswith(
                ". The server's voxgate.toml lists it, and is where to change that."
            )
        gate.open.set()
        assert [(await task).status_code for task in under_way] == [200, 200]
