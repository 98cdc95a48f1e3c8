"""The names of settings: which variables are settings, and what an unknown name is near to.

Kubernetes describes every service to the pods beside it: for a service `voxgate` by variables such
as `VOXGATE_SERVICE_HOST`, for a service `voxgate-web` by `VOXGATE_WEB_SERVICE_HOST`. See
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

ENVIRONMENT_PREFIX = "VOXGATE_"
FILE_VARIABLE = "VOXGATE_CONFIG"
"""Names the configuration file."""

FILE_ONLY = {"endpoints"}
"""Settings that have no variable."""

PRICE_FIELDS = ("model", "amount", "unit", "provider", "minimum_s", "increment_s", "valid_from")
PROVIDER_FIELDS = (
    *("name", "kind", "url", "keys", "max_bytes", "max_s", "formats", "concurrency", "patience_s"),
    *("data_collection", "zdr"),
)
ENDPOINT_FIELDS = (
    *("model", "provider", "upstream_model", "languages", "times", "window_s", "quantization"),
    *("answers", "hears_s", "transcribes"),
)
KEY_FIELDS = (
    "name",
    "hash",
    "label",
    "limit",
    "limit_minutes",
    "limit_reset",
    "expires_at",
    "allowed_models",
    "requests_per_minute",
    "max_recordings",
    "keep_transcripts_days",
    "labels",
    "management",
    "disabled",
    "external_user",
)
"""The fields of a table `[[keys]]`, which the ledger reads."""

_FIELDS = {
    "keys": KEY_FIELDS,
    "prices": PRICE_FIELDS,
    "providers": PROVIDER_FIELDS,
    "endpoints": ENDPOINT_FIELDS,
}

FOREIGN_VARIABLES = {
    FILE_VARIABLE,
    "VOXGATE_AUDIO",  # the tests' and benchmarks' folder of recordings
    "VOXGATE_SCREENSHOTS",  # where the tests keep a picture of every page
    "VOXGATE_SERVER",  # this and the next one are options of the command line
    "VOXGATE_KEY",
}
"""Voxgate's environment variables that are not settings."""

_SERVICE_VARIABLE = re.compile(
    r"VOXGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_PORT = re.compile(r"VOXGATE_(\w+_)?PORT")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def is_foreign(variable: str, value: str) -> bool:
    """Return whether an environment variable has another purpose than a setting.

    A `VOXGATE_PORT` is one of Kubernetes only if its value says so, as `tcp://10.0.0.1:80` does.
    """
    if not variable.startswith(ENVIRONMENT_PREFIX) or variable in FOREIGN_VARIABLES:
        return True
    if _SERVICE_VARIABLE.fullmatch(variable):
        return True
    return bool(_SERVICE_PORT.fullmatch(variable) and _SERVICE_ADDRESS.match(value))


def unknown_variable(variable: str, known: Iterable[str]) -> SettingsError:
    """Return the error for an environment variable that is not a setting."""
    name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
    near = [ENVIRONMENT_PREFIX + each.upper() for each in nearest(name, known)]
    return _unknown(f"{variable} in the environment", near)


def file_only(variable: str, name: str) -> SettingsError:
    """Return the error for an environment variable of a setting that only the file can have."""
    return SettingsError(
        f"{variable} in the environment is not read: '{name}' are tables of voxgate.toml alone, "
        f"[[{name}]]. Write them there."
    )


def unknown_name(name: str, place: str, known: Iterable[str]) -> SettingsError:
    """Return the error for a name in the file that is not a setting. `place` is where it is."""
    tables = [f"[[{table}]]" for table, its_fields in _FIELDS.items() if name in its_fields]
    if tables:
        return SettingsError(
            f"{place}: '{name}' is not a setting. It is a field of {' and of '.join(tables)}. Move "
            f"it below that line."
        )
    return _unknown(f"{place}: '{name}'", [f"'{each}'" for each in nearest(name, known)])


def unknown_field(
    name: str, place: str, table: str, known: Iterable[str], settings: Collection[str]
) -> SettingsError:
    """Return the error for a name in one of the tables `[[table]]` that these have not."""
    near = ", ".join(nearest(name, known))
    if name in settings:
        hint = misplaced(name)
    else:
        hint = f"Nearest: {near}." if near else f"It has {', '.join(known)}."
    return SettingsError(f"{place}: [[{table}]] has no '{name}'. {hint}")


def misplaced(name: str) -> str:
    """Return the sentences for a setting that stands below the line of a table."""
    return f"'{name}' is a setting, and stands above the first table. Move it there."


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that somebody may have meant, the most similar first."""
    return get_close_matches(name, list(known), n=3)


def _unknown(place: str, near: list[str]) -> SettingsError:
    hint = f"Nearest: {', '.join(near)}. " if near else ""
    return SettingsError(f"{place} is not a setting. {hint}`voxgate config show` lists them all.")
