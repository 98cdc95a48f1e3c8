"""`GET /generation/content`: transcripts are kept where a key says so, encrypted, for that key."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.api.serving import Running, error_of, new_key, recording, serving, with_key
from tests.clients.client import OPENROUTER
from tests.ledger.other_process import sql
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate import errors
from voxgate.ledger.address import LEDGER_FILE, Address
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    import pytest

    from voxgate.transcript.values import Options

SECRET, OTHER_SECRET = secrets.token_bytes(32), secrets.token_bytes(32)
SAYS = "Marmalade sandwiches at noon"
UTTERANCE = np.concatenate([sample()[: 3 * RATE], np.zeros(5 * RATE, np.int16)])
FOUR = encode(np.concatenate([UTTERANCE] * 4), "x.flac")  # windows
PATH = "/generation/content"


def says(window: int, _: Options) -> str:
    return f"{SAYS}, {window}"


async def keeping(server: Running, name: str = "keeper", days: int | None = 30) -> dict[str, str]:
    return with_key(await new_key(server, name, keep_transcripts_days=days))


async def sent(server: Running, key: dict[str, str], **fields: Any) -> str:
    answer = await server.post(recording(**fields), headers=key)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-generation-id"])


async def content(server: Running, key: dict[str, str], id_: str) -> httpx2.Response:
    return await server.client.get(PATH, params={"id": id_}, headers=key)


def refused(answer: httpx2.Response, sentence: str) -> None:
    assert answer.status_code == 404
    assert sentence in error_of(answer)["message"]


async def test_openrouters_client_reads_what_is_kept(tmp_path: Path) -> None:
    async with serving(tmp_path, Scripted(says=says), transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        id_ = await sent(server, key)
        server.key = key["Authorization"].partition(" ")[2]
        (found,) = await OPENROUTER.do(
            OPENROUTER.call(server, "generations.list_generation_content", id=id_)
        )
    assert found["type"] == "GenerationContentResponse", found
    assert found["value"]["data"] == {
        "input": {"messages": []},
        "output": {"completion": f"{SAYS}, 0", "reasoning": None},
        "error": None,
    }


async def test_the_text_is_in_no_file_and_in_no_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path, Scripted(says=says), transcript_key=(SECRET,)) as server:
        id_ = await sent(server, await keeping(server))
        home = server.settings.home
        (stored,) = sql(home / LEDGER_FILE, "SELECT sealed FROM transcripts")
        files = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    assert id_.encode() in b"".join(files)  # they are the files that it could be in
    assert len(stored[0]) > len(SAYS)
    for data in (b"Marmalade", SAYS.encode(), SAYS.encode("utf-16-le"), SECRET):
        assert not any(data in file for file in files)
    for text in ("Marmalade", str(SECRET), SECRET.hex()):
        assert text not in caplog.text


async def test_it_is_that_keys_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, Scripted(says=says), transcript_key=(SECRET,)) as server:
        key, stranger = await keeping(server), await keeping(server, "stranger")
        id_ = await sent(server, key)
        assert (await content(server, key, id_)).json()["data"]["output"]["completion"]
        foreign, unknown = [await content(server, stranger, each) for each in (id_, "gen-no")]
        refused(foreign, f"No generation of this key has the id '{id_}'")
        refused(unknown, "No generation of this key has the id 'gen-no'")
        unnamed = await server.client.get(PATH, headers=key)
        wrong = await content(server, with_key("sk-vg-wrong"), id_)
    assert unnamed.status_code == 400
    assert wrong.status_code == 401


async def test_nothing_is_kept_unless_the_key_says_so_and_the_caller_lets_it(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, Scripted(says=says), transcript_key=(SECRET,)) as server:
        key, plain = await keeping(server), await keeping(server, "plain", None)
        kept, own = await asyncio.gather(
            sent(server, key), sent(server, key, provider={"zdr": True})
        )
        assert own != kept  # equal requests share a job, but not these
        refused(await content(server, key, own), "its key kept none")
        refused(await content(server, plain, await sent(server, plain)), "its key kept none")
        assert (await content(server, key, kept)).status_code == 200
        path = server.settings.home / LEDGER_FILE
        assert sql(path, "SELECT generation FROM transcripts") == [(kept,)]


async def test_a_silent_recording_has_an_empty_text(tmp_path: Path) -> None:
    silence = encode(sample() * 0, "x.flac")
    async with serving(tmp_path, transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        answer = await server.post(recording(silence), headers=key)
        found = await content(server, key, answer.headers["x-generation-id"])
    assert found.json()["data"]["output"]["completion"] == ""


async def test_what_is_over_is_gone(tmp_path: Path) -> None:
    async with serving(tmp_path, Scripted(says=says), transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        id_ = await sent(server, key)
        path = server.settings.home / LEDGER_FILE
        sql(path, "UPDATE transcripts SET expires_at = '2026-01-02 03:04:00.000000'")
        refused(await content(server, key, id_), "was kept until 2026-01-02 03:04 UTC. It is gone.")
    async with serving(tmp_path, transcript_key=(SECRET,)) as server:  # it sweeps at its start
        await until(lambda: sql(path, "SELECT sealed FROM transcripts") == [(None,)], "the sweep")
        refused(await content(server, key, id_), "was kept until 2026-01-02 03:04 UTC. It is gone.")


async def test_a_stream_that_fails_keeps_what_was_sent_and_says_how_it_failed(
    tmp_path: Path,
) -> None:
    stalled = errors.EngineError("It stalled.", code="engine_stalled")
    failing = Scripted(says=says, faults={2: [stalled] * 9})
    async with serving(tmp_path, failing, transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        answer = await server.post(recording(FOUR, stream=True), headers=key)
        deltas = answer.text.count("transcript.text.delta")
        id_ = answer.headers["x-generation-id"]
        server.key = key["Authorization"].partition(" ")[2]
        (found,) = await OPENROUTER.do(
            OPENROUTER.call(server, "generations.list_generation_content", id=id_)
        )
    data = found["value"]["data"]
    assert deltas == 2
    assert data["output"]["completion"] == f"{SAYS}, 0 {SAYS}, 1"
    assert (data["error"]["status"], data["error"]["message"]) == (503, "engine_stalled")
    assert {each["message"] for each in data["error"]["previous_errors"]} == {"engine_stalled"}


async def test_a_reader_who_leaves_leaves_what_was_sent(tmp_path: Path) -> None:
    never = asyncio.Event()
    provider = Scripted(says=says, gate=lambda n: never.wait() if n == 2 else None)
    async with serving(tmp_path, provider, transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        body = recording(FOUR, stream=True)
        read = ""
        async with server.client.stream(
            "POST", "/audio/transcriptions", json=body, headers=key
        ) as answer:
            id_ = answer.headers["x-generation-id"]
            async for text in answer.aiter_text():
                read += text
                if read.count("transcript.text.delta") == 2:
                    break
        path = server.settings.home / LEDGER_FILE
        await until(lambda: sql(path, "SELECT generation FROM transcripts") == [(id_,)], "its end")
        found = await content(server, key, id_)
    data = found.json()["data"]
    assert data["output"]["completion"] == f"{SAYS}, 0 {SAYS}, 1"
    assert data["error"]["message"] == "abandoned"


async def test_a_request_that_fails_without_text_has_none(tmp_path: Path) -> None:
    async with serving(tmp_path, transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        answer = await server.post(recording(b"no sound"), headers=key)
        assert answer.status_code == 400
        found = await content(server, key, answer.headers["x-generation-id"])
    refused(found, "it had no text")


async def test_a_secret_that_changes_or_goes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is kept without one, and what is kept can be read with the one that it had."""
    provider = Scripted(says=says)
    async with serving(tmp_path, provider, transcript_key=(SECRET,)) as server:
        key = await keeping(server)
        id_ = await sent(server, key)
    async with serving(tmp_path, provider, transcript_key=(OTHER_SECRET,)) as server:
        for _ in range(2):
            refused(await content(server, key, id_), "a secret that this server does not have")
        newer = await sent(server, key)
    async with serving(tmp_path, provider, transcript_key=(OTHER_SECRET, SECRET)) as server:
        for each in (id_, newer):
            assert (await content(server, key, each)).status_code == 200
    async with serving(tmp_path, provider) as server:
        refused(await content(server, key, id_), "a secret that this server does not have")
        for number in range(2):
            unkept = await sent(server, key, prompt=str(number))
            refused(await content(server, key, unkept), "its key kept none")
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    for said, times in (("VOXGATE_TRANSCRIPT_KEY is not set", 1), ("decrypts", 2)):  # a server once
        assert len([each for each in warnings if said in each]) == times


