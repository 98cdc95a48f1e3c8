"""How an endpoint has done, as clients are told of it."""

from __future__ import annotations

from dataclasses import asdict
from math import floor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxgate.histograms import Percentiles
    from voxgate.routing.summary import HealthSummary


def endpoint_figures(summary: HealthSummary) -> dict[str, Any]:
    """Return how an endpoint has done, in OpenRouter's shape; null where that is not known yet.

    Uptimes are percentages, rounded down to two decimals. Latencies are milliseconds of an attempt,
    to its end. Throughputs are seconds of sound in a second.
    """
    last_30m = summary.last_30m
    return {
        "uptime_last_5m": _uptime(summary.last_5m.uptime),
        "uptime_last_30m": _uptime(last_30m.uptime),
        "uptime_last_1d": _uptime(summary.last_1d.uptime),
        "latency_last_30m": _percentiles(last_30m.latency_s, 1000),
        "throughput_last_30m": _percentiles(last_30m.throughput),
    }


def own_figures(summary: HealthSummary) -> dict[str, Any]:
    """Return the figure that OpenRouter's shape has no place for, in milliseconds."""
    return {"first_text_last_30m": _percentiles(summary.last_30m.first_text_s, 1000)}


def _uptime(percent: float | None) -> float | None:
    return None if percent is None else floor(percent * 100) / 100


def _percentiles(figure: Percentiles | None, factor: int = 1) -> dict[str, float] | None:
    """Return percentiles with three digits: more would not be true."""
    if figure is None:
        return None
    return {name: float(f"{value * factor:.3g}") for name, value in asdict(figure).items()}
