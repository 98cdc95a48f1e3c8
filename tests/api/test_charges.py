"""What is delivered is charged, to the nano-dollar: once, and never more than a budget allows."""

from __future__ import annotations

import asyncio
import io
import json
import os
import random
import signal
import struct
import sys
import wave
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
from sqlalchemy import func, select

from tests.api.serving import PATH, SCRIPTED, Running, error_of, recording, serving
from tests.ledger.clock import clock
from tests.ledger.other_process import sql
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate import errors
from voxgate.ledger.address import LEDGER_FILE, Address
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.lifecycle import LEASE
from voxgate.ledger.schema import budgets_table, generations_table, usage_days_table
from voxgate.prices import parse_prices

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection

    from voxgate.ledger.periods import Reset
    from voxgate.transcript.values import Options

PRICE = "0.0001"  # dollars for a second
PRICES = parse_prices(f"{SCRIPTED} = {PRICE}/second", "this test")
NANODOLLARS_PER_S = 100_000
UTTERANCE = np.concatenate([sample()[: 3 * RATE], np.zeros(5 * RATE, np.int16)])
STALLED = errors.EngineError("It stalled.", code="engine_stalled")


def utterances(count: int) -> bytes:
    """A recording of so many utterances of 8 s, each a window of its own."""
    return encode(np.concatenate([UTTERANCE] * count), "x.flac")


def form(number: int, data: bytes) -> dict[str, Any]:
    """A request like no other: jobs are shared by requests with equal names."""
    return {"files": {"file": (f"{number}.flac", data)}, "data": {"model": SCRIPTED}}


@asynccontextmanager
async def books(server: Running) -> AsyncIterator[Ledger]:
    async with await Ledger.open(Address.of(server.settings)) as ledger:
        yield ledger


async def limit(
    server: Running,
    *,
    nanodollars: int | None = None,
    samples: int | None = None,
    reset: Reset | None = None,
) -> str:
    """Limit the server's first key, and return its hash."""
    async with books(server) as ledger:
        (key,) = await ledger.keys.all()
        await ledger.keys.edit(
            key.hash, limit_nanodollars=nanodollars, limit_samples=samples, reset=reset
        )
        return key.hash


async def generation(server: Running, response: httpx2.Response) -> Generation:
    async with books(server) as ledger:
        (key,) = await ledger.keys.all()
        found = await ledger.generations.find(response.headers["x-generation-id"], key.hash)
    assert found
    return found


async def test_a_transcript_costs_its_seconds(tmp_path: Path) -> None:
    data = utterances(2)
    async with serving(tmp_path, prices=PRICES) as server:
        answer = await server.post(recording(data, response_format="verbose_json"))
        found = await generation(server, answer)
        facts = (await server.client.get("/generation", params={"id": found.id})).json()["data"]
    assert answer.json()["usage"]["cost"] == facts["total_cost"] == 0.0016
    assert answer.json()["usage"]["seconds"] == 16
    assert answer.headers["x-voxgate-estimate"] == "0.0016"
    assert (found.cost_nanodollars, found.audio_samples) == (1_600_000, 256_000)
    assert found.price == {"amount": PRICE, "unit": "second", "minimum_s": "0", "increment_s": "0"}
    assert (found.requested_model, found.dialect) == (SCRIPTED, "openrouter")
    assert (found.reserved_nanodollars, found.lease_until) == (0, None)


