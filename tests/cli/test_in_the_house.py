"""A model's whole life, as its users see it: got, named, loaded, asked, killed, unloaded."""

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

    from tests.cli.command import Place

NAME = "acme/digits"
SEED = 5
MEGABYTE = 2**20


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub().running() as running:
        running.repositories[NAME] = Repository.from_folder(CHECKPOINT)
        yield running


@pytest.fixture
def spoken(at: Place) -> Spoken:
    """Five digits, one of them after another; saved beside as `five.wav`."""
    rng = random.Random(SEED)
    made = phrase(rng, takes()["george"], 5)
    made.save(at.folder / "five.wav")
    return made


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


async def test_from_nothing_to_words_in_three_commands(at: Place, hub: Hub, spoken: Spoken) -> None:
    code, _, said = await asyncio.to_thread(run, at, hub, "pull", NAME)
    assert code == 0, said
    async with served(at) as server:
        heard = await asyncio.to_thread(curl, server, at.folder / "five.wav")
        assert heard.stdout.split() == spoken.text.split()
        revision = hub.repositories[NAME].commit
        origin = {"checkpoint": NAME, "revision": revision, "profile": "balanced"}
        answer = await ask(server, at.folder / "five.wav", NAME)
        assert answer.json()["model"] == NAME
        assert answer.json()["voxgate"] == origin
        endpoints = (await server.client.get(f"/models/{NAME}/endpoints")).json()["data"]
        assert endpoints["endpoints"][0]["voxgate"]["revision"] == revision
        far = ("--server", server.url, "--key", server.key, "-m", NAME)
        for where in (far, ("-m", NAME)):
            command = ("transcribe", at.folder / "five.wav", "-f", "json", *where)
            done = await asyncio.to_thread(at.run, *command)
            assert json.loads(done.stdout)["voxgate"] == origin, done.stderr
        listed = (await server.client.get("/models", params={"q": NAME})).json()["data"]
        assert [model["id"] for model in listed] == [NAME]
        assert listed[0]["voxgate"]["revision"] == revision
        assert (at.folder / "home" / "models" / f"{NAME}@{revision[:12]}").is_dir()


async def test_and_by_one_file_where_there_is_no_network(
    at: Place, hub: Hub, spoken: Spoken
) -> None:
    for command in (("pull", NAME), ("export", NAME, "digits.tar")):
        code, _, said = await asyncio.to_thread(run, at, hub, *command)
        assert code == 0, said
    shutil.rmtree(at.folder / "home")
    hub.repositories.clear()  # nobody may be asked any more
    code, _, said = await asyncio.to_thread(run, at, hub, "import", "digits.tar")
    assert code == 0, said
    async with served(at) as server:
        heard = await asyncio.to_thread(curl, server, at.folder / "five.wav")
        assert heard.stdout.split() == spoken.text.split()


@pytest.fixture
def added(at: Place) -> str:
    done = at.run("models", "add", CHECKPOINT, "--name", "digits")
    assert done.returncode == 0, done.stderr
    return "digits"


async def ask(server: Served, path: Path, model: str, name: str = "one.wav") -> httpx2.Response:
    """A form of its own name is a recording of its own."""
    files = {"file": (name, path.read_bytes(), "audio/wav")}
    return await server.client.post("/audio/transcriptions", data={"model": model}, files=files)


def engines(server: Served) -> list[int]:
    def is_engine(pid: int) -> bool:
        try:
            return b"voxgate.engine\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False

    return [pid for pid in descendants(server.process.pid) if is_engine(pid) and alive(pid)]


async def test_kill_9_during_a_load_and_a_request(at: Place, added: str, spoken: Spoken) -> None:
    path = at.folder / "five.wav"
    async with served(at) as server:
        # While it loads: this request hears it, the next one meets a new engine.
        first = asyncio.create_task(ask(server, path, added))
        await until(lambda: bool(engines(server)), "an engine that loads")
        os.kill(engines(server)[0], signal.SIGKILL)
        broken = await first
        assert broken.status_code == 503
        assert "ended by signal 9" in error_of(broken)["message"]
        answer = await ask(server, path, added)
        assert answer.json()["text"].split() == spoken.text.split()
        # While it works: the window is given to another engine, and the caller sees nothing of it.
        (pid,) = engines(server)
        work = [asyncio.create_task(ask(server, path, added, f"{n}.wav")) for n in range(6)]
        await until(lambda: any(task.done() for task in work), "the first answer")
        os.kill(pid, signal.SIGKILL)
        texts = {(await task).json().get("text", "").strip() for task in work}
        assert texts == {spoken.text}
        assert await server.end() == 0
    assert not list((at.folder / "home" / "run").iterdir())
    assert not list(at.temp.iterdir())


