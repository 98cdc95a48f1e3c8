"""Spans as an operator's collector gets them: a real OTLP receiver on the loopback."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"  # as in W3C Trace Context


@dataclass
class Collector:
    """What came by `POST /v1/traces`."""

    url: str
    received: list[bytes] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        return [span for _, span in self.spans_of_services()]

    @property
    def services(self) -> set[str]:
        return {service for service, _ in self.spans_of_services()}

    def spans_of_services(self) -> Iterator[tuple[str, Span]]:
        for body in self.received:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                own = {each.key: each.value.string_value for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        yield own["service.name"], span


@contextmanager
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            found.received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Collector(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def check_one_tree(parents: Iterable[tuple[str, str]], root: str) -> None:
    """Check pairs of ids of spans and of their parents: all but one are below another."""
    above = dict(parents)
    assert [parent for parent in above.values() if parent not in above] == [root]
