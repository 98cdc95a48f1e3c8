"""Canaries in real servers: what they measure, what it changes, and what they leave alone."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import SCRIPTED, Gate, Running, new_key, recording, serving, with_key
from tests.api.test_metrics import read
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from tests.websites import Web, response, web
from voxgate.errors import UpstreamError
from voxgate.evaluation import known_sentence
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.session import Session
from voxgate.prices import PriceList, parse_prices
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.ledger.canary_results import CanaryResult

MODEL = "someone/whisper"
LOCAL = f"local/{SCRIPTED}"
FREE, DEAR = "free/x", "dear/y"
GARBLED = "nothing of the kind was ever said by anybody in this place"
INTERVAL: dict[str, Any] = {"canary_every_s": 3600.0}


class Rounds:
    """The clock of a server's canaries: a round begins when the test wants it."""

    def __init__(self) -> None:
        self.waits = list[float]()
        self._waiting, self._begin = asyncio.Event(), asyncio.Semaphore(0)

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._waiting.set()
        await self._begin.acquire()

    async def begin(self) -> None:
        """Begin a round."""
        await self._waiting.wait()
        self._waiting.clear()
        self._begin.release()

    async def run(self, count: int = 1) -> None:
        """Let so many rounds begin and end."""
        for _ in range(count):
            await self.begin()
            await self._waiting.wait()


def says_the_sentence(*_: object) -> str:
    return known_sentence.text()


async def results(server: Running) -> dict[str, list[CanaryResult]]:
    async with await Ledger.open(server.settings.home / LEDGER_FILE) as ledger:
        return await ledger.canaries.load()


def rows(server: Running, table: str) -> int:
    with closing(sqlite3.connect(server.settings.home / LEDGER_FILE)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    return int(count)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of canaries."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("voxgate.canaries") and record.levelno >= logging.WARNING
    ]


class Upstreams:
    """Two upstreams with one model, of which the second one has a price."""

    def __init__(self, site: Web) -> None:
        self.site = site
        at = f"http://127.0.0.1:{site.port}"
        free, dear = (Upstream(name, "compatible", f"{at}/{name}") for name in ("free", "dear"))
        entries = (Endpoint(MODEL, free, "x"), Endpoint(MODEL, dear, "y"))
        prices = parse_prices(f"{MODEL} = 0.36/hour", "this test")
        (price,) = prices.entries
        self.settings: dict[str, Any] = {
            "endpoints": EndpointList((free, dear), entries),
            "prices": PriceList((replace(price, provider="dear"),)),
        }
        for name in ("free", "dear"):
            self.answer(name, known_sentence.text())

    def answer(self, name: str, text: str) -> None:
        """Let an upstream write this text from now on."""
        body = json.dumps({"text": text}).encode()
        path = f"/{name}/audio/transcriptions"
        self.site.answers[path] = response(200, body, content_type="application/json")

    def asked(self) -> list[str]:
        """Return who was asked since the last time."""
        paths = [head.split("/")[1] for head in self.site.heads]
        self.site.heads.clear()
        return paths


async def facts(server: Running, slug: str) -> dict[str, Any]:
    """Return what clients are told of an endpoint's canaries."""
    answer = await server.client.get(f"/models/{MODEL}/endpoints")
    (found,) = [each for each in answer.json()["data"]["endpoints"] if each["tag"] == slug]
    canary: dict[str, Any] = found["voxgate"]["canary"]
    return canary


async def test_an_endpoint_whose_text_gets_worse_is_asked_last_until_it_is_good_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rounds = Rounds()
    async with web() as site:
        upstreams = Upstreams(site)
        settings = upstreams.settings | INTERVAL
        async with serving(tmp_path, session=Session, wait=rounds, **settings) as server:
            manager = await new_key(server, "manager", management=True)
            await rounds.run(5)
            assert upstreams.asked() == ["free", "dear"] * 5
            upstreams.answer("free", GARBLED)
            await rounds.run(2)
            assert not said(caplog)
            await rounds.run(2)
            (warning,) = said(caplog)
            assert warning.startswith(f"{FREE} regressed: its word error rate is 9")
            assert (rows(server, "generations"), rows(server, "usage_days")) == (0, 0)

            upstreams.asked()
            answered = await server.post(recording(model=MODEL))
            assert answered.json()["text"] == known_sentence.text()
            assert upstreams.asked() == ["dear"]
            metrics = await read(server, manager)
            assert metrics["voxgate_canary_regressed", FREE] == 1
            assert metrics["voxgate_canary_regressed", DEAR] == 0
            assert metrics["voxgate_canary_word_error_rate", FREE] > 0.8
            assert metrics["voxgate_canary_word_error_rate", DEAR] == 0
            dear = await facts(server, DEAR)
            assert (dear["regressed"], dear["word_error_rate"], dear["coverage"]) == (False, 0, 1)
            assert (dear["cost_per_audio_hour"], dear["recordings"]) == (0.36, 1)
            assert dear["real_time_factor"] > 0

        again = Rounds()
        async with serving(tmp_path, session=Session, wait=again, **settings) as server:
            caplog.clear()
            assert (await facts(server, FREE))["regressed"], "a restart forgot it"
            upstreams.answer("free", known_sentence.text())
            await again.run()
            assert [each for each in said(caplog) if "no longer" in each] == [
                f"{FREE} is no longer regressed."
            ]
            assert not (await facts(server, FREE))["regressed"]
            upstreams.asked()
            key = with_key(await new_key(server, "caller"))
            assert (await server.post(recording(model=MODEL), headers=key)).status_code == 200
            assert upstreams.asked() == ["free"]
    assert all(0.75 * 3600 <= seconds <= 1.25 * 3600 for seconds in rounds.waits)
    assert len(set(rounds.waits)) == len(rounds.waits)


