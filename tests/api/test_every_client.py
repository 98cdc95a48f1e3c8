"""Each client, unmodified, reads every kind of answer, and has its own class for every failure."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import Running, send_partial, serving
from tests.clients.client import (
    LANGCHAIN,
    LITELLM,
    LITELLM_MISTRAL,
    LLAMAINDEX,
    MISTRAL,
    NODE_MISTRAL,
    NODE_OPENAI,
    NODE_OPENROUTER,
    OPENAI,
    OPENAI_1,
    OPENROUTER,
    SCRIPTS,
    VERCEL_MISTRAL,
    VERCEL_OPENAI,
    Client,
)
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, SAMPLE, encode, sample
from voxgate import errors
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.transcript.values import Options

EVERY: tuple[tuple[Client, ...], ...] = (  # those of one tuple share a process
    (OPENROUTER,),
    (OPENAI,),
    (OPENAI_1,),
    (MISTRAL,),
    (NODE_OPENROUTER,),
    (NODE_OPENAI,),
    (NODE_MISTRAL,),
    (VERCEL_OPENAI, VERCEL_MISTRAL),
    (LITELLM, LITELLM_MISTRAL),
)
PER_KEY = 4
WINDOW_S = 5.0  # the sample has three windows, cut at its pauses
PIECES = ("One, two.", "trois été", "four")
SAYS = " ".join(PIECES)
WORDS = SAYS.split()
DIED = "The engine ended. Try again."  # which the log has
SENTENCES = {
    400: "does not know the language 'Esperanto (eo)'. It knows: en, de.",
    401: "The key is not valid here",
    402: "0 s of this key's limit of 0 s in all is left",
    404: "No model is called 'scripted/two'.",
    413: "VOXGATE_MAX_UPLOAD_BYTES",
    429: f"This key has {PER_KEY} recordings under way, as many as it may.",
    503: errors.PUBLIC_SENTENCES["engine_died"],
}


def says(window: int, options: Options) -> str:
    """Fail for every German recording, as an engine that dies of it."""
    if options.language == "de":
        raise errors.EngineError(DIED, code="engine_died")
    return "A word." if options.task == "translate" else PIECES[window]


@dataclass(frozen=True)
class Site:
    """A server, a key that has as many recordings under way as it may, and recordings."""

    server: Running
    busy: str
    poor: str  # a key with a budget of one sample
    silence: Path
    wav: Path
    large: Path  # larger than the server accepts, and than what sockets' buffers hold


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("clients")
    silence, wav, large = (folder / name for name in ("silence.flac", "note.wav", "large.flac"))
    silence.write_bytes(encode(sample() * 0, "silence.flac"))
    wav.write_bytes(encode(sample(), "note.wav"))
    large.write_bytes(SAMPLE.read_bytes() * 100)
    limits: dict[str, Any] = {"max_upload_bytes": 2**20, "max_flights_per_key": PER_KEY}
    provider = Scripted(window_s=WINDOW_S, says=says, translates=True)
    async with (
        serving(folder, provider, body_patience_s=3600, **limits) as server,
        await Ledger.open(server.settings.home / "ledger.sqlite3") as ledger,
        AsyncExitStack() as uploads,
    ):
        _, busy = await ledger.keys.create("busy")
        for _ in range(PER_KEY):
            _, writer = await send_partial(replace(server, key=busy), b"{", 100)
            uploads.callback(writer.close)
        key, poor = await ledger.keys.create("poor")
        await ledger.keys.edit(key.hash, limit_nanodollars=None, limit_samples=1, reset=None)
        yield Site(server, busy, poor, silence, wav, large)


def answered(client: Client, site: Site) -> dict[Any, dict[str, Any]]:
    """What the client is asked to do that succeeds, by the kind of the answer."""
    client, server = client.repeating_nothing(), site.server
    asked = {
        "plain": client.transcription(server),
        "silence": client.transcription(server, site.silence),
    }
    for kind in ("verbose", "words", "stream"):
        options = getattr(client, kind)
        if options is not None:
            name = client.streams if kind == "stream" else ""
            asked[kind] = client.transcription(server, name=name, **options)
    if client.translate:
        asked["translation"] = client.transcription(server, name=client.translate)
    return asked


def failing(client: Client, site: Site) -> dict[int, dict[str, Any]]:
    """A call for each status. Of those that can pass, the client must not repeat the request."""
    server, once = site.server, client.repeating_nothing()
    return {
        400: client.transcription(server, language="eo"),
        401: {**client.transcription(server), "key": "sk-vg-nobody"},
        402: {**client.transcription(server), "key": site.poor},
        404: client.transcription(server, model="scripted/two"),
        413: client.transcription(server, site.large),
        429: {**once.transcription(server), "key": site.busy},
        503: once.transcription(server, language="de"),
    }


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("clients", EVERY, ids=lambda clients: clients[0].name)
async def test_a_client_reads_every_answer(site: Site, clients: tuple[Client, ...]) -> None:
    asked = [{**answered(client, site), **failing(client, site)} for client in clients]
    said = iter(await clients[0].do(*(call for calls in asked for call in calls.values())))
    for client, calls in zip(clients, asked, strict=True):
        reads(client, {kind: next(said) for kind in calls})


def reads(client: Client, told: dict[Any, dict[str, Any]]) -> None:
    """Look at what a client made of each answer."""
    for status, sentence in SENTENCES.items():
        client.raised(told[status], status, sentence)
        assert told[status].get("requests", 1) == 1
    answers = {kind: answer for kind, answer in told.items() if kind not in SENTENCES}
    assert all("value" in answer for answer in answers.values()), answers
    values = {kind: answer["value"] for kind, answer in answers.items()}
    assert values["plain"]["text"] == SAYS
    assert values["silence"]["text"] == ""
    if "verbose" in values:
        assert values["verbose"]["text"] == SAYS
        assert texts(values["verbose"]["segments"]) == list(PIECES)
    if "words" in values:
        assert values["words"]["text"] == SAYS
        assert texts(values["words"].get("words") or values["words"]["segments"]) == WORDS
    if "stream" in values:
        assert sums(values["stream"]) == (SAYS, SAYS)
    if "translation" in values:
        assert values["translation"]["text"] == "A word. A word. A word."


def texts(timed: list[dict[str, Any]]) -> list[str]:
    """The texts of segments or words, after a look at their times."""
    begin, end = ("startSecond", "endSecond") if "startSecond" in timed[0] else ("start", "end")
    times = [(each[begin], each[end]) for each in timed]
    assert times == sorted(times)
    assert all(start < stop for start, stop in times)
    return [each["word"] if "word" in each else each["text"] for each in timed]


def sums(events: list[dict[str, Any]]) -> tuple[str, str]:
    """The sum of a stream's deltas, and the text of its last event."""
    data = [event.get("data", event) for event in events]
    deltas = [each for each in data if each["type"].endswith(".text.delta")]
    assert len(deltas) == len(PIECES)
    added = [each["delta"] if "delta" in each else each["text"] for each in deltas]
    return "".join(added), data[-1]["text"]


