"""An installed model from pull to unload: served, killed, loaded again, its memory freed."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.api.serving import Served, error_of, recording, served
from tests.cli.test_models_pull import run
from tests.hub import Hub, Repository
from tests.processes import alive, descendants, until
from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx2

    from tests.cli.command import CliRunner

NAME = "acme/digits"
SEED = 5
MEGABYTE = 2**20


@pytest.fixture
def cli(empty_cli: CliRunner) -> CliRunner:
    """Without any model: these tests look at everything in the home."""
    return empty_cli


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub().running() as running:
        running.repositories[NAME] = Repository.from_folder(CHECKPOINT)
        yield running


@pytest.fixture
def spoken(cli: CliRunner) -> Spoken:
    """Five spoken digits, saved as `five.wav` in the runner's folder."""
    rng = random.Random(SEED)
    digits = phrase(rng, takes()["george"], 5)
    digits.save(cli.folder / "five.wav")
    return digits


def curl(server: Served, file: Path, model: str = NAME) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *("curl", "-sS", f"{server.url}/api/v1/audio/transcriptions"),
            *("-H", f"Authorization: Bearer {server.key}"),
            *("-F", f"model={model}", "-F", f"file=@{file}", "-F", "response_format=text"),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )


async def test_pull_serve_and_transcribe(cli: CliRunner, hub: Hub, spoken: Spoken) -> None:
    code, _, stderr = await asyncio.to_thread(run, cli, hub, "pull", NAME)
    assert code == 0, stderr
    async with served(cli) as server:
        transcribed = await asyncio.to_thread(curl, server, cli.folder / "five.wav")
        assert transcribed.stdout.split() == spoken.text.split()
        revision = hub.repositories[NAME].commit
        origin = {"checkpoint": NAME, "revision": revision, "profile": "balanced"}
        response = await transcribe(server, cli.folder / "five.wav", NAME)
        assert response.json()["model"] == NAME
        assert response.json()["voxgate"] == origin
        endpoints = (await server.client.get(f"/models/{NAME}/endpoints")).json()["data"]
        assert endpoints["endpoints"][0]["voxgate"]["revision"] == revision
        remote = ("--server", server.url, "--key", server.key, "-m", NAME)
        for options in (remote, ("-m", NAME)):
            command = ("transcribe", cli.folder / "five.wav", "-f", "json", *options)
            done = await asyncio.to_thread(cli.run, *command)
            assert json.loads(done.stdout)["voxgate"] == origin, done.stderr
        listed = (await server.client.get("/models", params={"q": NAME})).json()["data"]
        assert [model["id"] for model in listed] == [NAME]
        assert listed[0]["voxgate"]["revision"] == revision
        assert (cli.folder / "home" / "models" / f"{NAME}@{revision[:12]}").is_dir()


async def test_a_bundle_installs_without_a_network(
    cli: CliRunner, hub: Hub, spoken: Spoken
) -> None:
    for command in (("pull", NAME), ("export", NAME, "digits.tar")):
        code, _, stderr = await asyncio.to_thread(run, cli, hub, *command)
        assert code == 0, stderr
    shutil.rmtree(cli.folder / "home")
    hub.repositories.clear()  # the hub has nothing to download any more
    code, _, stderr = await asyncio.to_thread(run, cli, hub, "import", "digits.tar")
    assert code == 0, stderr
    async with served(cli) as server:
        transcribed = await asyncio.to_thread(curl, server, cli.folder / "five.wav")
        assert transcribed.stdout.split() == spoken.text.split()


@pytest.fixture
def model(cli: CliRunner) -> str:
    done = cli.run("models", "add", CHECKPOINT, "--name", "digits")
    assert done.returncode == 0, done.stderr
    return "digits"


async def transcribe(
    server: Served, path: Path, model: str, name: str = "one.wav"
) -> httpx2.Response:
    """Post the file. Another `name` makes it another recording, which joins no earlier request."""
    files = {"file": (name, path.read_bytes(), "audio/wav")}
    return await server.client.post("/audio/transcriptions", data={"model": model}, files=files)


def engine_pids(server: Served) -> list[int]:
    def is_engine(pid: int) -> bool:
        try:
            return b"voxgate.engine\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return [pid for pid in descendants(server.process.pid) if is_engine(pid) and alive(pid)]


async def test_an_engine_is_killed_while_it_loads_and_while_it_works(
    cli: CliRunner, model: str, spoken: Spoken
) -> None:
    path = cli.folder / "five.wav"
    async with served(cli) as server:
        # While it loads: this request fails, the next one gets a new engine.
        first = asyncio.create_task(transcribe(server, path, model))
        await until(lambda: bool(engine_pids(server)), "a loading engine")
        os.kill(engine_pids(server)[0], signal.SIGKILL)
        failed = await first
        assert failed.status_code == 503
        assert "The server's log says why" in error_of(failed)["message"]
        await until(lambda: "ended by signal 9" in "\n".join(server.said), "the log's line")
        response = await transcribe(server, path, model)
        assert response.json()["text"].split() == spoken.text.split()
        # While it works: another engine gets the window, and the caller does not notice.
        (pid,) = engine_pids(server)
        requests = [
            asyncio.create_task(transcribe(server, path, model, f"{n}.wav")) for n in range(6)
        ]
        await until(lambda: any(task.done() for task in requests), "the first response")
        os.kill(pid, signal.SIGKILL)
        texts = {(await task).json().get("text", "").strip() for task in requests}
        assert texts == {spoken.text}
        assert await server.end() == 0
    assert not list((cli.folder / "home" / "run").iterdir())
    assert not list(cli.temp.iterdir())