async def test_an_engine_is_asked_where_it_is_loaded_and_in_use(tmp_path: Path) -> None:
    rounds = Rounds()
    provider = Scripted(says=says_the_sentence, revision="c0ffee", profile="fast")
    async with serving(tmp_path, provider, wait=rounds, **INTERVAL) as server:
        await rounds.run()
        assert provider.windows == []  # its engine was never wanted
        await server.post(recording())
        await rounds.run()
        (measured,) = (await results(server))[LOCAL]
        assert (measured.errors, measured.reference, measured.without_text) == (0, 32, 0)
        assert (measured.revision, measured.profile) == ("c0ffee", "fast")
        asked = len(provider.windows)
        await rounds.run()
        assert len(provider.windows) == asked  # nobody else used it meanwhile
        await server.post(recording(temperature=0.3))
        provider.alive = False
        await rounds.run()
        assert len(provider.windows) == asked + 1
        assert rows(server, "generations") == 2


async def test_broken_recordings_and_endpoints_are_results_and_the_next_round_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, folder = Rounds(), tmp_path / "canaries"
    folder.mkdir()
    for name, sound in {"good": SAMPLE.read_bytes(), "broken": b"fLaC and no more"}.items():
        (folder / f"{name}.flac").write_bytes(sound)
        (folder / f"{name}.txt").write_text(known_sentence.text(), "utf-8")
    provider = Scripted(says=says_the_sentence)
    settings = {**INTERVAL, "canary_folder": str(folder)}
    async with serving(tmp_path, provider, wait=rounds, **settings) as server:
        for number in range(3):
            await server.post(recording(temperature=number / 10))
            if number == 1:
                provider.script({0: [UpstreamError("It broke.") for _ in range(3)]})
            await rounds.run()
        good, failed, again = (await results(server))[LOCAL]
    for each in (good, again):
        assert (each.recordings, each.failed, each.errors, each.spoken) == (1, 0, 0, 1)
    assert (failed.recordings, failed.failed, failed.reference) == (0, 1, 0)
    assert good.digest == failed.digest == again.digest
    assert sum("cannot be sent" in each for each in said(caplog)) == 3
    assert sum(f"{LOCAL} failed at a canary: It broke." in each for each in said(caplog)) == 1


async def test_a_folder_or_ledger_that_cannot_be_read_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, folder = Rounds(), tmp_path / "canaries"
    provider = Scripted(says=says_the_sentence)
    settings = {**INTERVAL, "canary_folder": str(folder)}
    async with serving(tmp_path, provider, wait=rounds, **settings) as server:
        await server.post(recording())
        assert f"no canaries are sent: 'canary_folder' is {folder}" in said(caplog)[0]
        await rounds.run()
        folder.mkdir()
        (folder / "a.flac").write_bytes(SAMPLE.read_bytes())
        (folder / "a.txt").write_text(known_sentence.text(), "utf-8")
        path = server.settings.home / LEDGER_FILE
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE canaries RENAME TO lost")
        await rounds.run()
        assert "a result of canaries is not kept" in said(caplog)[-1]
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE lost RENAME TO canaries")
        await server.post(recording(temperature=0.3))
        await rounds.run()
        assert len((await results(server))[LOCAL]) == 1


async def test_a_recording_that_is_deleted_meanwhile_ends_one_round(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rounds, folder = Rounds(), tmp_path / "canaries"
    folder.mkdir()
    (folder / "a.txt").write_text(known_sentence.text(), "utf-8")
    (folder / "a.flac").write_bytes(SAMPLE.read_bytes())
    deletes = False

    def says(*_: object) -> str:
        if deletes:
            (folder / "a.flac").unlink()
        return known_sentence.text()

    settings = {**INTERVAL, "canary_folder": str(folder)}
    async with serving(tmp_path, Scripted(says=says), wait=rounds, **settings) as server:
        await server.post(recording())
        deletes = True
        await rounds.run()
        assert "a round of canaries ended early" in said(caplog)[-1]
        deletes = False
        (folder / "a.flac").write_bytes(SAMPLE.read_bytes())
        await server.post(recording(temperature=0.3))
        await rounds.run()
        assert len((await results(server))[LOCAL]) == 1


async def test_the_end_of_a_server_does_not_wait_for_a_canary(tmp_path: Path) -> None:
    rounds, gate = Rounds(), Gate()
    gate.open.set()
    provider = Scripted(says=says_the_sentence, gate=gate)
    async with serving(tmp_path, provider, wait=rounds, **INTERVAL) as server:
        await server.post(recording())
        gate.open.clear()  # for good
        await rounds.begin()
        await until(lambda: provider.running == 1, "the canary")
        server.server.stop()
    assert provider.running == 0


@pytest.mark.parametrize("interval", [{}, {"canary_every_s": 0.0}])
async def test_by_default_none_is_sent(tmp_path: Path, interval: dict[str, Any]) -> None:
    rounds = Rounds()
    async with serving(tmp_path, wait=rounds, **interval) as server:
        await server.post(recording())
    assert rounds.waits == []


async def test_without_the_extra_none_is_sent_and_one_sentence_says_how_to_install_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = Rounds()
    monkeypatch.setattr("voxgate.canaries.schedule.find_spec", lambda _: None)
    async with serving(tmp_path, wait=rounds, **INTERVAL) as server:
        await server.post(recording())
    (sentence,) = said(caplog)
    assert sentence.startswith("no canaries are sent: 'canary_every_s' needs jiwer, whisper_norm")
    assert "[eval]" in sentence
    assert rounds.waits == []
