"""Thousands of requests over four upstreams of which one in five fails, added up at the end."""

from __future__ import annotations

import asyncio
import gc
import random
from collections import Counter
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import error_of, new_key, spool_files, with_key
from tests.ledger.other_process import sql
from tests.processes import open_files
from tests.sounds import RATE, encode, sample
from tests.upstreams import faults
from tests.upstreams.gateway import Elsewhere, Gateway, deltas, gateway, named, price
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.key import hash_of

if TYPE_CHECKING:
    import httpx2

    from tests.upstreams.proxy import Fault, Script
    from voxgate.upstreams import UpstreamKind

AT_ONCE = 24
FAULT_SHARE = 0.2
MOST_FAILED = 0.01  # of the requests, and three: each upstream had a fault, or rested
KEYS = 3
LENGTHS = [round(seconds * RATE) for seconds in (1.6, 1.7, 1.8, 1.9)]  # of the recordings, samples
RECORDINGS = [encode(sample()[:length], "x.flac") for length in LENGTHS]
PRICES = {  # by the upstream; of a second, in dollars, and of a request
    "alpha": price("0.000123456789", "second"),
    "beta": price("0.0061", "minute"),
    "gamma": price("0.1117", "hour"),
    "delta": price("0.000000333", "request"),
}
KINDS: dict[str, UpstreamKind] = {
    "alpha": "compatible",
    "beta": "openai",
    "gamma": "mistral",
    "delta": "openrouter",
}
GROWTH_BYTES = 48 * 2**20
"""More than the allocator keeps after the first quarter; one leaked recording a request is as much
again."""

OFTEN: list[Fault] = [*faults.BROKEN.values(), faults.NO_WORDS, faults.ANOTHER_MODEL]
SELDOM: list[Fault] = [*faults.SLOW.values(), *faults.LIMITED.values()]
PATIENCE_S = 8.0


def script(name: str) -> Script:
    """Return one fault in five, always the same ones; some upstreams are slow in the meantime."""
    chance = random.Random(name)

    def fault(_: int) -> Fault | None:
        if chance.random() >= FAULT_SHARE:
            return faults.byte_by_byte if chance.random() < 0.02 else None
        return chance.choice(SELDOM if chance.random() < 0.05 else OFTEN)

    return fault


def nanodollars(name: str, samples: int) -> int:
    amount, unit = PRICES[name].amount, PRICES[name].unit
    seconds = {"second": 1, "minute": 60, "hour": 3600}.get(unit)
    units = Fraction(samples, RATE * seconds) if seconds else Fraction(1)
    return floor(Fraction(amount) * units * 10**9 + Fraction(1, 2))


