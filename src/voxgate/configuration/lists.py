"""The settings that are lists: from a text with commas or, where it may be, a list in the file.

`origin` is the variable or the file that a value comes from, for messages.
"""

from __future__ import annotations

import re
from base64 import b64decode
from ipaddress import ip_network
from typing import Any

from voxgate.errors import SettingsError
from voxgate.validation import shown

ORIGIN_PATTERN = re.compile(r"https?://[^/\s@?#]+")
SECRET_BYTES = 32
HOST_PATTERN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


def parse_origins(value: Any, origin: str) -> tuple[str, ...]:
    """Return the sites in a text or a list. An origin has no path: a browser sends none.

    Raises `SettingsError`.
    """
    listed = value if isinstance(value, list) else str(value).split(",")
    sites = tuple(str(site).strip().lower() for site in listed if str(site).strip())
    for site in sites:
        if site != "*" and not ORIGIN_PATTERN.fullmatch(site):
            raise SettingsError(
                f"{origin}: 'cors_origins' must be '*', or sites as https://example.org, without a "
                f"path or a slash at the end, and is {shown(site)}."
            )
    return sites


def parse_servers(value: Any, origin: str) -> tuple[str, ...]:
    """Return the names, numbers and networks in a text or a list, in lower case.

    Raises `SettingsError`.
    """
    listed = value if isinstance(value, list) else str(value).split(",")
    entries = tuple(str(entry).strip().lower().rstrip(".") for entry in listed)
    entries = tuple(filter(None, entries))
    for entry in entries:
        if not (_is_network(entry) or HOST_PATTERN.fullmatch(entry)):
            raise SettingsError(
                f"{origin}: 'url_allow' must be 'public', names of hosts without a port, numbers "
                f"or networks, as 'public, nas.lan, 10.0.0.0/8', and is {shown(entry)}."
            )
    return entries


def parse_aliases(text: str, origin: str) -> tuple[tuple[str, str], ...]:
    """Return the pairs of an alias and a model's name in a text. Raises `SettingsError`."""
    pairs = dict(_pair(part, origin) for part in text.split(",") if part.strip())
    return tuple(pairs.items())


def parse_secrets(value: Any, origin: str, *, name: str) -> tuple[bytes, ...]:
    """Return the secrets in a text or a list, each 32 bytes in base64.

    Raises `SettingsError`, which does not show them.
    """
    listed = value if isinstance(value, list) else str(value).split(",")
    secrets = tuple(_secret(str(entry).strip()) for entry in listed if str(entry).strip())
    if any(len(secret) != SECRET_BYTES for secret in secrets):
        raise SettingsError(
            f"{origin}: '{name}' must be {SECRET_BYTES} random bytes in base64, as "
            f"`openssl rand -base64 {SECRET_BYTES}` prints them, with commas between several."
        )
    return secrets


def _secret(text: str) -> bytes:
    """Return the bytes in base64; none where it is not base64."""
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _is_network(entry: str) -> bool:
    try:
        ip_network(entry)
    except ValueError:
        return False
    return True


def _pair(text: str, origin: str) -> tuple[str, str]:
    alias, _, name = (part.strip() for part in text.partition("="))
    if not (alias and name):
        raise SettingsError(
            f"{origin}: 'model_aliases' must be pairs as 'whisper-1 = openai/whisper-base', with "
            f"commas between, and is {shown(text)}."
        )
    return alias, name
