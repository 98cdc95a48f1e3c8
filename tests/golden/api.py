"""What the server answers: requests in every dialect, and the errors it knows."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.api.serving import ABSENT, ALIAS, SCRIPTED, Running, recording, serving
from tests.cli.command import clip, write_wav
from tests.golden.cases import Case, case
from tests.golden.names import engine_died, model_loading
from tests.processes import until
from tests.scripted import Scripted

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

REVISION = "0123456789abcdef0123456789abcdef01234567"
POST = "/audio/transcriptions"
TEXT = "Alpha beta, gamma delta. Epsilon"
DROPPED = {"date", "content-length"}  # the length follows the sentences
MISTRAL = {"User-Agent": "mistral-client-python/3.7.0"}
EVENTS = {"Accept": "text/event-stream"}
WORDS = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
FORM_WORDS: dict[str, Any] = {
    "response_format": "verbose_json",
    "timestamp_granularities[]": ["word"],
}


@dataclass
class Ask:
    """One request, below /api/v1 unless the path is an address."""

    path: str
    method: str = "GET"
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)  # httpx2's keyword arguments


def query(path: str, /, **params: Any) -> Ask:
    return Ask(path, body={"params": params} if params else {})


def as_json(wav: bytes, **fields: Any) -> Ask:
    """OpenRouter's dialect."""
    return Ask(POST, "POST", body={"json": recording(wav) | fields})


def as_form(wav: bytes, headers: dict[str, str] | None = None, **fields: Any) -> Ask:
    """OpenAI's dialect, and Mistral's with its headers."""
    files = {"file": ("note.wav", wav, "audio/wav")}
    return Ask(POST, "POST", headers or {}, {"data": {"model": SCRIPTED} | fields, "files": files})


def raw(content: bytes, kind: str = "application/json") -> Ask:
    return Ask(POST, "POST", {"Content-Type": kind}, {"content": content})


def as_raw(wav: bytes, **fields: Any) -> Ask:
    """The recording as the body, as curl sends it."""
    options = {"params": {"model": SCRIPTED} | fields, "content": wav}
    return Ask(POST, "POST", {"Content-Type": "audio/wav"}, options)


def with_data(data: Any, **fields: Any) -> Ask:
    return Ask(
        POST, "POST", body={"json": recording(b"") | {"input_audio": {"data": data, **fields}}}
    )


def answers(wav: bytes) -> dict[str, Ask]:
    """Requests that get words."""
    formats = ("json", "verbose_json", "text", "srt", "vtt")
    return {
        **{f"openrouter {name}": as_json(wav, response_format=name) for name in formats},
        **{f"openai {name}": as_form(wav, response_format=name) for name in formats},
        "openrouter default": as_json(wav),
        "openrouter words": as_json(wav, **WORDS),
        "openrouter alias": as_json(wav, model=ALIAS),
        "openrouter unused": as_json(wav, prompt="A", temperature=0.2, xyzzy=1,
                                     provider={"zdr": True, "options": {"mistral": {}}}),
        "openrouter pcm": as_json(wav[44:]) ,
        "openai words": as_form(wav, **FORM_WORDS),
        "openai language": as_form(wav, language="de-AT"),
        "mistral default": as_form(wav, MISTRAL),
        "mistral granularities": as_form(wav, MISTRAL, timestamp_granularities="segment"),
        "openai stream": as_form(wav, stream="true"),
        "mistral stream": as_form(wav, MISTRAL | EVENTS, stream="true"),
        "mistral stream segments": as_form(
            wav, MISTRAL | EVENTS, stream="true", timestamp_granularities="segment"
        ),
        "raw": as_raw(wav, response_format="srt"),
        "raw words": as_raw(wav, timestamp_granularities=["word"]),
        "mistral bias": as_form(wav, MISTRAL, context_bias=["Voxgate", "Mistral"]),
    }  # fmt: skip


