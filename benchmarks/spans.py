"""What spans cost, in processor time: `python -m benchmarks.spans [sdk]`.

Without `sdk` no SDK runs, as where nobody asks for traces. With it, spans are recorded and batched
for an exporter that drops them.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from voxgate import tracing
from voxgate.pipeline.trace import StageTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Message, Receive, Scope, Send

CALLS, REPEATS = 10_000, 7
SCOPE = {
    "type": "http",
    "path": "/v1/models",
    "method": "GET",
    "scheme": "http",
    "headers": [(b"host", b"a"), (b"authorization", b"Bearer x"), (b"user-agent", b"x")],
}


class Dropped(SpanExporter):
    """Exports nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 (the interface)
        return SpanExportResult.SUCCESS


def cost_us(function: Callable[[], object]) -> float:
    """Return the median processor time of one call, in microseconds."""
    return statistics.median(_timed(function) for _ in range(REPEATS))


def _timed(function: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(CALLS):
        function()
    return (time.process_time() - start) / CALLS * 1e6


def middleware_us() -> float:
    """Return what the middleware adds to a request, in microseconds."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    def requests(application: tracing.RequestSpans | Callable[..., object]) -> float:
        async def run() -> float:
            start = time.process_time()
            for _ in range(CALLS):
                await application(dict(SCOPE), receive, send)  # type: ignore[misc]
            return (time.process_time() - start) / CALLS * 1e6

        return statistics.median(asyncio.run(run()) for _ in range(REPEATS))

    return requests(tracing.RequestSpans(app)) - requests(app)


def main() -> None:
    """Print the costs."""
    if "sdk" in sys.argv[1:]:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(Dropped()))
        trace.set_tracer_provider(provider)
    stages = StageTimes()

    def measured() -> None:
        with stages.measure("body"):
            pass

    def spanned() -> None:
        with stages.span("body"):
            pass

    def window() -> None:
        attributes = {"voxgate.model": "a/b", "voxgate.window.start_s": "1.5"}
        with tracing.span("window", attributes=attributes) as span:
            span.add_event("slot granted")

    measure_us = cost_us(measured)
    print(f"a stage's span, beside its measuring ({measure_us:.1f} us): ", end="")
    print(f"{cost_us(spanned) - measure_us:.1f} us")
    print(f"a window's span with attributes and an event: {cost_us(window):.1f} us")
    print(f"headers for an engine: {cost_us(tracing.trace_headers):.1f} us")
    print(f"a request's span: {middleware_us():.1f} us")


if __name__ == "__main__":
    main()