async def test_the_first_request_waits_for_the_load_with_white_space(
    at: Place, added: str, spoken: Spoken
) -> None:
    body = recording((at.folder / "five.wav").read_bytes(), model=added)
    async with served(at, VOXGATE_FILLER_AFTER_S="0.1") as server:
        answer = await server.client.post("/audio/transcriptions", json=body)
        assert answer.status_code == 200
        assert answer.content.startswith(b" ")
        assert answer.json()["text"].split() == spoken.text.split()


async def test_or_is_sent_away_until_it_is_loaded(at: Place, added: str, spoken: Spoken) -> None:
    path, refused = at.folder / "five.wav", 0
    async with served(at, VOXGATE_WHILE_LOADING="refuse") as server:
        while (answer := await ask(server, path, added)).status_code == 503:
            refused += 1
            assert error_of(answer)["metadata"]["code"] == "model_loading"
            await asyncio.sleep(min(int(answer.headers["retry-after"]), 2))
        assert refused > 0
        assert answer.json()["text"].split() == spoken.text.split()


@pytest.mark.parametrize("times", [2, pytest.param(10, marks=pytest.mark.long)])
async def test_memory_comes_back(at: Place, added: str, spoken: Spoken, times: int) -> None:
    """Of all processes of the server, shared pages counted by their share."""
    path = at.folder / "five.wav"
    async with served(at) as server:
        # Decoders and libraries that are loaded once are no part of a model.
        assert (await ask(server, path, added)).status_code == 200
        before, grown = 0, list[int]()
        for turn in range(times + 1):
            assert (await ask(server, path, added, f"{turn}.wav")).status_code == 200
            assert proportional(server) > before + 100 * MEGABYTE
            done = await asyncio.to_thread(at.run, "unload", added)
            assert done.returncode == 0, done.stderr
            if turn == 0:
                before = proportional(server)
            else:
                grown.append(proportional(server) - before)
        print([round(growth / MEGABYTE, 1) for growth in grown])
        assert len(grown) == times
        assert max(grown) < 50 * MEGABYTE
        assert spoken


def proportional(server: Served) -> int:
    """Bytes of the server and everybody below it."""
    total = 0
    for pid in [server.process.pid, *descendants(server.process.pid)]:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:  # it has just ended
            continue
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


@pytest.mark.long
async def test_a_hundred_requests_of_three_keys(at: Place, added: str) -> None:
    """All are answered right; while all three have work, each gets its third."""
    rng = random.Random(SEED)
    print(f"seed {SEED}")
    speakers = list(takes().values())
    spoken = [phrase(rng, speakers[number % len(speakers)], 2) for number in range(100)]
    paths = [each.save(at.folder / f"{number}.wav") for number, each in enumerate(spoken)]
    async with served(at, "--preload", added) as server:
        expected = await apart(at, paths, added)
        keys = [server.key]
        for name in ("second", "third"):
            made = await asyncio.to_thread(at.run, "keys", "create", "--name", name)
            keys.append(made.stdout.split()[-1])
        # One asks for more than the two others together, and before them.
        owners = [0] * 52 + [1] * 24 + [2] * 24
        order = list[int]()

        async def one(number: int) -> httpx2.Response:
            answer = await server.client.post(
                "/audio/transcriptions",
                data={"model": added, "response_format": "text"},
                files={"file": (paths[number].name, paths[number].read_bytes(), "audio/wav")},
                headers={"Authorization": f"Bearer {keys[owners[number]]}"},
            )
            order.append(number)
            return answer

        answers = await asyncio.gather(*map(one, range(100)))
        for number, answer in enumerate(answers):
            assert answer.status_code == 200, answer.text
            assert answer.text == expected[number], paths[number]
        done = [owners[number] for number in order]
        wanted = Counter(done)
        assert wanted.total() == 100  # refusals are tested in tests/api/test_jobs.py
        # From when each had its first answer, until one of them had its last.
        start = max(done.index(owner) for owner in wanted)
        end = min(len(done) - done[::-1].index(owner) for owner in wanted)
        shares = Counter(done[start:end])
        print(dict(wanted), start, end, dict(shares))
        mean = shares.total() / 3
        assert all(abs(share - mean) <= 0.2 * mean for share in shares.values()), shares


async def apart(at: Place, paths: list[Path], model: str) -> list[str]:
    """What the command line hears in each, one after another."""
    out = at.folder / "apart"
    done = await asyncio.to_thread(at.run, "transcribe", "-m", model, "-o", out, *paths)
    assert done.returncode == 0, done.stderr
    return [(out / f"{path.stem}.txt").read_text("utf-8") for path in paths]
