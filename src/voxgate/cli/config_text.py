"""The configuration as TOML and as JSON, with the origin of each value and without passwords."""

from __future__ import annotations

import textwrap
from datetime import date
from decimal import Decimal
from math import isinf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from voxgate.api.setting_texts import HIDDEN, database_text, setting_descriptions
from voxgate.configuration.values import UNLIMITED_BYTES
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from voxgate.configuration.file import ConfigFile
    from voxgate.configuration.given import Given
    from voxgate.ledger.key_tables import KeyTable, ListedKey
    from voxgate.prices import ListedPrice
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint, EndpointList, Upstream

WIDTH = 100
DEFAULT = "default"
ABOUT_KEYS = (
    "The keys that the file lists. `voxgate keys list` has those of the ledger, where a server, or "
    "`voxgate keys apply`, has put these."
)
ABOUT_PROVIDERS = "Providers elsewhere, whose models the tables [[endpoints]] name."


def configuration_toml(
    settings: Settings, given: Given, file: ConfigFile, keys: Sequence[ListedKey]
) -> str:
    """Return the configuration in effect as TOML that `voxgate.toml` may have.

    What is not shown, and what has no number, is a comment.
    """
    head = f"{file.path}{'' if file.exists else ' is not there.'}"
    lines, tables = [f"# {printable(head)}\n"], []
    for name, description in setting_descriptions().items():
        value, origin = _plain(name, getattr(settings, name)), given.origins.get(name, DEFAULT)
        about = _comment(description)
        if name == "prices" and value:
            rows = [table_toml(name, row, origin) for row in value]
            tables.append(about + "\n".join(rows))
        elif name == "endpoints" and value:
            rows = [table_toml(kind, row, origin) for kind in value for row in value[kind]]
            tables.append(about + "\n".join(rows))
        elif name == "model_aliases" and value:
            pairs = "".join(map(_pair, value.items()))
            tables.append(f"{about}[{name}]{_remark(origin)}\n{pairs}")
        elif value in (HIDDEN, [HIDDEN]):
            hidden = "[...]" if isinstance(value, list) else "..."
            lines.append(f"{about}# {name} = {hidden}{_remark(f'set, not shown: {origin}')}\n")
        elif value == UNLIMITED_BYTES:
            lines.append(f"{about}# {name}: no limit{_remark(origin)}\n")
        else:
            lines.append(f"{about}{_pair((name, value), origin)}")
    if keys:
        rows = [table_toml("keys", key_pairs(each.table), each.place) for each in keys]
        tables.append(_comment(ABOUT_KEYS) + "\n".join(rows))
    else:
        lines.append(f"{_comment(ABOUT_KEYS)}{_pair(('keys', []), DEFAULT)}")
    return "\n".join([*lines, *tables])


def configuration_json(
    settings: Settings, given: Given, file: ConfigFile, keys: Sequence[ListedKey]
) -> dict[str, Any]:
    """Return the same for programs. What JSON has no number for is a text."""
    found = {
        name: {
            "value": _json(_plain(name, getattr(settings, name))),
            "origin": given.origins.get(name, DEFAULT),
            "description": description,
        }
        for name, description in setting_descriptions().items()
    }
    listed = [{**_json(key_pairs(each.table)), "origin": each.place} for each in keys]
    return {"file": str(file.path), "exists": file.exists, "settings": found, "keys": listed}


def table_toml(name: str, pairs: Mapping[str, Any], origin: str = "") -> str:
    """Return a table `[[name]]` with its values."""
    return f"[[{name}]]{_remark(origin)}\n" + "".join(map(_pair, pairs.items()))


def key_pairs(table: KeyTable) -> dict[str, Any]:
    """Return what a table of a key says, besides what is so without it."""
    given = table.model_dump(exclude_none=True)
    return {name: value for name, value in given.items() if value is not False and value != []}


def _pair(pair: tuple[str, Any], origin: str = "") -> str:
    name, value = pair
    return f"{tomlkit.key(name).as_string()} = {_written(value)}{_remark(origin)}\n"


def _remark(origin: str) -> str:
    return f"  # {printable(origin)}" if origin else ""


def _written(value: Any) -> str:
    if isinstance(value, Decimal):  # which tomlkit does not write, and the file is read as
        return f"{value:f}"
    return "{}" if value == {} else tomlkit.item(value).as_string()


def _plain(name: str, value: Any) -> Any:
    """Return a setting as TOML has it."""
    if name in _PLAIN:
        return _PLAIN[name](value)
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _price(listed: ListedPrice) -> dict[str, Any]:
    price = listed.price
    return {
        "model": listed.model,
        "amount": price.amount,
        "unit": price.unit,
        **({"provider": listed.provider} if listed.provider else {}),
        **({"minimum_s": price.minimum_s} if price.minimum_s else {}),
        **({"increment_s": price.increment_s} if price.increment_s else {}),
        **({"valid_from": listed.valid_from} if listed.valid_from > date.min else {}),
    }


def _providers_and_endpoints(listed: EndpointList) -> Any:
    """Return the tables of both by their names; an empty list where there are none."""
    if not listed.upstreams:
        return []
    return {
        "providers": list(map(_provider, listed.upstreams)),
        "endpoints": list(map(_endpoint, listed.entries)),
    }


def _provider(upstream: Upstream) -> dict[str, Any]:
    """Return a provider with all that is so by its kind. Keys are named by their places alone."""
    return {
        "name": upstream.name,
        "kind": upstream.kind,
        "url": upstream.url,
        "keys": list(upstream.keys),
        "max_bytes": upstream.max_bytes,
        "max_s": upstream.max_s,
        "formats": list(upstream.formats),
        "concurrency": upstream.concurrency,
        "patience_s": upstream.patience_s,
        **upstream.policy,
    }


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    optional = {
        "languages": list(endpoint.languages),
        "times": endpoint.times,
        "window_s": endpoint.window_s,
        "quantization": endpoint.quantization,
        "answers": endpoint.answers,
        "hears_s": endpoint.hears_s,
    }
    return {
        "model": endpoint.model,
        "provider": endpoint.upstream.name,
        "upstream_model": endpoint.upstream_model,
        **{name: value for name, value in optional.items() if value},
        **({} if endpoint.transcribes else {"transcribes": False}),
    }


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "database_url": lambda value: database_text(value) if value else "",
    "page_secret": lambda value: [HIDDEN] if value else [],
    "oidc_client_secret": lambda value: HIDDEN if value else "",
    "transcript_key": lambda value: [HIDDEN] if value else [],
    "prices": lambda value: [_price(each) for each in value.entries],
    "endpoints": _providers_and_endpoints,
    "model_aliases": dict,
}
"""Settings that are not written as they are."""


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _json(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_json(part) for part in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float) and isinf(value):
        return "inf"
    return value.isoformat() if isinstance(value, date) else value


def _comment(text: str) -> str:
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "".join(f"{line}\n" for line in lines)
