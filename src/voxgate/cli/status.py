"""`voxgate status`: how endpoints do, as the server saved it last."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import signals, tables
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import write_json, write_output

if TYPE_CHECKING:
    from voxgate.ledger.canary_results import CanaryResult
    from voxgate.ledger.endpoint_health import SavedEndpoint
    from voxgate.settings import Settings

HEADINGS = (
    *("endpoint", "state", "uptime 5m", "30m", "1d", "p50 s", "p99 s", "speed", "attempts"),
    *("word errors", "saved"),
)
STATES = {
    "last_resort": "last resort",
    "rate_limited": "rests, asked too often",
    "failing": "rests, failed too often",
}


def status_command(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the endpoints that servers asked within a day, from the ledger, by their names.

    A server saves this each minute: uptimes in percent, the latency that 50 and 99 of 100
    attempts did not exceed, seconds of sound in a second, and attempts within 30 minutes. Word
    errors are those of the last canaries, recordings with known words: VOXGATE_CANARY_EVERY_S.
    """
    records = signals.run_until_signal(_find(apply_settings()))
    if as_json:
        write_json(records)
    elif not records and tables.are_drawn():
        write_output("No endpoint was asked within a day.\n")
    else:
        tables.print_table(HEADINGS, list(map(_row, records)))


async def _find(settings: Settings) -> list[dict[str, Any]]:
    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger

    async with await Ledger.open(Address.of(settings)) as ledger:
        found = await ledger.endpoint_health.load()
        canaries = await ledger.canaries.load()
    return [
        {**_record(each), "canary": _canary(canaries.get(each.endpoint, []), settings)}
        for each in sorted(found, key=lambda each: each.endpoint)
    ]


def _canary(results: list[CanaryResult], settings: Settings) -> dict[str, Any] | None:
    """Return what is known of an endpoint by its canaries, as a server with these settings says."""
    from voxgate.canaries.book import canary_facts
    from voxgate.canaries.rule import why_regressed
    from voxgate.ledger.columns import utc_now

    if not settings.sends_canaries:
        return canary_facts(results, None)
    return canary_facts(results, why_regressed(results, utc_now(), settings.canary_every_s))


def _record(saved: SavedEndpoint) -> dict[str, Any]:
    """Return how an endpoint does, with OpenRouter's names of figures."""
    from voxgate.api.endpoint_figures import endpoint_figures, own_figures
    from voxgate.api.health_keeper import take_over
    from voxgate.ledger.columns import utc_now
    from voxgate.routing.health import HealthBook

    book = HealthBook(lambda: 0.0)
    take_over(book, [saved])
    summary = book.summary(saved.endpoint)
    return {
        "endpoint": saved.endpoint,
        "state": summary.state(0.0),
        "rests_s": summary.pause.until if summary.pause else None,
        "attempts_last_30m": summary.last_30m.attempts,
        **endpoint_figures(summary),
        **own_figures(summary),
        "saved_at": saved.saved_at.isoformat(timespec="seconds"),
        "saved_s": max(0.0, (utc_now() - saved.saved_at).total_seconds()),
    }


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    latency, throughput = record["latency_last_30m"], record["throughput_last_30m"]
    rest_s = record["rests_s"]
    state = STATES.get(record["state"], record["state"])
    canary = record["canary"] or {"regressed": False, "word_error_rate": None}
    rate = canary["word_error_rate"]
    return (
        record["endpoint"],
        (state if rest_s is None else f"{state}, for {rest_s:.0f} s")
        + ", regressed" * canary["regressed"],
        *(_percent(record[f"uptime_last_{span}"]) for span in ("5m", "30m", "1d")),
        *("" if latency is None else f"{latency[q] / 1000:.2f}" for q in ("p50", "p99")),
        "" if throughput is None else f"{throughput['p50']:g}x",
        str(record["attempts_last_30m"]),
        "" if rate is None else f"{rate:.1%}",
        f"{record['saved_s']:.0f} s ago",
    )


def _percent(uptime: float | None) -> str:
    return "" if uptime is None else f"{uptime:g}"
