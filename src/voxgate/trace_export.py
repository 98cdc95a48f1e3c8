"""Starts OpenTelemetry's SDK where its own environment variables ask for traces.

The SDK and its exporter by HTTP come with the extra `telemetry`; the exporters of other installed
packages can be named as well. What these variables leave open has OpenTelemetry's own defaults.
"""

from __future__ import annotations

import logging
import os
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry import trace

from voxgate._version import __version__
from voxgate.errors import SettingsError
from voxgate.installation import Installation
from voxgate.offline import OFFLINE_VARIABLE, is_local, offline_error

if TYPE_CHECKING:
    from collections.abc import Mapping

TRACES_EXPORTER = "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTERS = "opentelemetry_traces_exporter"  # the group of entry points

log = logging.getLogger(__name__)


def start_export(environ: Mapping[str, str] = os.environ, *, engine: bool = False) -> None:
    """Send spans where OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_TRACES_EXPORTER say, if one is set.

    Nothing is done where an SDK runs already, as below `opentelemetry-instrument`. Raises
    `SettingsError` for an exporter that is not installed, and `VoxgateError` (`offline`) for one on
    another machine where Voxgate must stay offline.
    """
    names = _exporters(environ)
    if not names or not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    if find_spec("opentelemetry.sdk") is None:
        command = Installation.find().install_extra("telemetry")
        log.warning("traces are asked for by OTEL_ variables, and need the SDK: `%s`", command)
        return
    endpoint = next((environ[name] for name in ENDPOINTS if environ.get(name)), "")
    if environ.get(OFFLINE_VARIABLE) == "1" and not is_local(urlsplit(endpoint).hostname):
        raise offline_error(
            "Traces would be sent to another machine",
            "OTEL_TRACES_EXPORTER=none sends none.",
        )
    service = "voxgate-engine" if engine else "voxgate"
    _start_sdk(service, [_exporter(name, environ) for name in names], environ)


def _exporters(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the exporters that the environment asks for."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return []
    default = "otlp" if any(environ.get(name) for name in ENDPOINTS) else "none"
    names = (environ.get(TRACES_EXPORTER) or default).split(",")
    return [name.strip() for name in names if name.strip() not in {"none", ""}]


def _exporter(name: str, environ: Mapping[str, str]) -> Any:
    """Return the class of an exporter."""
    if name == "otlp":
        protocol = next((environ[each] for each in PROTOCOLS if environ.get(each)), "http/protobuf")
        name = f"otlp_proto_{protocol.partition('/')[0]}"
    for entry in entry_points(group=EXPORTERS, name=name):
        return entry.load()
    known = ", ".join(sorted(entry.name for entry in entry_points(group=EXPORTERS)))
    raise SettingsError(
        f"{TRACES_EXPORTER} asks for the exporter '{name}', which no installed package has. "
        f"Install its package, or name one of these: {known}, none."
    )


def _start_sdk(service: str, exporters: list[Any], environ: Mapping[str, str]) -> None:
    # Imported here: it takes a third of a second, and is not installed everywhere.
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    own = {"service.name": service, "service.version": __version__}
    named = "service.name=" in environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if named or environ.get("OTEL_SERVICE_NAME"):
        del own["service.name"]
    provider = TracerProvider(resource=Resource.create(own))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter()))
    trace.set_tracer_provider(provider)