@pytest.mark.parametrize("headers", [{}, {"Accept": "text/event-stream"}])
async def test_the_last_event_of_a_stream_has_the_cost(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    async with serving(tmp_path, prices=PRICES) as server:
        answer = await server.post(recording(utterances(2), stream=True), headers=headers)
        found = await generation(server, answer)
    data = [line.removeprefix("data: ") for line in answer.text.splitlines()]
    done = [json.loads(line) for line in data if '"usage"' in line]
    assert [event["usage"]["cost"] for event in done] == [0.0016]
    assert found.cost_nanodollars == 1_600_000
    assert found.first_text_ms is not None


def wordy(window: int, _: Options) -> str:
    """Of every window so many words, each of which counts as a token."""
    return " ".join(["word"] * (window + 10))


TOKEN_PRICES = parse_prices(f"{SCRIPTED} = 2.00/million tokens", "this test")
NANODOLLARS_A_TOKEN = 2000


async def test_a_price_by_the_token(tmp_path: Path) -> None:
    async with serving(tmp_path, Scripted(says=wordy), prices=TOKEN_PRICES) as server:
        key = await limit(server, nanodollars=10**9)
        answer = await server.post(recording(utterances(2)))
        found = await generation(server, answer)
        facts = (await server.client.get("/generation", params={"id": found.id})).json()["data"]
        card = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
    cost = 21 * NANODOLLARS_A_TOKEN
    assert answer.json()["usage"] == {
        "type": "duration",
        "seconds": 16,
        "cost": 0.000042,
        "prompt_audio_seconds": 16,
        "output_tokens": 21,
    }
    assert (found.cost_nanodollars, found.tokens, facts["tokens_completion"]) == (cost, 21, 21)
    # Of 16 s, 320 tokens are the most that would have been charged.
    assert float(answer.headers["x-voxgate-estimate"]) == 0.00064
    assert card["pricing"] == {"prompt": "0", "completion": "0.000002"}
    assert card["voxgate"]["price"]["unit"] == "million tokens"
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (cost, Amount())


async def test_a_model_that_writes_without_end_never_exceeds_a_budget(tmp_path: Path) -> None:
    """Nobody knows before what it will write: 20 tokens a second are the most that it costs."""
    endless = Scripted(says=lambda *_: "word " * 10_000, concurrency=4)
    most = 8 * 20 * NANODOLLARS_A_TOKEN  # of one recording
    async with serving(tmp_path, endless, prices=TOKEN_PRICES) as server:
        key = await limit(server, nanodollars=3 * most + 1)
        data = utterances(1)
        answers = await asyncio.gather(
            *(server.client.post(PATH[7:], **form(n, data)) for n in range(8))
        )
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [402] * 5
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (3 * most, Amount())


@pytest.mark.parametrize("leaves", [False, True], ids=["fails", "is left"])
async def test_a_stream_that_ends_early_costs_the_tokens_of_what_was_delivered(
    tmp_path: Path, leaves: bool
) -> None:
    never = asyncio.Event()
    provider = Scripted(
        says=wordy,
        faults={} if leaves else {2: [STALLED] * 9},
        gate=lambda number: never.wait() if leaves and number == 2 else None,
    )
    async with serving(tmp_path, provider, prices=TOKEN_PRICES) as server:
        key = await limit(server, nanodollars=10**9)
        read, body = "", recording(utterances(4), stream=True)
        async with server.client.stream("POST", PATH[7:], json=body) as answer:
            async for text in answer.aiter_text():
                read += text
                if leaves and read.count("transcript.text.delta") == 2:
                    break
        path = server.settings.home / LEDGER_FILE
        ended = "SELECT count(*) FROM generations WHERE finished_at IS NOT NULL"
        await until(lambda: sql(path, ended) == [(1,)], "its end")
        found = await generation(server, answer)
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
    assert read.count("transcript.text.delta") == 2
    assert (found.tokens, found.cost_nanodollars) == (21, 21 * NANODOLLARS_A_TOKEN)
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (found.cost_nanodollars, Amount())


async def test_texts_that_were_replaced_are_not_charged(tmp_path: Path) -> None:
    """A loop is recognised once more, and costs what the second text has."""
    texts = iter(["round and " * 40, "and then it was over"])
    looping = Scripted(says=lambda *_: next(texts), honours=frozenset({"temperature"}))
    async with serving(tmp_path, looping, prices=TOKEN_PRICES) as server:
        answer = await server.post(recording(utterances(1)))
    assert answer.json()["text"] == "and then it was over"
    assert answer.json()["usage"]["output_tokens"] == 5


async def test_a_model_without_a_price_costs_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, prices=parse_prices("other/model = 1/second", "")) as server:
        answer = await server.post(recording())
        cards = (await server.client.get("/models")).json()["data"]
        found = await generation(server, answer)
    assert answer.json()["usage"]["cost"] == found.cost_nanodollars == 0
    assert "x-voxgate-estimate" not in answer.headers
    assert {card["pricing"]["prompt"] for card in cards} == {"0"}


