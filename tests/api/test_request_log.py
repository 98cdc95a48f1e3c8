"""What the server logs: one line for each job and each refused request, without any secret."""

from __future__ import annotations

import asyncio
import logging
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import PATH, SCRIPTED, error_of, recording, serving
from tests.api.test_error_answers import LEDGER_FAILED
from tests.processes import until
from tests.scripted import Scripted
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.api.serving import Running
    from voxgate.ledger.address import Address

ID = r"gen-stt-\d{10}-[A-Za-z0-9]{20}"


class Lines(logging.Handler):
    """The lines that the server logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def one(self) -> str:
        """Return the only new line, without the id at its start."""
        (line,) = self.lines
        self.lines.clear()
        assert re.match(ID, line), line
        return line.partition(" ")[2]


@pytest.fixture
def log() -> Lines:
    return Lines()


@asynccontextmanager
async def logging_to(
    log: Lines, folder: Path, provider: Scripted | None = None, **settings: Any
) -> AsyncIterator[Running]:
    logger = logging.getLogger("voxgate.api")
    logger.addHandler(log)
    logger.setLevel(logging.INFO)
    try:
        async with serving(folder, provider, **settings) as server:
            log.lines.clear()
            yield server
    finally:
        logger.removeHandler(log)
        logger.setLevel(logging.NOTSET)


async def test_every_refused_request_is_one_line(tmp_path: Path, log: Lines) -> None:
    async with logging_to(log, tmp_path) as server:
        spoken = recording(prompt="a secret that was spoken")
        stranger = {"Authorization": "Bearer sk-vg-somebody"}
        refused = await server.post(spoken, headers=stranger)
        (line,) = log.lines
        assert line.startswith(refused.headers["x-request-id"])
        assert log.one() == f"127.0.0.1 - POST {PATH} 401 authentication"
        await server.post({**spoken, "model": "nobody/nothing"})
        assert log.one() == f"127.0.0.1 first POST {PATH} 404 model_not_found"
        await server.post({**spoken, "max_tokens": 0})
        assert log.one() == f"127.0.0.1 first POST {PATH} 400 invalid_request"
        await server.client.get("/generation", params={"id": server.key})
        assert log.one() == "127.0.0.1 first GET /api/v1/generation 404 not_found"
        missing = await server.client.get("/a%0Aline?key=secret")
        assert re.fullmatch(ID, missing.headers["x-request-id"])
        assert log.one() == "127.0.0.1 - GET /api/v1/a%0Aline 404 not_found"
        await server.client.get("/audio/transcriptions")
        assert log.one() == f"127.0.0.1 - GET {PATH} 405 method_not_allowed"
        await server.client.get("/models/nobody/nothing/endpoints")
        assert log.one().endswith("404 model_not_found")
        assert (await server.client.get("/models")).status_code == 200
        assert log.lines == []


async def test_a_job_is_one_line_however_it_ends(tmp_path: Path, log: Lines) -> None:
    async with logging_to(log, tmp_path) as server:
        assert (await server.post(recording())).status_code == 200
        made = rf"127\.0\.0\.1 first POST {PATH} 200 - {SCRIPTED} \d+\.\d s of sound in \d+\.\d s"
        assert re.fullmatch(made, log.one())
        assert (await server.post(recording(b"no sound at all"))).status_code == 400
        spoilt = rf"127\.0\.0\.1 first POST {PATH} 400 not_audio {SCRIPTED} in \d+\.\d s"
        assert re.fullmatch(spoilt, log.one())


async def test_a_request_that_joined_a_failed_job_is_a_line_too(tmp_path: Path, log: Lines) -> None:
    fail = asyncio.Event()

    async def fault(_: int) -> None:
        await fail.wait()
        raise RuntimeError("a bug")

    failing = Scripted(gate=fault)
    async with logging_to(log, tmp_path, failing) as server:
        both = [asyncio.create_task(server.post(recording())) for _ in range(2)]
        await until(lambda: failing.running == 1, "the work")
        fail.set()
        assert [(await each).status_code for each in both] == [500, 500]
        assert len([line for line in log.lines if " 500 internal_error" in line]) == 2


@pytest.mark.parametrize("table", ["keys", "generations"])
async def test_a_ledger_that_fails_is_explained_in_the_log_alone(
    tmp_path: Path, log: Lines, address: Address, table: str
) -> None:
    url = "" if address.path else address.url.render_as_string(hide_password=False)
    async with logging_to(log, tmp_path, database_url=url) as server:
        async with await Ledger.open(address) as ledger:
            await ledger._database.write(
                lambda c: c.exec_driver_sql(f"ALTER TABLE {table} RENAME TO lost")
            )
        authorised = {"Authorization": f"Bearer {server.key if table != 'keys' else 'anything'}"}
        requests = [("GET", "/generation?id=gen-1", None), ("POST", PATH[7:], recording())]
        for method, path, body in requests:
            answer = await server.client.request(method, path, json=body, headers=authorised)
            assert answer.status_code == 503
            assert error_of(answer)["message"] == LEDGER_FAILED
            assert error_of(answer)["metadata"]["code"] == "ledger_failed"
            why = f"{answer.headers['x-request-id']} The ledger {address} cannot be used: "
            assert len([line for line in log.lines if line.startswith(why)]) == 1
            log.lines.clear()


async def test_bytes_that_are_no_request_are_a_line(tmp_path: Path, log: Lines) -> None:
    async with logging_to(log, tmp_path) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(b"this is no HTTP\r\n\r\n")
        assert b"400" in await reader.readline()
        assert log.one() == "127.0.0.1 - - - 400 invalid_request"
        writer.close()
        await writer.wait_closed()