def test_the_page_names_the_versions_that_are_tested() -> None:
    page = (SCRIPTS.parents[1] / "docs" / "api.md").read_text("utf-8")
    installed = {path.stem: path.read_text("utf-8").split()[0] for path in SCRIPTS.glob("*.txt")}
    del installed["node"]
    versions = [pin.partition("==")[2] for pin in installed.values()]
    for path in SCRIPTS.glob("node_*/package.json"):
        versions += json.loads(path.read_text("utf-8"))["dependencies"].values()
    assert len(versions) == len(installed) + 6
    for version in versions:
        assert version in page


@pytest.mark.asyncio(loop_scope="module")
async def test_the_readers_of_other_libraries_have_the_text(site: Site) -> None:
    """Both ask for a text alone. LangChain's raises nothing: it prints what failed, three times."""
    server = site.server
    failures = failing(LLAMAINDEX, site)
    reader, parser = await asyncio.gather(
        LLAMAINDEX.do(LLAMAINDEX.transcription(server), *failures.values()),
        LANGCHAIN.do(
            LANGCHAIN.transcription(server, file=site.wav),
            LANGCHAIN.transcription(server, file=site.wav, language="eo"),
        ),
    )
    lines = "".join(f"{piece}\n" for piece in PIECES)
    assert reader[0]["value"]["text"] == lines
    for status, answer in zip(failures, reader[1:], strict=True):
        LLAMAINDEX.raised(answer, status, SENTENCES[status])
    assert parser[0]["value"]["text"] == SAYS
    assert parser[1]["value"]["text"] == ""
    assert parser[1]["message"].count(SENTENCES[400]) == 3


@pytest.mark.parametrize("client", [OPENAI, NODE_OPENAI], ids=lambda client: client.name)
async def test_a_stream_that_is_left_early_frees_the_engine(tmp_path: Path, client: Client) -> None:
    """It has a second window without an end, and the client's next call waits for its end."""
    short = tmp_path / "short.flac"
    short.write_bytes(encode(sample()[: 3 * RATE], "short.flac"))
    second = asyncio.Event()

    def gate(window: int) -> object:
        if provider.options[-1].language:
            return until(lambda: provider.running == 1, "the end of what was left")
        if window == 0:
            return second.wait()
        second.set()
        return asyncio.Event().wait()

    provider = Scripted(window_s=WINDOW_S, says=says, gate=gate, concurrency=2)
    async with serving(tmp_path, provider) as server:
        left = {**client.transcription(server, stream=True), "most": 1}
        first, other = await client.do(left, client.transcription(server, short, language="en"))
    assert [event["delta"] for event in first["value"]] == [PIECES[0]]
    assert other["value"]["text"] == PIECES[0]