def lists() -> dict[str, Ask]:
    """Requests for what there is."""
    return {
        "models": query("/models"),
        "models page": query("/models", q="scripted", limit=1, offset=0),
        "models of text": query("/models", output_modalities="text"),
        "models count": query("/models/count"),
        "model": query(f"/model/{SCRIPTED}"),
        "model by alias": query(f"/model/{ALIAS}"),
        "model retrieve": query("/models/scripted%2Fone"),
        "endpoints": query(f"/models/{SCRIPTED}/endpoints"),
        "endpoints of absent": query(f"/models/{ABSENT}/endpoints"),
        "openapi": query("/openapi.json"),
    }


def errors(wav: bytes) -> dict[str, Ask]:
    """Requests that are refused."""
    text = base64.b64encode(b"Hello, this is a text and no sound at all.").decode()
    return {
        "400 not JSON": raw(b"{"),
        "400 array": raw(b"[]"),
        "400 NaN": raw(b'{"temperature": NaN}'),
        "400 no audio": Ask(POST, "POST", body={"json": {"model": SCRIPTED}}),
        "400 no model": as_json(wav, model=None),
        "400 data URI": with_data("data:audio/wav;base64,AAAA"),
        "400 base64": with_data("AAA!"),
        "400 not audio": with_data(text),
        "400 empty": with_data(""),
        "400 cut": as_json(wav[:20]),
        "400 address": with_data(None, url="https://e.com/a"),
        "400 format": as_json(wav, response_format="docx"),
        "400 language": as_json(wav, language="tlh"),
        "400 temperature": as_json(wav, temperature=99),
        "400 granularity": as_json(wav, timestamp_granularities=["day"]),
        "400 stream": as_json(wav, stream=True, response_format="srt"),
        "400 stream of times": as_json(wav, stream=True, **WORDS),
        "400 diarize": as_json(wav, diarize=True),
        "fallback models": as_json(wav, models=["a/b"]),
        "404 routing": as_json(wav, provider={"only": ["mistral"]}),
        "400 promise": as_json(wav, max_tokens=5),
        "400 insists": as_json(wav, temperature=0.2, provider={"require_parameters": True}),
        "400 overlong": as_json(wav, language="x" * 70_000),
        "400 form without file": Ask(POST, "POST", body={"data": {"model": SCRIPTED},
                                                         "files": {"other": b"x"}}),
        "400 query": query("/models", limit="many"),
        "400 filter": query("/models", sort="price"),
        "400 no id": query("/generation"),
        "401 no key": Ask(POST, "POST", {"Authorization": ""}, {"json": {}}),
        "401 other key": Ask(POST, "POST", {"Authorization": "Bearer sk-vg-nobody"}, {"json": {}}),
        "401 generation": Ask("/generation?id=x", headers={"Authorization": "Basic x"}),
        "404 model": as_json(wav, model="scripted/two"),
        "404 folder": as_json(wav, model="/tmp"),
        "404 not installed": as_json(wav, model=ABSENT),
        "404 endpoints": query("/models/scripted/two/endpoints"),
        "404 generation": query("/generation", id="gen-stt-0"),
        "404 path": query("/nothing"),
        "404 slash": Ask(f"{POST}/", "POST"),
        "405 method": query(POST),
        "415 type": raw(b"RIFF", "image/png"),
        "400 raw without model": raw(b"RIFF", "audio/wav"),
        "raw as a form": raw(wav, "application/x-www-form-urlencoded"),
    }  # fmt: skip


async def collect(folder: Path) -> dict[str, Case]:
    """Start the servers that it takes, and ask everything."""
    wav = write_wav(folder / "note.wav", clip()).read_bytes()
    found: dict[str, Case] = {}
    provider = Scripted(says=lambda *_: TEXT, confidence=0.5, revision=REVISION, profile="exact")
    async with serving(folder / "main", provider) as server:
        asked = answers(wav) | lists() | errors(wav)
        asked["openrouter pcm"].body["json"]["input_audio"]["format"] = "pcm"
        asked["openai at /v1"] = as_form(wav)
        asked["openai at /v1"].path = f"{server.url}/v1{POST}"
        asked["healthz"] = query(f"{server.url}/healthz")
        for name, ask in asked.items():
            found[name] = seen(await send(server, ask))
        found |= await generations(server, wav) | await faults(server, wav)
    able = Scripted(says=lambda *_: TEXT, honours=frozenset({"temperature", "max_tokens", "seed"}),
                    vocabulary=True, times="none")  # fmt: skip
    async with serving(folder / "able", able) as server:
        asked = {
            "able options": as_json(
                wav, temperature=0.5, max_tokens=100, seed=1, prompt="A", **WORDS
            ),
            "able endpoints": query(f"/models/{SCRIPTED}/endpoints"),
        }
        for name, ask in asked.items():
            found[name] = seen(await send(server, ask))
    return found | await limits(folder, wav)


