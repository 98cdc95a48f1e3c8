"""The value of a setting: what a text in the environment, or a value of the file, means."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxgate.configuration.lists import parse_aliases, parse_origins, parse_secrets, parse_servers
from voxgate.errors import SettingsError
from voxgate.prices import parse_prices
from voxgate.validation import shown

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_PORT = 65_535
MOST_THREADS = 1024
"""With many more threads OpenMP's library cannot start them all, and ends the process."""

UNLIMITED_BYTES = 2**63 - 1
"""More memory than there is: where a limit is not set, or not known."""

DEVICE_PATTERN = re.compile(r"auto|cpu|cuda(:\d{1,2})?", re.ASCII)

CHOICES = {
    "auth": ("keys", "off"),
    "kernels": ("", "off", "avx2", "avxvnni", "avx512vnni", "avx512bf16", "neon"),
    "log_format": ("text", "json"),
    "log_level": ("debug", "info", "warning", "error"),
    "profile": ("auto", "exact", "balanced", "fast"),
    "while_loading": ("wait", "refuse"),
}
MAY_BE_ZERO = {"canary_every_s", "credits", "threads"}
LISTS: dict[str, Callable[[Any, str], Any]] = {
    "cors_origins": parse_origins,
    "model_aliases": parse_aliases,
    "prices": parse_prices,
    "page_secret": partial(parse_secrets, name="page_secret"),
    "transcript_key": partial(parse_secrets, name="transcript_key"),
    "url_allow": parse_servers,
}


def parse_value(name: str, kind: Any, value: Any, origin: str) -> Any:
    """Return the value of a setting, of the type `kind`, from a text or a value of the file.

    `origin` is the variable or the file that it comes from. Raises `SettingsError`.
    """
    if name in CHOICES and value not in CHOICES[name]:
        *others, last = (f"'{choice}'" for choice in CHOICES[name])
        choices = f"{', '.join(others)} or {last}"
        raise SettingsError(f"{origin}: '{name}' must be {choices}, and is {shown(value)}.")
    if name == "device" and not DEVICE_PATTERN.fullmatch(str(value)):
        raise SettingsError(
            f"{origin}: 'device' must be auto, cpu, cuda or cuda:N, and is {shown(value)}."
        )
    if name == "port":
        return _port(value, origin)
    if name in LISTS:
        return LISTS[name](value, origin)
    if kind is bool:
        return _flag(name, value, origin)
    try:
        if kind is str:
            return str(value)
        if issubclass(kind, Path):
            return Path(value).expanduser()
        number = kind(value)
        if not (number > 0 or (number == 0 and name in MAY_BE_ZERO)):  # also true for NaN
            raise ValueError("not above zero")
    except (TypeError, ValueError, OverflowError) as error:
        expected = {int: "a whole number", float: "a number"}.get(kind, "a path")
        least = "of at least" if name in MAY_BE_ZERO else "above"
        raise SettingsError(
            f"{origin}: '{name}' must be {expected} {least} zero, and is {shown(value)}."
        ) from error
    return number


def _port(value: Any, origin: str) -> int:
    try:
        port = int(value)
        if not 0 <= port <= MAX_PORT:
            raise ValueError("no port")
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"{origin}: 'port' must be a port from 0 to {MAX_PORT}, and is {shown(value)}."
        ) from error
    return port


def _flag(name: str, value: Any, origin: str) -> bool:
    flags = {"1": True, "true": True, "yes": True, "on": True}
    flags |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return flags[str(value).lower()]
    except KeyError:
        raise SettingsError(f"{origin}: '{name}' must be 1 or 0, and is {shown(value)}.") from None
