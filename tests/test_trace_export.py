"""Spans leave the server and its engines by OTLP, when OpenTelemetry's variables ask for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from tests.api.serving import served
from tests.cli.command import CLIP_WORDS, clip, isolated_cli
from tests.sounds import encode
from tests.spans import CALLER, TRACE, TRACEPARENT, check_one_tree, collector
from voxgate.errors import SettingsError, VoxgateError
from voxgate.trace_export import start_export

if TYPE_CHECKING:
    from pathlib import Path

ROUTE = "POST /api/v1/audio/transcriptions"


def form(name: str, data: bytes) -> dict[str, Any]:
    return {
        "data": {"model": "openai/whisper-base", "prompt": "Nightingale"},
        "files": {"file": (name, data, "audio/wav")},
        "headers": {"traceparent": TRACEPARENT},
    }


async def test_a_request_is_one_tree_in_server_and_engine_without_its_words(
    tmp_path: Path,
) -> None:
    with isolated_cli(tmp_path) as cli, collector() as collected:
        async with served(cli, OTEL_EXPORTER_OTLP_ENDPOINT=collected.url) as server:
            path = "/audio/transcriptions"
            answer = await server.client.post(path, **form("nocturne.wav", encode(clip(), "c.wav")))
            refused = await server.client.post(path, **form("nocturne.wav", b"no sound at all"))
            assert await server.end() == 0
    text = answer.json()["text"]
    assert CLIP_WORDS in text
    assert refused.status_code == 400
    assert collected.services == {"voxgate", "voxgate-engine"}

    spans = collected.spans
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    first, second = (span for span in spans if span.name == ROUTE)
    below = {first.span_id}
    for span in sorted(spans, key=lambda span: span.start_time_unix_nano):
        if span.parent_span_id in below:
            below.add(span.span_id)
    own = [span for span in spans if span.span_id in below]
    check_one_tree(((s.span_id.hex(), s.parent_span_id.hex()) for s in own), CALLER)
    stages = {"body", "transcription", "ledger begin", "decode", "window", "attempt"}
    assert {span.name for span in own} == {
        *(ROUTE, "POST /transcribe", "ledger finish", "render"),
        *stages,
    }
    failed = {span.name for span in spans if span.status.code == span.status.STATUS_CODE_ERROR}
    assert failed == {"transcription", "decode"}  # the second one's; its caller's mistake
    assert second.parent_span_id.hex() == CALLER

    secrets = [*re.findall(r"\w{4,}", text), "Nightingale", "nocturne", server.key]
    exported = b"".join(collected.received).lower()
    assert not [secret for secret in secrets if secret.lower().encode() in exported]


@pytest.fixture
def no_sdk_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of its own: other tests may have started an SDK, which no API ends."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"OTEL_TRACES_EXPORTER": "pigeon"}, "'pigeon', which no installed package has"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h", "OTEL_EXPORTER_OTLP_PROTOCOL": "pigeon"},
            "'otlp_proto_pigeon'",
        ),
    ],
)
@pytest.mark.usefixtures("no_sdk_runs")
def test_an_exporter_that_is_not_installed(environ: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        start_export(environ)


@pytest.mark.usefixtures("no_sdk_runs")
def test_nothing_leaves_the_machine_offline() -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://192.0.2.1:4318", "VOXGATE_OFFLINE": "1"}
    with pytest.raises(VoxgateError, match="sent to another machine") as caught:
        start_export(environ)
    assert caught.value.code == "offline"
