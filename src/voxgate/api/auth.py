"""The key of a request; without keys, the check that the request comes from this machine."""

from __future__ import annotations

import base64
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request  # noqa: TC002 (FastAPI evaluates it)

from voxgate.api.request_log import RequestEntry
from voxgate.errors import SettingsError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from voxgate.api.gateway import Gateway
    from voxgate.ledger.key import Key
    from voxgate.settings import Settings

MAX_KEY = 200  # characters; a key of this server has 49

SIGNED_IN = "voxgate.signed_in"
"""In the scope of a request without a key, where a page sent it: the hash of its visitor's key."""


async def caller(request: Request) -> Key | None:
    """Return the key that a request carries, or None where keys are off. The log gets its name.

    Raises `VoxgateError` (`authentication`), and `BusyError` for the last of too many wrong keys
    from one address. Where keys are off, raises `VoxgateError`
    (`permission_denied`) for a page of another site that is open in a browser on this machine and
    is not in `cors_origins`: it could read all transcripts through the loopback.
    """
    gateway: Gateway = request.app.state.gateway
    headers, settings = request.headers, gateway.settings
    if settings.auth == "off":
        _check_local_page(headers, settings.cors_origins)
        return None
    secret = _secret(headers.get("authorization", ""))
    signed_in: str = request.scope.get(SIGNED_IN, "")
    if not secret and not signed_in:
        raise VoxgateError(
            "The request has no key. Send the header 'Authorization: Bearer sk-vg-...', or the key "
            "as the password of the address, http://key:sk-vg-...@HOST; `voxgate keys create "
            "--name NAME` on the server makes one.",
            code="authentication",
        )
    if not secret:
        key = await gateway.ledger.keys.valid(signed_in)
    else:
        key = await gateway.ledger.keys.authenticate(secret) if len(secret) <= MAX_KEY else None
    if key is None:
        gateway.wrong_keys.add(request.client.host if request.client else "")
        raise VoxgateError(
            "The key is not valid here: unknown, or revoked. `voxgate keys list` on the server "
            "says which are, `voxgate keys create --name NAME` makes a new one.",
            code="authentication",
        )
    RequestEntry.of(request.scope).key_name = key.name
    return key


async def transcriber(request: Request) -> Key | None:
    """Return what `caller` returns, for work on recordings.

    Raises what `caller` raises, and `VoxgateError` (`permission_denied`) for a management key.
    """
    key = await caller(request)
    if key is not None and key.management:
        raise VoxgateError(
            f"The key '{key.name}' is a management key, which does not transcribe. Use another "
            f"key: `voxgate keys create --name NAME` makes one.",
            code="permission_denied",
        )
    return key


async def manager(request: Request) -> Key | None:
    """Return what `caller` returns, for what management keys alone may do.

    Raises what `caller` raises, and `VoxgateError` (`permission_denied`) for any other key.
    """
    key = await caller(request)
    if key is not None and not key.management:
        raise VoxgateError(
            f"The key '{key.name}' is no management key, and only those may do this: `voxgate keys "
            f"create --name NAME --management` on the server makes one.",
            code="permission_denied",
        )
    return key


async def ledger_manager(request: Request) -> Key | None:
    """Return what `manager` returns, for what the ledger has of all keys: them, and their money.

    Raises what `manager` raises, and `VoxgateError` (`permission_denied`) where no key is asked for
    and the keys may be those of other servers, too.
    """
    key = await manager(request)
    if not manages(key, request.app.state.gateway.settings):
        raise VoxgateError(
            "This server asks for no keys, and its database may be that of other servers, so its "
            "API neither manages keys nor tells what all of them used. Use the command line: "
            "`voxgate keys` and `voxgate usage`, with the server's VOXGATE_DATABASE_URL.",
            code="permission_denied",
        )
    return key


def manages(key: Key | None, settings: Settings) -> bool:
    """Return whether a caller may read and change what the ledger has of all keys.

    Without a key, that is whoever uses the machine: of a file of this machine, not of a database.
    """
    return key.management if key else not settings.database_url


async def check_given_key(request: Request) -> None:
    """Check the key of a request that needs none, if it has one. Raises what `caller` raises."""
    gateway: Gateway = request.app.state.gateway
    given = request.headers.get("authorization", "").strip()
    if gateway.settings.auth != "off" and given.lower() not in {"", "bearer"}:
        await caller(request)


def _secret(authorization: str) -> str:
    """Return the key in a header: a Bearer's, or the password that HTTP clients make of an address.

    Clients of other speech servers know no keys, but most take an address with a password.
    """
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # not base64, not ASCII, or not UTF-8 below it
        return ""
    return (password or user).strip()


def check_host(host: str, settings: Settings) -> None:
    """Raise `SettingsError` for a server without keys on any address but the loopback."""
    if settings.auth == "off" and not is_loopback(host):
        raise SettingsError(
            f"Without keys (VOXGATE_AUTH=off) the server listens on the loopback alone, not on "
            f"{host}. Leave out --host, or let it ask for keys."
        )


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback one."""
    host = host.strip("[]").lower()
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check_local_page(headers: Mapping[str, str], allowed: Collection[str]) -> None:
    origin = headers.get("origin")
    same_machine = origin is None or origin in allowed or is_loopback(_host(origin))
    if not (is_loopback(_host(f"//{headers.get('host', '')}")) and same_machine):
        raise VoxgateError(
            "This server asks for no keys, so it answers to this machine alone: use "
            "http://127.0.0.1 or http://localhost, and no page of a site that VOXGATE_CORS_ORIGINS "
            "does not name.",
            code="permission_denied",
        )


def _host(url: str) -> str:
    """Return the host of a URL, or "" where it has none or is invalid."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