class Soak:
    """The requests, and what each should have cost."""

    def __init__(self, elsewhere: Gateway, keys: list[str], heard: list[str]) -> None:
        self._elsewhere, self._keys, self._heard = elsewhere, keys, heard
        self._places = asyncio.Semaphore(AT_ONCE)
        self.spent = Counter[str]()  # by key, nano-dollars
        self.earned = Counter[str]()  # by provider, likewise
        self.samples = Counter[str]()  # by provider
        self.failed, self.unheard = list[str](), list[str]()

    async def run(self, first: int, end: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(first, end):
                tasks.create_task(self._one(number))

    async def _one(self, number: int) -> None:
        """Post one recording, and look at its text and at its record."""
        key, place = self._keys[number % KEYS], number % len(RECORDINGS)
        fields: dict[str, Any] = {"language": "de" if number % 5 else "en"}
        if number % 7 == 0:
            fields["hedge"] = "true"
        if streams := number % 11 == 0:
            fields["stream"] = "true"
        async with self._places:
            answer = await self._elsewhere.post(
                RECORDINGS[place], f"{number}.flac", headers=with_key(key), **fields
            )
            record = await self._record(answer, key)
        for provider in self._elsewhere.providers.values():
            provider.windows.clear()
            provider.options.clear()
        if answer.status_code != 200:
            self.failed.append(error_of(answer)["message"])
            assert record["total_cost"] == 0
            return
        text, name = text_of(answer, streams=streams), record["provider_name"]
        if text:
            language = fields["language"]
            assert text == f"{name} heard {self._heard[place]} s in {language}"
        else:  # nobody heard a word, and the answer says so
            self.unheard.append(record["id"])
        assert record["audio_seconds"] * RATE == LENGTHS[place]
        cost = nanodollars(name, LENGTHS[place])
        assert round(record["total_cost"] * 10**9) == cost
        self.spent[hash_of(key)] += cost
        self.earned[name] += cost
        self.samples[name] += LENGTHS[place]

    async def _record(self, answer: httpx2.Response, key: str) -> dict[str, Any]:
        found = await self._elsewhere.server.client.get(
            "/generation", params={"id": answer.headers["x-generation-id"]}, headers=with_key(key)
        )
        assert found.status_code == 200, found.text
        record: dict[str, Any] = found.json()["data"]
        return record


def text_of(answer: httpx2.Response, *, streams: bool) -> str:
    if not streams:
        body = answer.json()
        warned = answer.headers.get("x-voxgate-warning") == "untranscribed_speech"
        assert (body["text"] == "") == warned
        text: str = body["text"]
        return text
    parts, done = deltas(answer)
    assert "".join(parts) == done["text"]
    return "".join(parts)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@pytest.mark.parametrize("count", [200, pytest.param(2000, marks=pytest.mark.long)])
async def test_a_fifth_of_all_requests_fails_at_its_upstream(tmp_path: Path, count: int) -> None:
    """Every text is its upstream's, every id has its record, and money is right to the last."""
    files, tasks = open_files(), len(asyncio.all_tasks())
    listed = [
        Elsewhere(name, KINDS[name], PRICES[name], upstream={"patience_s": PATIENCE_S})
        for name in PRICES
    ]
    async with gateway(tmp_path, listed) as elsewhere:
        keys = [
            await new_key(elsewhere.server, f"key {n}", limit_nanodollars=10**12)
            for n in range(KEYS)
        ]
        heard = [(await elsewhere.post(data)).json()["text"].split()[2] for data in RECORDINGS]
        assert len(set(heard)) == len(RECORDINGS)
        for name, proxy in elsewhere.proxies.items():
            proxy.script = script(name)
        soak = Soak(elsewhere, keys, heard)
        await soak.run(0, count // 4)
        before = resident_bytes()
        await soak.run(count // 4, count)
        gc.collect()
        grown = resident_bytes() - before
        injected = sum(sum(proxy.faults) for proxy in elsewhere.proxies.values())
        path = elsewhere.server.settings.home / LEDGER_FILE
        spooled = spool_files(elsewhere.server) + spool_files(elsewhere.behind)
    assert injected > FAULT_SHARE * count / 2
    assert len(soak.failed) + len(soak.unheard) <= 3 + MOST_FAILED * count, soak.failed
    check_ledger(path, soak, count)
    assert spooled == 0
    assert grown < GROWTH_BYTES
    gc.collect()
    assert (open_files(), len(asyncio.all_tasks())) == (files, tasks)


STATEMENTS = {  # of the soak's own keys, which alone have budgets
    "generations": """
        SELECT count(*), count(lease_until) FROM generations
        WHERE key_hash IN (SELECT key_hash FROM budgets)""",
    "answered": """
        SELECT provider, sum(cost_nanodollars), sum(audio_samples) FROM generations
        WHERE key_hash IN (SELECT key_hash FROM budgets) AND status = 200 GROUP BY provider""",
    "failed": """
        SELECT count(*), total(cost_nanodollars) FROM generations
        WHERE key_hash IN (SELECT key_hash FROM budgets) AND status != 200""",
    "days": """
        SELECT provider, sum(nanodollars) FROM usage_days
        WHERE key_hash IN (SELECT key_hash FROM budgets) GROUP BY provider""",
    "budgets": """
        SELECT key_hash, spent_nanodollars, reserved_nanodollars, reserved_samples FROM budgets""",
}


def check_ledger(path: Path, soak: Soak, count: int) -> None:
    """Look at all sums of the ledger: of generations, days and budgets."""
    rows = {name: sql(path, statement) for name, statement in STATEMENTS.items()}
    assert rows["generations"] == [(count, 0)]
    assert rows["failed"] == [(len(soak.failed), 0)]
    assert {name: sums for name, *sums in rows["answered"]} == {
        name: [soak.earned[name], soak.samples[name]] for name in PRICES
    }
    assert {name: cost for name, cost in rows["days"] if cost} == soak.earned
    assert {key: sums for key, *sums in rows["budgets"]} == {
        key: [spent, 0, 0] for key, spent in soak.spent.items()
    }


async def test_no_budget_is_exceeded_whoever_answers(tmp_path: Path) -> None:
    """What is reserved is the most that any upstream may charge; what is spent is its price."""
    refused = asyncio.Event()  # nobody answers until a request is refused
    listed = [Elsewhere(name, KINDS[name], PRICES[name], named(name)) for name in PRICES]
    for each in listed:
        assert each.provider
        each.provider.gate = lambda _: refused.wait()
    # A recording may be divided between one who charges by time and one by the request.
    limit = 5 * (nanodollars("delta", LENGTHS[0]) + nanodollars("alpha", LENGTHS[0]))
    assert nanodollars("alpha", LENGTHS[0]) == max(nanodollars(n, LENGTHS[0]) for n in PRICES)
    async with gateway(tmp_path, listed) as elsewhere:
        for name, proxy in elsewhere.proxies.items():
            proxy.script = script(name)
        key = await new_key(elsewhere.server, "one with little", limit_nanodollars=limit)

        async def post(number: int) -> httpx2.Response:
            answer = await elsewhere.post(RECORDINGS[0], f"{number}.flac", headers=with_key(key))
            if answer.status_code == 402:
                refused.set()
            return answer

        answers = await asyncio.gather(*map(post, range(30)))
        path = elsewhere.server.settings.home / LEDGER_FILE
        sums = sql(path, "SELECT spent_nanodollars, reserved_nanodollars FROM budgets")
    assert {answer.status_code for answer in answers} <= {200, 402, 502, 504}
    costs = [round(each.json()["usage"]["cost"] * 10**9) for each in answers if each.is_success]
    # Five fit into the budget: who is not refused may still meet upstreams that all fail.
    assert sum(answer.status_code != 402 for answer in answers) >= 5
    assert costs
    assert sums == [(sum(costs), 0)]
    assert sum(costs) <= limit