async def test_the_first_request_waits_for_the_load_with_white_space(
    cli: CliRunner, model: str, spoken: Spoken
) -> None:
    body = recording((cli.folder / "five.wav").read_bytes(), model=model)
    async with served(cli, VOXGATE_FILLER_AFTER_S="0.1") as server:
        response = await server.client.post("/audio/transcriptions", json=body)
        assert response.status_code == 200
        assert response.content.startswith(b" ")
        assert response.json()["text"].split() == spoken.text.split()


async def test_requests_are_refused_until_the_model_is_loaded(
    cli: CliRunner, model: str, spoken: Spoken
) -> None:
    path, refused = cli.folder / "five.wav", 0
    async with served(cli, VOXGATE_WHILE_LOADING="refuse") as server:
        while (response := await transcribe(server, path, model)).status_code == 503:
            refused += 1
            assert error_of(response)["metadata"]["code"] == "model_loading"
            await asyncio.sleep(min(int(response.headers["retry-after"]), 2))
        assert refused > 0
        assert response.json()["text"].split() == spoken.text.split()


@pytest.mark.parametrize("times", [2, pytest.param(6, marks=pytest.mark.long)])
async def test_unloading_frees_the_memory(
    cli: CliRunner, model: str, spoken: Spoken, times: int
) -> None:
    """Counted over all processes of the server; a shared page counts by its share."""
    path = cli.folder / "five.wav"
    async with served(cli) as server:
        # The first request loads decoders and libraries, which stay when the model goes.
        assert (await transcribe(server, path, model)).status_code == 200
        before, grown = 0, list[int]()
        for repetition in range(times + 1):
            assert (await transcribe(server, path, model, f"{repetition}.wav")).status_code == 200
            assert proportional_bytes(server) > before + 100 * MEGABYTE
            done = await asyncio.to_thread(cli.run, "unload", model)
            assert done.returncode == 0, done.stderr
            if repetition == 0:
                before = proportional_bytes(server)
            else:
                grown.append(proportional_bytes(server) - before)
        print([round(growth / MEGABYTE, 1) for growth in grown])
        assert len(grown) == times
        assert max(grown) < 50 * MEGABYTE
        assert spoken


def proportional_bytes(server: Served) -> int:
    """Return the proportional set size of the server and all processes below it, in bytes."""
    total = 0
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:  # it has just exited
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


async def test_a_hundred_requests_of_three_keys_share_the_engine(
    cli: CliRunner, model: str
) -> None:
    """Every response is right; while all three keys have requests, each gets a third.

    Twenty recordings, five requests with each: the names differ, so no request joins another.
    """
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    speakers = list(takes().values())
    spoken = [phrase(rng, speakers[number % len(speakers)], 2) for number in range(20)]
    paths = [digits.save(cli.folder / f"{number}.wav") for number, digits in enumerate(spoken)]
    async with served(cli, "--preload", model) as server:
        expected = await transcribe_locally(cli, paths, model)
        keys = [server.key]
        for name in ("second", "third"):
            created = await asyncio.to_thread(cli.run, "keys", "create", "--name", name)
            keys.append(created.stdout.split()[-1])
        # One key sends more requests than the two others together, and sends them first.
        owners = [0] * 52 + [1] * 24 + [2] * 24
        order = list[int]()

        async def send(number: int) -> httpx2.Response:
            recorded = paths[number % len(paths)].read_bytes()
            response = await server.client.post(
                "/audio/transcriptions",
                data={"model": model, "response_format": "text"},
                files={"file": (f"request {number}.wav", recorded, "audio/wav")},
                headers={"Authorization": f"Bearer {keys[owners[number]]}"},
            )
            order.append(number)
            return response

        responses = await asyncio.gather(*map(send, range(100)))
        for number, response in enumerate(responses):
            assert response.status_code == 200, response.text
            assert response.text == expected[number % len(paths)], number
        finished = [owners[number] for number in order]
        totals = Counter(finished)
        assert totals.total() == 100  # refusals are tested in tests/api/test_jobs.py
        # From when every key has its first response until one of them has its last.
        start = max(finished.index(owner) for owner in totals)
        end = min(len(finished) - finished[::-1].index(owner) for owner in totals)
        shares = Counter(finished[start:end])
        print(dict(totals), start, end, dict(shares))
        mean = shares.total() / 3
        assert all(abs(share - mean) <= 0.2 * mean for share in shares.values()), shares


async def transcribe_locally(cli: CliRunner, paths: list[Path], model: str) -> list[str]:
    """Return the command line's text of each file, transcribed one after another."""
    out = cli.folder / "local"
    done = await asyncio.to_thread(cli.run, "transcribe", "-m", model, "-o", out, *paths)
    assert done.returncode == 0, done.stderr
    return [(out / f"{path.stem}.txt").read_text("utf-8") for path in paths]
