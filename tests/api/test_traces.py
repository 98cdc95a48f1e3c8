"""The spans of requests, as OpenTelemetry's SDK records them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from tests.api.serving import PATH, SCRIPTED, Gate, post_and_disconnect, recording, serving
from tests.scripted import Scripted
from tests.spans import CALLER, TRACE, TRACEPARENT, check_one_tree
from voxgate import errors
from voxgate.pipeline.dispatch import MAX_ATTEMPTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from opentelemetry.sdk.trace import ReadableSpan

STALLED = errors.EngineError("It stalled.", code="engine_stalled")
WORDS = "zyzzyva quixotic"
ROUTE = f"POST {PATH}"


@pytest.fixture(scope="module")
def recorder() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)  # for the whole process: it cannot be taken back
    yield exporter
    exporter.shutdown()  # quietly: a closed processor logs each span of later tests


@pytest.fixture
def spans(recorder: InMemorySpanExporter) -> InMemorySpanExporter:
    recorder.clear()
    return recorder


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    found = [span for span in spans.get_finished_spans() if span.name == name]
    return sorted(found, key=lambda span: span.start_time or 0)


def check_tree(spans: InMemorySpanExporter, root: str) -> None:
    check_one_tree(
        (
            (f"{span.context.span_id:016x}", f"{span.parent.span_id:016x}" if span.parent else "")
            for span in spans.get_finished_spans()
        ),
        root,
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_is_one_tree_below_its_caller(
    tmp_path: Path, spans: InMemorySpanExporter, stream: bool
) -> None:
    provider = Scripted(says=lambda *_: WORDS, times="none")
    async with serving(tmp_path, provider) as server:
        body = recording(prompt=WORDS, stream=stream)
        answer = await server.post(body, headers={"traceparent": TRACEPARENT})
        assert WORDS in answer.text
    check_tree(spans, CALLER)
    finished = spans.get_finished_spans()
    assert {f"{span.context.trace_id:032x}" for span in finished} == {TRACE}
    assert all(span.status.status_code is StatusCode.UNSET for span in finished)
    (root,) = named(spans, ROUTE)
    assert root.kind is SpanKind.SERVER
    assert root.attributes
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["http.route"] == root.attributes["url.path"] == PATH
    (work,), (window,) = named(spans, "transcription"), named(spans, "window")
    assert work.attributes
    assert work.attributes["voxgate.generation.id"] == answer.headers["x-generation-id"]
    assert work.attributes["voxgate.model"] == SCRIPTED
    assert window.attributes
    assert window.attributes["voxgate.window.attempts"] == 1
    assert window.attributes["voxgate.window.length_s"] == pytest.approx(10, abs=1)
    exported = "".join(span.to_json() for span in finished)
    assert not [word for word in (*WORDS.split(), server.key) if word in exported]


async def test_a_generation_begins_in_the_ledger_while_its_sound_is_decoded(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    async with serving(tmp_path) as server:
        assert (await server.post(recording())).status_code == 200
    (begin,), (decode,) = named(spans, "ledger begin"), named(spans, "decode")
    assert begin.start_time
    assert decode.end_time
    assert begin.start_time < decode.end_time


async def test_an_answer_is_one_tree_without_its_texts(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    part = {"type": "input_audio", "input_audio": recording()["input_audio"]}
    said = {"role": "user", "content": [{"type": "text", "text": WORDS}, part]}
    async with serving(tmp_path, Scripted(answers=lambda _: WORDS, hears_s=60)) as server:
        answer = await server.client.post(
            "/chat/completions",
            json={"model": SCRIPTED, "messages": [said]},
            headers={"traceparent": TRACEPARENT},
        )
        assert WORDS in answer.text
    check_tree(spans, CALLER)
    (work,), (asked,) = named(spans, "answer"), named(spans, "question")
    assert work.attributes
    assert work.attributes["voxgate.generation.id"] == answer.json()["id"]
    assert asked.parent
    assert work.context.span_id == asked.parent.span_id
    assert len(named(spans, "attempt")) == len(named(spans, "POST /api/v1/chat/completions")) == 1
    exported = "".join(span.to_json() for span in spans.get_finished_spans())
    assert not [word for word in WORDS.split() if word in exported]


async def test_an_attempt_that_failed_is_marked(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    async with serving(tmp_path, Scripted(faults={0: [STALLED]})) as server:
        assert (await server.post(recording())).status_code == 200
    first, second = named(spans, "attempt")
    assert (first.status.status_code, second.status.status_code) == (
        StatusCode.ERROR,
        StatusCode.UNSET,
    )
    assert first.attributes
    assert first.attributes["error.type"] == "engine_stalled"
    assert named(spans, "window")[0].status.status_code is StatusCode.UNSET


async def test_a_failure_of_the_server_is_an_error_up_to_the_request(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    async with serving(tmp_path, Scripted(faults={0: [STALLED] * MAX_ATTEMPTS})) as server:
        assert (await server.post(recording())).status_code == STALLED.status
    for name in ("attempt", "window", "transcription", ROUTE):
        for span in named(spans, name):
            assert span.status.status_code is StatusCode.ERROR, name
            assert span.attributes
            assert span.attributes["error.type"] == "engine_stalled"


async def test_a_callers_mistake_is_none_of_the_request(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    async with serving(tmp_path) as server:
        await server.post(recording(b"no sound at all"))
        await server.client.get("/quixotic/zyzzyva?quixotic=zyzzyva")
        await server.client.get("/generation", params={"id": "zyzzyva"})
        await server.client.get("/models/zyzzyva/quixotic/endpoints")
        posing = {"X-Forwarded-For": "zyzzyva", "X-Forwarded-Proto": "quixotic"}
        await server.client.request("QUIXOTIC", "/models", headers=posing)
    for span in spans.get_finished_spans():
        if span.kind is SpanKind.SERVER:
            assert span.status.status_code is StatusCode.UNSET
    assert named(spans, ROUTE)[0].attributes["error.type"] == "not_audio"  # type: ignore[index]
    assert named(spans, "GET")  # without a route
    assert named(spans, "GET /api/v1/models/{model:path}/endpoints")
    exported = "".join(span.to_json() for span in spans.get_finished_spans())
    assert not [word for word in WORDS.split() if word in exported.lower()]


async def test_a_request_that_joins_a_job_is_linked_to_it(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)  # its job waits for a repost
        gate.open.set()
        assert (await server.post(recording())).status_code == 200
    (work,) = named(spans, "transcription")
    links = [span.links for span in named(spans, ROUTE) if span.links]
    assert [link.context.span_id for each in links for link in each] == [work.context.span_id]
    assert len({span.context.trace_id for span in named(spans, ROUTE)}) == 2


async def test_what_monitoring_asks_has_no_span(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    async with serving(tmp_path) as server:
        for path in ("healthz", "readyz", "metrics"):
            await server.client.get(f"{server.url}/{path}")
    assert spans.get_finished_spans() == ()
