"""What Prometheus reads of a server, parsed by its own client."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.api.serving import (
    SCRIPTED,
    Gate,
    Running,
    error_of,
    new_key,
    recording,
    serving,
    with_key,
)
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate import errors
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.prices import parse_prices

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.transcript.values import Options

STALLED = errors.EngineError("It stalled.", code="engine_stalled")


def says(_: int, options: Options) -> str:
    """Fail for every German recording."""
    if options.language == "de":
        raise STALLED
    return "three words here"


SOUND = encode(sample()[: 4 * RATE], "four.flac")


async def read(server: Running, key: str) -> dict[tuple[str, ...], float]:
    """Return the samples by name and labels."""
    answer = await server.client.get(f"{server.url}/metrics", headers=with_key(key))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_recordings_sound_money_and_failures_are_counted(tmp_path: Path) -> None:
    prices = parse_prices(f"{SCRIPTED} = 0.01/second", "this test")
    async with serving(tmp_path, Scripted(says=says), prices=prices) as server:
        manager = await new_key(server, "manager", management=True)
        await server.post(recording(SOUND))
        await server.post(recording(SOUND, language="de"))
        await server.post(recording(SOUND, model="scripted/unknown"))
        found = await read(server, manager)
    assert found["voxgate_generations_total", SCRIPTED, "ok"] == 1
    assert found["voxgate_generations_total", SCRIPTED, "engine_stalled"] == 1
    assert found["voxgate_tokens_total", SCRIPTED] == 3
    assert found["voxgate_audio_seconds_total", SCRIPTED] == 4
    assert found["voxgate_cost_dollars_total", SCRIPTED] == pytest.approx(0.04)
    assert found["voxgate_first_text_seconds_count", SCRIPTED] == 1
    assert found["voxgate_responses_total", "200"] >= 1
    assert found["voxgate_responses_total", "404"] == 1
    assert found[("voxgate_recordings",)] == 0
    assert found[("voxgate_recordings_limit",)] == server.settings.max_flights
    assert found[("voxgate_ready",)] == 1
    assert found[("voxgate_ledger_failures_total",)] == 0
    assert 0 < found["voxgate_disk_free_bytes", "home"] < found["voxgate_disk_size_bytes", "home"]
    assert not any("unknown" in label for labels in found for label in labels)


async def test_what_is_under_way_is_counted(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, Scripted(gate=gate)) as server:
        manager = await new_key(server, "manager", management=True)
        sounds = [encode(sample()[: (2 + number) * RATE], "note.flac") for number in range(3)]
        asked = [asyncio.create_task(server.post(recording(sound))) for sound in sounds]
        found = await read(server, manager)
        while found.get(("voxgate_waiting_windows", SCRIPTED)) != 2:
            found = await read(server, manager)
        assert found[("voxgate_recordings",)] == 3
        gate.open.set()
        await asyncio.gather(*asked)


async def test_a_ledger_that_fails_is_counted_with_what_it_does_not_have(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        manager = await new_key(server, "manager", management=True)
        async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
            lose = "ALTER TABLE generations RENAME TO lost"
            await ledger._database.write(lambda c: c.exec_driver_sql(lose))
        assert (await server.post(recording(SOUND))).status_code == 503
        found = await read(server, manager)
    assert found[("voxgate_unrecorded_outcomes",)] == 1
    assert found[("voxgate_ledger_failures_total",)] >= 2
    assert found[("voxgate_ready",)] == 1  # its keys can be read


async def test_only_management_keys_read_them(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        refused = await server.client.get(f"{server.url}/metrics")
        nobody = await server.client.get(f"{server.url}/metrics", headers={"Authorization": ""})
    assert (refused.status_code, nobody.status_code) == (403, 401)
    error_of(refused)
    error_of(nobody)