async def test_models_and_endpoints_say_the_price(tmp_path: Path) -> None:
    async with serving(tmp_path, prices=parse_prices(f"{SCRIPTED} = 0.006/minute", "")) as server:
        card = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
        (endpoint,) = (await server.client.get(f"/models/{SCRIPTED}/endpoints")).json()["data"][
            "endpoints"
        ]
    assert card["pricing"] == {"prompt": "0.006", "completion": "0"}
    assert card["voxgate"]["price"]["unit"] == "minute"
    assert endpoint["pricing"]["prompt"] == "0.006"


async def test_a_budget_is_spent_and_then_refuses(tmp_path: Path) -> None:
    data = utterances(1)
    async with serving(tmp_path, prices=PRICES) as server:
        key = await limit(server, nanodollars=20 * NANODOLLARS_PER_S, reset="monthly")
        served = [await server.client.post(PATH[7:], **form(n, data)) for n in range(2)]
        refused = await server.client.post(PATH[7:], **form(2, data))
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
        found = await generation(server, refused)
    assert [answer.status_code for answer in served] == [200, 200]
    assert refused.status_code == 402
    message = error_of(refused)["message"]
    assert "may cost $0.0008: $0.0004 of this key's limit of $0.002 a month is left" in message
    assert "The limit resets at" in message
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (16 * NANODOLLARS_PER_S, Amount())
    assert (found.cost_nanodollars, found.error_code) == (0, "budget_exceeded")


async def test_a_budget_of_minutes_needs_no_price(tmp_path: Path) -> None:
    data = utterances(1)
    async with serving(tmp_path) as server:
        await limit(server, samples=15 * RATE)
        served = await server.client.post(PATH[7:], **form(0, data))
        refused = await server.client.post(PATH[7:], **form(1, data))
    assert served.status_code == 200
    assert refused.status_code == 402
    assert "7 s of this key's limit of 15 s in all is left" in error_of(refused)["message"]


async def test_callers_at_once_never_exceed_a_budget(tmp_path: Path, address: Address) -> None:
    """Complaint 19: 200 callers at once on a budget for 100 recordings, of which 100 are served."""
    data = encode(sample()[:RATE], "second.flac")
    url = "" if address.path else address.url.render_as_string(hide_password=False)
    async with serving(
        tmp_path,
        Scripted(concurrency=16),
        prices=PRICES,
        database_url=url,
        max_flights=1000,
        max_flights_per_key=1000,
    ) as server:
        key = await limit(server, nanodollars=100 * NANODOLLARS_PER_S)
        answers = await asyncio.gather(
            *(server.client.post(PATH[7:], **form(n, data)) for n in range(200))
        )
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
    assert sorted(answer.status_code for answer in answers) == [200] * 100 + [402] * 100
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (10_000_000, Amount())


async def test_what_fails_costs_nothing(tmp_path: Path) -> None:
    failing = Scripted(faults={0: [STALLED] * 9})
    async with serving(tmp_path, failing, prices=PRICES) as server:
        key = await limit(server, nanodollars=10**9)
        answer = await server.post(recording(utterances(1)))
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
        found = await generation(server, answer)
    assert answer.status_code == 503
    assert found.cost_nanodollars == 0
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (0, Amount())


async def test_a_stream_that_fails_costs_what_was_delivered(tmp_path: Path) -> None:
    failing = Scripted(faults={2: [STALLED] * 9})
    async with serving(tmp_path, failing, prices=PRICES) as server:
        key = await limit(server, nanodollars=10**9)
        answer = await server.post(recording(utterances(4), stream=True))
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
        found = await generation(server, answer)
    assert answer.text.count("transcript.text.delta") == 2
    assert found.error_code == "engine_stalled"
    assert 8 * NANODOLLARS_PER_S < found.cost_nanodollars < 16 * NANODOLLARS_PER_S
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (found.cost_nanodollars, Amount())


def lying_flac(data: bytes) -> bytes:
    """Let the header of a FLAC file state the most samples that it can: 49 days of 16 kHz."""
    start = 4 + 4 + 13  # of the lowest 4 bits and the following 4 bytes, in STREAMINFO
    return data[:start] + bytes([data[start] | 0x0F]) + b"\xff" * 4 + data[start + 5 :]


