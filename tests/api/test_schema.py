"""Requests made from the server's own OpenAPI: no 5xx, and no answer that is not in it.

`make fuzz` sends 10 000, by another seed each time. A failure names its operation and the request;
FUZZ_SEED makes the same requests again.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import httpx2
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.serialization import Binary

from tests.api.mutations.sound import recordings
from tests.api.serving import SCRIPTED, new_key, recording, serving, with_key
from tests.scripted import Scripted
from voxgate.api.dialects.streaming import EVENT_STREAM
from voxgate.errors import CODES
from voxgate.ledger.address import Address
from voxgate.ledger.ledger import Ledger
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS
from voxgate.transcript.values import UNLIKELY, Decoding

if TYPE_CHECKING:
    import random
    from pathlib import Path

    import pytest
    from schemathesis.schemas import APIOperation

    from tests.api.serving import Running

SEED = int(os.environ.get("FUZZ_SEED") or 20_260)
CASES = int(os.environ.get("FUZZ_CASES") or 500)

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

PATHS = "/api/v1"
RAW = {"audio/*", "video/*", "application/octet-stream"}
SOURCES = {"input_audio", "file", "file_url", "file_id", "messages"}
SHAPED = {f"{PATHS}/audio/transcriptions", f"{PATHS}/audio/translations", "/inference"}
SHAPES: list[dict[str, Any]] = [
    {},
    *({"response_format": name} for name in ("text", "srt", "vtt")),
    {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]},
    {"stream": True},
]
ASR_SHAPES: list[dict[str, Any]] = [
    {},
    *({"output": name} for name in ("srt", "vtt", "tsv")),
    {"output": "json", "word_timestamps": True},
]
CHAT = f"{PATHS}/chat/completions"
CHAT_SHAPES: list[dict[str, Any]] = [
    {},
    {"response_format": {"type": "json_object"}},
    {"structured_outputs": {"json": {"type": "array", "items": {"type": "integer"}}}},
    {"stream": True, "stream_options": {"include_usage": True}},
]
SHAPES_OF = {**dict.fromkeys(SHAPED, SHAPES), "/asr": ASR_SHAPES, CHAT: CHAT_SHAPES}
NEVER_ANSWERED = {
    409,  # of commands alone
    499,  # nobody is left to read it
    500,  # a bug, or a mistake of the operator
}
FORMS = {"/asr": "audio_file", "/detect-language": "audio_file"}
MANAGED = (f"{PATHS}/keys", f"{PATHS}/credits", f"{PATHS}/activity", "/metrics")
"""What management keys alone may do."""

EXISTING = 0.6  # so many requests name what the server has


class Conformance:
    """Sends requests to every operation of a server's schema, and checks what it answers."""

    def __init__(self, server: Running, generation: str, manager: str) -> None:
        self.statuses = defaultdict[str, Counter[int]](Counter)
        self.media_types = defaultdict[str, set[str]](set)  # of successes
        self._server, self._sound = server, recordings()["a.flac"]
        self._base64 = base64.b64encode(self._sound).decode()
        self._generation, self._file = generation, "none"
        self._session = requests.Session()
        self._key, self._manager = with_key(server.key), with_key(manager)
        self._names = itertools.count()

    def run(self) -> None:
        """Send the requests: more to those operations that take a recording."""
        schema = schemathesis.openapi.from_url(f"{self._server.url}{PATHS}/openapi.json")
        operations = [each.ok() for each in schema.get_all_operations() if isinstance(each, Ok)]
        for operation in operations:
            self._send_plain(operation)
        shares = {each: 6 if each.path in {*SHAPED, CHAT} else 2 for each in operations}
        while (left := CASES - self.count) > 0:  # few requests are all that some can get
            for operation, share in shares.items():
                self._send(operation, -(-left * share // sum(shares.values())))

    @property
    def count(self) -> int:
        """How many requests were answered."""
        return sum(each.total() for each in self.statuses.values())

    def _send_plain(self, operation: APIOperation[Any, Any, Any, Any]) -> None:
        """Send what succeeds, in each shape: chance does not make all of them in every run."""
        names = dict.fromkeys(each.name for each in operation.path_parameters)
        concrete = [each.media_type for each in operation.body if "*" not in each.media_type]
        for media_type in concrete or [None]:
            for shape in SHAPES_OF.get(operation.path, [{}]):
                case = operation.Case(path_parameters=names, query={}, media_type=media_type)
                case.body = {} if media_type else case.body
                self._name_what_exists(case, shape)
                self._call(case)

    def _send(self, operation: APIOperation[Any, Any, Any, Any], count: int) -> None:
        cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

        @seed(SEED + self.count)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=cases, chance=st.randoms(use_true_random=False))
        def send(case: Any, chance: random.Random) -> None:
            if chance.random() < EXISTING:
                case.query = few(case.query, chance)
                if isinstance(case.body, dict):
                    case.body = few(case.body, chance)
                shapes = SHAPES_OF.get(operation.path, [{}])
                self._name_what_exists(case, chance.choice(shapes))
            self._call(case)

        send()

    def _call(self, case: Any) -> None:
        """Send a request and check its answer."""
        key = self._manager if case.path.startswith(MANAGED) else self._key
        answer = case.call(
            base_url=self._server.url, session=self._session, headers=key, timeout=60
        )
        label = case.operation.label
        self.statuses[label][answer.status_code] += 1
        if answer.status_code == 200:
            self.media_types[label].add(answer.headers["content-type"][0].partition(";")[0])
        case.validate_response(answer, checks=CHECKS, headers=key)

    def _name_what_exists(self, case: Any, shape: dict[str, Any]) -> None:
        """Put the model, the recording and the ids of this server into a request, in a shape."""
        exists = {"id_": self._kept, "hash": self._hash}
        case.path_parameters |= {
            name: exists[name]() if name in exists else SCRIPTED for name in case.path_parameters
        }
        if case.path.endswith(("/generation", "/generation/content")):
            case.query["id"] = self._generation
        if case.path == f"{PATHS}/keys" and isinstance(case.body, dict):
            case.body["name"] = f"key {next(self._names)}"  # a name is a key's alone
        elif case.path == CHAT and isinstance(case.body, dict):
            part = {"type": "input_audio", "input_audio": {"data": self._base64}}
            said = {"role": "user", "content": [{"type": "text", "text": "What?"}, part]}
            case.body = {**case.body, "model": SCRIPTED, "messages": [said], **shape}
        elif case.method == "POST":
            self._name_the_recording(case, shape)

    def _name_the_recording(self, case: Any, shape: dict[str, Any]) -> None:
        fields = {"model": SCRIPTED, **shape} if case.path in SHAPED else {}
        if case.path == "/asr":
            case.query |= shape
        if case.media_type in RAW:
            case.body = self._sound
            case.query |= fields
        elif isinstance(case.body, dict):
            recordings_of: dict[str, dict[str, Any]] = {
                "application/json": {"input_audio": {"data": self._base64}},
                "multipart/form-data": {FORMS.get(case.path, "file"): Binary(self._sound)},
                "application/x-www-form-urlencoded": {"file_id": self._kept()},
            }
            case.body = {**case.body, **fields, **recordings_of[case.media_type]}

    def _hash(self) -> str:
        """Return the hash of a new key: each is changed or deleted."""
        url, name = f"{self._server.url}{PATHS}/keys", f"key {next(self._names)}"
        made = self._session.post(url, json={"name": name}, headers=self._manager).json()
        hash_: str = made["data"]["hash"]
        return hash_

    def _kept(self) -> str:
        """Return the id of a file that the server keeps now."""
        url = f"{self._server.url}{PATHS}/files"
        if not self._session.get(f"{url}/{self._file}", headers=self._key).ok:
            form = {"file": ("a.flac", self._sound)}
            self._file = self._session.post(url, files=form, headers=self._key).json()["id"]
        return self._file


def few(fields: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return up to three fields beside the recording: of many, one is nearly always refused."""
    names = sorted(fields.keys() - SOURCES)
    count = min(len(names), chance.randrange(4))
    return {name: fields[name] for name in chance.sample(names, count)}


async def test_every_answer_is_in_the_schema(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    print(f"\nFUZZ_SEED={SEED}")
    capable = Scripted(
        honours=frozenset((*STRICT_OPTIONS, *HINT_OPTIONS)),
        vocabulary=True,
        translates=True,
        names_language=True,
        language=lambda _: ("en", 0.9),
        confidence=0.8,
        doubt=UNLIKELY,
        decoding=Decoding(-1.5, 1.0, 0.1, 0.0),
        answers=lambda question: "[1, 2]" if question.schema else "A word.",
        hears_s=600.0,
    )
    async with serving(tmp_path, capable, keep_files=True, transcript_key=(b"s" * 32,)) as server:
        async with await Ledger.open(Address.of(server.settings)) as ledger:
            await ledger.keys.edit("first", keep_transcripts_days=1)
        answer = await server.post(recording(recordings()["a.flac"]))
        manager = await new_key(server, "manager", management=True)
        sent = Conformance(server, answer.headers["x-generation-id"], manager)
        began = time.monotonic()
        await asyncio.to_thread(sent.run)
        seconds = time.monotonic() - began
    print(f"{sent.count} answers, {sent.count / seconds:.0f} a second")
    for label, statuses in sent.statuses.items():
        print(f"{label}: {dict(sorted(statuses.items()))} {sorted(sent.media_types[label])}")
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
    if CASES >= 500:  # or it was no fuzz
        assert all(statuses.keys() & {200, 201} for statuses in sent.statuses.values())
        events = {label for label, kinds in sent.media_types.items() if EVENT_STREAM in kinds}
        names = ("audio/transcriptions", "audio/translations", "chat/completions")
        assert events == {f"POST {PATHS}/{name}" for name in names}


async def test_what_asks_for_a_key_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, keep_files=True) as server, httpx2.AsyncClient() as anyone:
        schema = (await anyone.get(f"{server.url}{PATHS}/openapi.json")).json()
        for path, operations in schema["paths"].items():
            for method, operation in operations.items():
                answer = await anyone.request(method, server.url + path, params={"id": "none"})
                schemes = operation.get("security", schema["security"])
                asks = bool(schemes) and {} not in schemes
                assert (answer.status_code == 401) == asks, (method, path, answer.text)


async def test_the_status_of_every_error_is_in_the_schema(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        schema = (await server.client.get("/openapi.json")).json()
    told = schema["paths"][f"{PATHS}/audio/transcriptions"]["post"]["responses"].keys()
    for code, error in CODES.items():
        assert str(error.status) in told or error.status in NEVER_ANSWERED, code


async def test_without_keys_the_schema_has_none(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        schema = (await server.client.get("/openapi.json")).json()
    assert "security" not in schema
    assert "securitySchemes" not in schema["components"]
    assert "security" not in schema["paths"]["/api/v1/models"]["get"]
