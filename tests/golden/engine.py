"""The engine: its protocol on the socket, its messages as bytes, and its record on the disk."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2

from tests.cli.command import CliRunner, clip, isolated_cli
from tests.golden import names
from tests.golden.cases import HEARD, NUMBERS, Case, case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL = "Systran/faster-whisper-base"
UNSTABLE = NUMBERS | HEARD
HEADER = "Voxgate-Options"

REFUSED: dict[str, tuple[dict[str, str], int]] = {  # options, bytes of sound
    "half a sample": ({}, 3),
    "too long": ({}, 32_000 * 30 + 2),
    "not JSON": ({HEADER: "{"}, 2),
    "not an object": ({HEADER: "[]"}, 2),
    "unknown option": ({HEADER: '{"colour": 1}'}, 2),
    "wrong type": ({HEADER: '{"temperature": "0"}'}, 2),
    "out of range": ({HEADER: '{"temperature": 3}'}, 2),
    "a seed too large": ({HEADER: '{"seed": 9223372036854775808}'}, 2),
    "a language": ({HEADER: '{"language": "cy"}'}, 2),
    "a promise": ({HEADER: '{"max_tokens": 5}'}, 2),
}

HEALTH = (
    b'{"model":"a/b","pid":4711,"state":"working","active":1,"queued":2,'
    b'"step_age_s":0.031,"taken":17,"idle_s":null}'
)

BAD_LINES = (
    *(b"{", b"[]", b'{"type":"song"}', b'{"type":"delta"}', b'{"type":"delta","text":1}'),
    *(b'{"type":"delta","text":"a","more":1}', b'{"type":"progress","audio_s":NaN}'),
    *(b'{"type":"progress","audio_s":-1}', b'{"type":"done","language":"en"}'),
)

BAD_HEALTH = (b"{}", HEALTH.replace(b"4711", b"-1"), HEALTH.replace(b'"a/b"', b"null"))


def collect(folder: Path) -> dict[str, Case]:
    """Encode and decode, then ask a real engine and look at its record."""
    with isolated_cli(folder) as cli:
        return {**messages(), **running(cli), **records(cli)}


def messages() -> dict[str, Case]:
    """Every message as bytes, read back to an equal value."""
    made = names.EVENTS
    word = made["word"]("hi", 0.1, 0.3, 0.93, "recognised")
    notice = made["notice"]("cut", "It was cut.")
    lines = {
        "delta": made["delta"]("hi \u00e9"),
        "progress": made["progress"](1.5),
        "segment": made["segment"]("hi", 0.1, 0.9, (word,), 0.93, "recognised"),
        "segment plain": made["segment"]("hi", 0.0, 2.5, time_source="speech_region"),
        "done": made["done"]("en", (notice,), 7),
        "done plain": made["done"](None),
        "failure": made["failure"]("engine_error", "What happened.", True),
    }
    found = {}
    for name, line in lines.items():
        encoded = names.encode_line(line)
        assert names.decode_line(encoded) == line
        found[f"line {name}"] = Case(encoded.decode())
    options = {
        "options none": made["options"](),
        "options all": made["options"](
            language="de", temperature=0.5, top_p=0.9, seed=1, max_tokens=10, stop=("a", "\u00e9"),
            frequency_penalty=-1.0, presence_penalty=0.5, vocabulary=("Voxgate",),
        ),
    }  # fmt: skip
    for name, value in options.items():
        encoded_options = names.encode_options(value)
        assert names.decode_options(encoded_options) == value
        found[name] = Case(encoded_options)
    assert names.decode_options("{}") == made["options"]()
    health = names.decode_health(HEALTH)
    assert health == made["health"](
        model="a/b", pid=4711, state="working", active=1, queued=2, step_age_s=0.031, taken=17,
        idle_s=None,
    )  # fmt: skip
    found["health"] = Case(health.encode().decode())
    for line in BAD_LINES:
        found[f"bad line {line.decode()}"] = refused(names.decode_line, line)
    for line in BAD_HEALTH:
        found[f"bad health {line.decode()}"] = refused(names.decode_health, line)
    return found


def refused(decode: Any, line: bytes) -> Case:
    try:
        value = decode(line)
    except names.VoxgateError as error:
        return case({"error": error.code, "sentence": error.sentence})
    return case({"value": names.encode_line(value).decode()})


def running(cli: CliRunner) -> dict[str, Case]:
    """A real engine: its ready line, health, answers, record, and its end."""
    socket = cli.temp / "engine"
    folder = cli.folder / "home" / "run"
    with cli.running("engine", MODEL, "--socket", str(socket)) as process:
        assert process.stdout is not None
        ready = process.stdout.readline()
        (record,) = folder.iterdir()
        stand_ins = {
            str(socket): "<socket>",
            str(process.pid): "<pid>",
            str(cli.folder): "<folder>",
        }
        found = {
            "ready": case(ready),
            "record": case([record.name, record.read_text()], stand_ins),
            "record mode": Case(oct(record.stat().st_mode)),
            "socket mode": Case(oct(socket.stat().st_mode)),
            "ps": case(json.loads(cli.run("ps", "--json").stdout), stand_ins),
        }
        transport = httpx2.HTTPTransport(uds=str(socket))
        with httpx2.Client(transport=transport, base_url="http://engine", timeout=60) as client:
            found["get health"] = answer(client.get("/health"))
            sound = clip().tobytes()
            found["transcribe"] = answer(client.post("/transcribe", content=sound))
            found["silence"] = answer(client.post("/transcribe", content=bytes(32_000)))
            for name, (headers, size) in REFUSED.items():
                done = client.post("/transcribe", content=bytes(size), headers=headers)
                found[f"refused: {name}"] = answer(done)
            found["no such path"] = answer(client.get("/none"))
        process.terminate()
        found["end"] = Case([process.wait(), record.exists(), socket.exists()])
    return found


def answer(done: httpx2.Response) -> Case:
    lines = done.text.splitlines()
    body = [json.loads(line) if line.startswith("{") else line for line in lines]
    kind = done.headers.get("content-type")
    return case({"status": done.status_code, "type": kind, "body": body}, numbers=UNSTABLE)


OLD: dict[str, dict[str, Any]] = {
    "record now": {
        "pid": 0, "model": "acme/tiny", "socket": "/none/engine",
        "started_at": "2026-01-01T00:00:00+00:00", "revision": "0" * 40, "profile": "balanced",
        "device": "cpu", "checkpoint": "/none/tiny",
    },
    "record before": {
        "pid": 0, "model": "acme/tiny", "socket": "/none/engine",
        "started_at": "2026-01-01T00:00:00+00:00",
    },
    "record of another version": {"pid": 0, "colour": 1},
}  # fmt: skip


def records(cli: CliRunner) -> dict[str, Case]:
    """`ps` reads records that older engines hold, and takes away what dead ones have left."""
    found = {}
    for name, facts in OLD.items():
        with held(cli, facts | {"pid": os.getpid()}):
            shown = json.loads(cli.run("ps", "--json").stdout)
        found[f"ps: {name}"] = case(shown)
    folder = cli.folder / "home" / "run"
    cli.run("ps")
    found["ps: left"] = Case(sorted(path.name for path in folder.iterdir()))
    return found


@contextmanager
def held(cli: CliRunner, facts: dict[str, Any]) -> Iterator[None]:
    path = cli.folder / "home" / "run" / f"{facts['pid']}.json"
    with path.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(json.dumps(facts))
        file.flush()
        yield