def wav(size: int, count: int = 1) -> bytes:
    """A WAV file of so many utterances whose header states `size` bytes of sound."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(np.concatenate([UTTERANCE] * count).tobytes())
    data = file.getvalue()
    return data[:40] + struct.pack("<I", size) + data[44:]


@pytest.mark.parametrize("data", [lying_flac(utterances(1)), wav(2**31 - 2)], ids=["flac", "wav"])
async def test_a_header_that_lies_charges_nobody(tmp_path: Path, data: bytes) -> None:
    """Complaint 20: seconds are those of decoded samples."""
    async with serving(tmp_path, prices=PRICES) as server:
        await limit(server, nanodollars=10 * NANODOLLARS_PER_S)
        answer = await server.post(recording(data))
    assert answer.status_code == 200, answer.text
    assert answer.json()["usage"]["cost"] == 0.0008


async def test_a_length_that_nothing_states_is_reserved_as_it_comes(tmp_path: Path) -> None:
    """As of a pipe: its last sound is more than the budget has, and nothing is charged."""
    async with serving(tmp_path, prices=PRICES) as server:
        key = await limit(server, nanodollars=12 * NANODOLLARS_PER_S)
        refused = await server.post(recording(wav(2**32 - 1, count=2)))
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
        served = await server.post(recording(wav(2**32 - 1, count=1)))
    assert refused.status_code == 402, refused.text
    assert budget
    assert (budget.spent_nanodollars, budget.reserved) == (0, Amount())
    assert served.json()["usage"]["cost"] == 0.0008


async def test_callers_of_one_job_are_charged_once(tmp_path: Path) -> None:
    async with serving(tmp_path, prices=PRICES) as server:
        key = await limit(server, nanodollars=10**9)
        body = recording(utterances(2))
        answers = await asyncio.gather(*(server.post(body) for _ in range(5)))
        async with books(server) as ledger:
            budget = await ledger.budgets.find(key)
    assert {answer.headers["x-generation-id"] for answer in answers} == {
        answers[0].headers["x-generation-id"]
    }
    assert {answer.json()["usage"]["cost"] for answer in answers} == {0.0016}
    assert budget
    assert budget.spent_nanodollars == 16 * NANODOLLARS_PER_S


async def test_a_ledger_that_fails_at_the_end_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing delivered goes without a charge, because a disk was full for some time."""
    monkeypatch.setattr("voxgate.api.leases.HEARTBEAT_S", 0.05)
    async with serving(tmp_path, prices=PRICES) as server, books(server) as ledger:

        def refuse(connection: Connection) -> None:
            connection.exec_driver_sql(
                "CREATE TRIGGER full BEFORE UPDATE ON generations WHEN new.status = 200 "
                "BEGIN SELECT RAISE(ABORT, 'full'); END"
            )

        await ledger._database.write(refuse)
        answer = await server.post(recording(utterances(1)))
        assert answer.status_code == 200
        assert answer.json()["usage"]["cost"] == 0.0008
        await ledger._database.write(lambda c: c.exec_driver_sql("DROP TRIGGER full"))
        id_ = answer.headers["x-generation-id"]

        path = server.settings.home / LEDGER_FILE
        cost = "SELECT cost_nanodollars FROM generations WHERE id = ?"
        await until(lambda: sql(path, cost, id_) == [(8 * NANODOLLARS_PER_S,)], "the charge")


async def test_a_server_ends_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voxgate.api.leases.HEARTBEAT_S", 0.05)
    monkeypatch.setattr("voxgate.api.leases.STEADY_S", 0.0)
    path = tmp_path / "home" / LEDGER_FILE
    async with await Ledger.open(path) as ledger:
        for name in ("gen-killed", "gen-alive"):
            await ledger.generations.begin(Generation(name, None, SCRIPTED))
    sql(path, "UPDATE generations SET lease_until = '2026-01-02' WHERE id = 'gen-killed'")
    ended = "SELECT id, error_code FROM generations WHERE finished_at IS NOT NULL"
    async with serving(tmp_path):
        await until(lambda: sql(path, ended) == [("gen-killed", "interrupted")], "its end")


