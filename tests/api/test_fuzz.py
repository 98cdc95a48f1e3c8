"""Requests mutated at every layer: each gets 200 or 4xx, and nothing is left behind.

`make fuzz` sends many more, by another seed each time. What a failure names can be sent alone:

    FUZZ_SEED=7 FUZZ_FIRST=123 FUZZ_CASES=1 python -m pytest tests/api/test_fuzz.py -s
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from typing import TYPE_CHECKING

import httpx2

from tests.api.mutations.caller import NoResponseError, RawResponse, call
from tests.api.mutations.cases import Case, case
from tests.api.mutations.sound import recordings
from tests.api.serving import PATH, SCRIPTED, error_of, recording, served, serving
from tests.processes import (
    busy_decoders,
    connections,
    lasting,
    open_but_ledger,
    scratch_files,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from tests.cli.command import CliRunner

SEED = int(os.environ.get("FUZZ_SEED") or 20_260)
FIRST = int(os.environ.get("FUZZ_FIRST") or 0)
CASES = int(os.environ.get("FUZZ_CASES") or 500)

MODEL = "Systran/faster-whisper-base"
REAL = 12  # of so many cases, one goes to the command and its engine
AT_ONCE = 8
HANG_S = 120.0  # with an engine beside it, on two busy cores
PATIENCE_S = 0.5
MOST_BYTES, MOST_S = 200_000, 30.0
SHOWN_BYTES = 600
MOST_FAILURES = 20


class Fuzz:
    """Sends cases to one server, and collects statuses and failures."""

    def __init__(self, url: str, key: str, pid: int, model: str) -> None:
        self.statuses = Counter[int]()
        self.left = 0  # connections that ended without an answer, which nobody was owed
        self.failures: list[str] = []
        self._port, self._key, self._pid, self._model = int(url.rpartition(":")[2]), key, pid, model

    async def run(self, cases: Iterator[Case], folder: Path) -> None:
        """Send the cases, and check what they leave behind; failed ones are written to `folder`."""
        for _ in range(2):  # what is opened once, for so many at once, is open by now
            await asyncio.gather(*(self._answers_well() for _ in range(AT_ONCE)))
        await self._rests()
        files, family = open_but_ledger(self._pid), lasting(self._pid)
        began = time.monotonic()
        await asyncio.gather(*(self._send(cases, folder) for _ in range(AT_ONCE)))
        seconds, count = time.monotonic() - began, self.statuses.total() + self.left
        print(f"\nFUZZ_SEED={SEED} {self._model}: {count} answers, {count / seconds:.0f} a second:")
        print(f"{dict(sorted(self.statuses.items()))}, {self.left} left")
        assert not self.failures, "\n\n".join(["", *self.failures])
        await self._rests()
        await until(lambda: not busy_decoders(self._pid), "the end of every decoder's work")
        await until(lambda: lasting(self._pid) == family, "the end of every other process")
        await until(lambda: open_but_ledger(self._pid) <= files, "the closing of every file")
        await self._answers_well()

    async def _send(self, cases: Iterator[Case], folder: Path) -> None:
        for one in cases:
            try:
                responses = await call(self._port, one.line.with_key(self._key), HANG_S)
                self.statuses.update(response.status for response in responses)
                self.left += not responses
                for response in responses:
                    check(response)
                assert not one.is_good or [response.status for response in responses] == [200], (
                    responses
                )
            except (AssertionError, NoResponseError, ValueError, KeyError) as error:
                what = f"{one}\n{type(error).__name__}: {error}\n{sent(one, folder)}"
                self.failures.append(what)
                if len(self.failures) == MOST_FAILURES:
                    return

    async def _rests(self) -> None:
        await until(lambda: not connections(self._port), "the end of every connection")

    async def _answers_well(self) -> None:
        """Good requests, as many as come at once."""
        sound = recordings()["a.flac"]
        bodies = [recording(sound, model=self._model, user=str(n)) for n in range(AT_ONCE)]
        url, headers = (
            f"http://127.0.0.1:{self._port}{PATH}",
            {"Authorization": f"Bearer {self._key}"},
        )
        async with httpx2.AsyncClient(headers=headers, timeout=HANG_S) as client:
            answers = await asyncio.gather(*(client.post(url, json=body) for body in bodies))
        assert {answer.status_code for answer in answers} == {200}


def cases(model: str, *, real: bool) -> Iterator[Case]:
    """This run's cases for the command (`real`), or the others."""
    numbers = range(FIRST, FIRST + CASES)
    return (case(SEED, n, model) for n in numbers if (n % REAL == 0) == real)


def check(raw: RawResponse) -> None:
    """Check that a response is a transcript, or an error with a 4xx status."""
    assert b"Traceback" not in raw.body
    response = httpx2.Response(raw.status, headers=raw.headers, content=raw.body)
    if raw.status != 200:
        assert 400 <= raw.status < 500, raw
        assert error_of(response)["code"] == raw.status
    elif response.headers["content-type"] == "application/json":
        body = json.loads(raw.body)
        assert "text" in body or 400 <= error_of(response)["code"] < 500  # behind white space
    elif response.headers["content-type"].startswith("text/event-stream"):
        assert b'.done", "text": "' in raw.body
        assert raw.body.endswith(b"}\n\n") or raw.body.endswith(b"[DONE]\n\n")


def sent(one: Case, folder: Path) -> str:
    """A case's bytes, or the file with them. They do not contain the server's key."""
    raw = one.line.raw
    if len(raw) <= SHOWN_BYTES:
        return repr(raw)
    folder.mkdir(exist_ok=True)
    path = folder / f"{one.seed}-{one.number}.http"
    path.write_bytes(raw)
    return f"its bytes are in {path}"


def test_a_case_depends_on_its_seed_and_number_alone() -> None:
    made = [case(SEED, number, SCRIPTED) for number in range(1000)]
    assert made == [case(SEED, number, SCRIPTED) for number in range(1000)]
    assert made != [case(SEED + 1, number, SCRIPTED) for number in range(1000)]
    assert len({one.line.raw for one in made}) > 700


async def test_a_scripted_server(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(
        tmp_path,
        max_upload_bytes=MOST_BYTES,
        max_upload_s=MOST_S,
        body_patience_s=PATIENCE_S,
    ) as server:
        await server.client.aclose()
        fuzz = Fuzz(server.url, server.key, os.getpid(), SCRIPTED)
        await fuzz.run(cases(SCRIPTED, real=False), tmp_path / "failed")
        assert not scratch_files(server.settings.spool_dir)
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
    if CASES >= 500:  # or it was no fuzz
        assert {200, 400, 401, 404, 408, 413, 415} <= fuzz.statuses.keys()


async def test_the_command_with_its_engine(cli: CliRunner, tmp_path: Path) -> None:
    limits = {
        "VOXGATE_MAX_UPLOAD_BYTES": f"{MOST_BYTES}",
        "VOXGATE_MAX_UPLOAD_S": f"{MOST_S}",
        "VOXGATE_BODY_PATIENCE_S": f"{PATIENCE_S}",
        "VOXGATE_SPOOL_DIR": str(tmp_path / "spool"),
    }
    cli.settings.update(limits)
    async with served(cli, "--preload", MODEL) as server:
        fuzz = Fuzz(server.url, server.key, server.process.pid, MODEL)
        await fuzz.run(cases(MODEL, real=True), tmp_path / "failed")
        assert not scratch_files(tmp_path / "spool", server.process.pid)
        assert await server.end() == 0
        said = "\n".join(server.said)
        assert "Traceback" not in said, said[said.index("Traceback") :]