async def generations(server: Running, wav: bytes) -> dict[str, Case]:
    """What is said of a request that was answered."""
    headers = {"HTTP-Referer": "https://a.example", "User-Agent": "golden/1"}
    ask = as_json(wav, session_id="session", user="user")
    answer = await server.client.post(POST, headers=headers, **ask.body)
    id_ = answer.headers["x-generation-id"]
    return {"generation": seen(await send(server, query("/generation", id=id_)))}


async def faults(server: Running, wav: bytes) -> dict[str, Case]:
    """Errors of the engine, which the script raises."""
    found: dict[str, Case] = {}
    server.provider.gate = dying
    answer = await send(server, as_json(wav))
    found["503 engine died"] = seen(answer)
    id_ = answer.headers["x-generation-id"]
    found["generation failed"] = seen(await send(server, query("/generation", id=id_)))
    server.provider.gate = broken
    found["500 bug"] = seen(await send(server, as_json(wav)))
    server.provider.refusals.append(model_loading("It is being loaded.", 7))
    found["503 loading"] = seen(await send(server, as_json(wav)))
    return found


def dying(_: int) -> None:
    raise engine_died("The engine ended. Try again.")


def broken(_: int) -> None:
    raise RuntimeError("secret")


async def limits(folder: Path, wav: bytes) -> dict[str, Case]:
    """Errors of a server with narrow limits, and of one without keys."""
    found: dict[str, Case] = {}
    narrow: dict[str, Any] = {
        "max_upload_bytes": len(wav),
        "max_upload_s": 2.0,
        "body_patience_s": 0.5,
    }
    async with serving(folder / "narrow", Scripted(), max_flights=1, **narrow) as server:
        found["413 bytes"] = seen(await send(server, as_json(wav + b"x")))
        found["413 seconds"] = seen(await send(server, as_json(wav)))
        found["408 stalled"] = await stalled(server)
        found["429 server full"] = await full(server, wav[: len(wav) // 2])
    async with serving(folder / "open", Scripted(), auth="off", max_flights_per_key=1) as server:
        found["200 without keys"] = seen(await send(server, as_json(wav)))
        for name, value in (("Host", "evil.example"), ("Origin", "https://evil.example")):
            ask = as_json(wav)
            ask.headers = {name: value}
            found[f"403 {name}"] = seen(await send(server, ask))
        found["429 key full"] = await full(server, wav)
    return found


async def full(server: Running, wav: bytes) -> Case:
    """A second recording while the first is worked on."""
    gate = asyncio.Event()
    server.provider.gate = lambda _: gate.wait()
    first = asyncio.create_task(send(server, as_json(wav)))
    await until(lambda: server.provider.running == 1, "the provider's work")
    second = await send(server, as_json(wav, language="de"))
    gate.set()
    await first
    return seen(second)


async def stalled(server: Running) -> Case:
    """A body that stops arriving, by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write(
        b"POST /api/v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
        + server.key.encode()
        + b"\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return answer_case(int(status.split()[1]), headers, body.decode())


async def send(server: Running, ask: Ask) -> httpx2.Response:
    return await server.client.request(ask.method, ask.path, headers=ask.headers, **ask.body)


def seen(answer: httpx2.Response) -> Case:
    return answer_case(answer.status_code, dict(answer.headers), answer.text)


def answer_case(status: int, headers: dict[str, str], body: str) -> Case:
    """Status, every stable header, and the body: JSON where it is JSON."""
    kept = {name: value for name, value in sorted(headers.items()) if name not in DROPPED}
    is_json = kept.get("content-type", "").startswith("application/json")
    return case({"status": status, "headers": kept, "body": json.loads(body) if is_json else body})