async def test_a_key_keeps_nothing_where_nothing_could_encrypt_it(tmp_path: Path) -> None:
    wanted = {"name": "keeper", "voxgate": {"keep_transcripts_days": 7}}
    async with serving(tmp_path) as server:
        manager = with_key(await new_key(server, "manager", management=True))
        answer = await server.client.post("/keys", json=wanted, headers=manager)
        assert answer.status_code == 400
        assert "openssl rand -base64 32" in error_of(answer)["message"]
        async with await Ledger.open(Address.of(server.settings)) as ledger:
            assert [each.name for each in await ledger.keys.all()] == ["first", "manager"]
    async with serving(tmp_path, transcript_key=(SECRET,)) as server:
        made = (await server.client.post("/keys", json=wanted, headers=manager)).json()
        hash_ = made["data"]["hash"]
        assert made["data"]["voxgate"]["keep_transcripts_days"] == 7
        own = await server.client.get("/key", headers=with_key(made["key"]))
        assert own.json()["data"]["voxgate"]["keep_transcripts_days"] == 7
        forget = {"voxgate": {"keep_transcripts_days": None}}
        edited = await server.client.patch(f"/keys/{hash_}", json=forget, headers=manager)
        assert edited.json()["data"]["voxgate"]["keep_transcripts_days"] is None
        wrong = {"voxgate": {"keep_transcripts_days": 0}}
        answer = await server.client.patch(f"/keys/{hash_}", json=wrong, headers=manager)
    assert answer.status_code == 400