PROGRAM = """
import asyncio, os, signal, sys
from pathlib import Path
from tests.api.serving import serving
from tests.api.test_charges import PRICES
from tests.processes import until
from tests.scripted import Scripted

async def main():
    scripted = Scripted(concurrency=8, gate=lambda _: asyncio.sleep(0.01))
    async with serving(Path(sys.argv[1]), scripted, prices=PRICES, database_url=sys.argv[2],
                       max_flights=1000, max_flights_per_key=1000) as server:
        print(os.getpid(), server.url, server.key, flush=True)
        await asyncio.Event().wait()

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
for _ in sys.stdin:  # a line asks for a server: a fork starts at once, without imports
    if not os.fork():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        asyncio.run(main())
"""


@dataclass
class Books:
    """The sums that must agree."""

    charged: int
    counted: int  # by days
    spent: int
    reserved: int
    unfinished: int


def sums(connection: Connection) -> Books:
    def total(column: Any) -> int:
        return int(connection.scalar(select(func.coalesce(func.sum(column), 0))) or 0)

    unfinished = select(func.count()).where(generations_table.c.finished_at.is_(None))
    return Books(
        charged=total(generations_table.c.cost_nanodollars),
        counted=total(usage_days_table.c.nanodollars),
        spent=total(budgets_table.c.spent_nanodollars),
        reserved=total(budgets_table.c.reserved_nanodollars),
        unfinished=connection.scalar(unfinished) or 0,
    )


async def ask(client: httpx2.AsyncClient, key: str, number: int, data: bytes) -> int | None:
    """Return what a request cost, in nano-dollars; None where it got no whole answer."""
    headers = {"Authorization": f"Bearer {key}"}
    try:
        answer = await client.post(PATH, **form(number, data), headers=headers)
    except httpx2.HTTPError:
        return None
    assert answer.status_code == 200, answer.text
    cost: float = answer.json()["usage"]["cost"]
    return round(cost * 10**9)


@pytest.mark.parametrize(
    "kills", [8, pytest.param(50, marks=pytest.mark.long)], ids=["some", "many"]
)
async def test_a_server_killed_under_load_loses_no_money(
    tmp_path: Path, address: Address, kills: int
) -> None:
    """Killed at random moments: nothing lost, nothing twice, no reservation left."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    dice, data, received, numbers = random.Random(seed), utterances(1), list[int](), 0
    url = "" if address.path else address.url.render_as_string(hide_password=False)
    home = Address.of_file(tmp_path / "home" / "ledger.sqlite3") if address.path else address
    secret = ""
    forks = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(tmp_path), url),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert forks.stdin
    assert forks.stdout
    for _ in range(kills):
        forks.stdin.write(b"\n")
        pid, base_url, *key_shown = (await forks.stdout.readline()).decode().split()
        async with await Ledger.open(home) as ledger:
            if not secret:
                (secret,) = key_shown
                (key,) = await ledger.keys.all()
                await ledger.keys.edit(
                    key.hash, limit_nanodollars=10**12, limit_samples=None, reset=None
                )
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(base_url=base_url, timeout=60, limits=limits) as client:
            asked = [asyncio.create_task(ask(client, secret, numbers + n, data)) for n in range(40)]
            numbers += len(asked)
            await asyncio.sleep(dice.uniform(0.05, 0.6))  # the random moment
            os.kill(int(pid), signal.SIGKILL)
            received += [cost for cost in await asyncio.gather(*asked) if cost is not None]
    forks.stdin.close()
    await forks.wait()
    async with await Ledger.open(home) as ledger:
        with clock(datetime.now(UTC) + LEASE + timedelta(seconds=1)):
            await ledger.generations.close_expired()
        found = await ledger._database.read(sums)
    assert set(received) <= {8 * NANODOLLARS_PER_S}
    # What was received is charged. What was charged and not received was ready when it was killed.
    assert sum(received) <= found.charged <= numbers * 8 * NANODOLLARS_PER_S
    assert found.charged % (8 * NANODOLLARS_PER_S) == 0
    assert found == Books(found.charged, found.charged, found.charged, 0, 0)
