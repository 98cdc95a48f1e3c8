"""`voxgate providers`: list the providers elsewhere, and try what they really do."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import signals, tables
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_json, write_output
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from voxgate.prices import Price
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint

JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON.")]

TRIAL_HEADINGS = (
    *("provider", "model", "there", "works", "seconds", "word errors", "times", "stated times"),
    *("language", "price"),
)
NONE_LISTED = "No provider is listed: write [[providers]] and [[endpoints]] into voxgate.toml."

providers_app = typer.Typer(
    name="providers", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None
)


@providers_app.callback()
def providers_command() -> None:
    """List the providers elsewhere, and try what they really do.

    They are tables of voxgate.toml, [[providers]] and [[endpoints]]: docs/providers.md.
    """


@providers_app.command("list")
def list_providers(as_json: JsonFlag = False) -> None:
    """List the providers, whether their keys are there, and below them their models.

    Asks nobody. A key is named by its place: its value is not shown.
    """
    from voxgate.cli.provider_facts import (
        ENDPOINT_HEADINGS,
        PROVIDER_HEADINGS,
        endpoint_rows,
        priced_endpoints,
        provider_facts,
        provider_row,
    )

    settings = apply_settings()
    priced = priced_endpoints(settings)
    facts = [provider_facts(each, priced, settings) for each in settings.endpoints.upstreams]
    if as_json:
        write_json(facts)
        return
    if not facts:
        print_message(NONE_LISTED)
        return
    tables.print_table(PROVIDER_HEADINGS, list(map(provider_row, facts)))
    write_output("\n")
    tables.print_table(ENDPOINT_HEADINGS, [row for each in facts for row in endpoint_rows(each)])


@providers_app.command("test")
def try_providers(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One provider; all of them by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Send ten seconds of known speech to each endpoint, and show what it makes of them.

    Each endpoint is asked once, which costs what the provider takes for ten seconds. The sentence
    is spoken by a synthesiser: an endpoint makes more errors of it than of people.

    Exits with 0 if every endpoint works, with 1 otherwise.
    """
    from voxgate.cli.endpoint_trial import try_endpoints
    from voxgate.cli.provider_facts import priced_endpoints

    settings = apply_settings()
    endpoints, priced = _chosen(name, settings), priced_endpoints(settings)
    trials = signals.run_until_signal(try_endpoints(endpoints, settings))
    facts = [{**trial.facts(), "price": _record(priced[trial.endpoint])} for trial in trials]
    if as_json:
        write_json(facts)
    else:
        tables.print_table(TRIAL_HEADINGS, list(map(_row, facts)))
        for trial in trials:
            for sentence in filter(None, (trial.problem, *trial.notices)):
                print_message(f"{trial.endpoint.slug}: {sentence}")
    if any(trial.problem for trial in trials):
        raise typer.Exit(FAILED)


def _chosen(name: str | None, settings: Settings) -> list[Endpoint]:
    """Return the endpoints of a provider, or all. Raises `UsageError` where there are none."""
    from voxgate.configuration.names import nearest

    listed = settings.endpoints
    if name is None and not listed.entries:
        raise UsageError(NONE_LISTED)
    names = [each.name for each in listed.upstreams]
    if name is not None and name not in names:
        near = ", ".join(nearest(name, names) or names)
        raise UsageError(
            f"No provider is called '{name}'. {f'Nearest: {near}.' if near else NONE_LISTED}"
        )
    chosen = [each for each in listed.entries if name in {None, each.upstream.name}]
    if not chosen:
        raise UsageError(
            f"'{name}' has no endpoint. Write one into voxgate.toml: a table [[endpoints]]."
        )
    return chosen


def _record(price: Price | None) -> dict[str, str] | None:
    return price.record() if price else None


def _row(facts: dict[str, Any]) -> tuple[str, ...]:
    from voxgate.cli.provider_facts import price_text

    rate = facts["word_error_rate"]
    return (
        facts["provider"],
        facts["model"],
        facts["upstream_model"],
        "yes" if facts["works"] else "no",
        f"{facts['seconds']:.1f}",
        "" if rate is None else f"{rate:.0%}",
        "" if rate is None else facts["times"],
        facts["stated_times"],
        facts["language"] or "",
        price_text(facts["price"]),
    )
