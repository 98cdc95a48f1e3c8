"""`--offline`: no socket of this process leaves the machine.

Whoever wants to reach another machine is refused before anything is sent, whichever library it is:
Python tells its audit hooks of every address (docs.python.org/3/library/audit_events.html). An
address of the loopback and a Unix socket stay open. A hook cannot be taken out again, so it is for
processes of our own alone, and not for a program that imports Voxgate. What the hook does not see,
and what closes those ways, is in docs/decisions/0015-offline.md.
"""

from __future__ import annotations

import os
import socket
import sys
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from voxgate.errors import OfflineError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "VOXGATE_OFFLINE"
HUB = "https://huggingface.co"  # where huggingface_hub turns to without HF_ENDPOINT
QUIET = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""What libraries of models read when they are imported: then they do not even try."""

ENDING = "leave out `offline`: on the command line, in VOXGATE_OFFLINE and in config.toml"
"""How sentences end: the one way to have it otherwise."""

_enforced = False


def heed() -> Settings:
    """The settings of a process of ours, and its ways out closed if they say so.

    Raises `SettingsError`.
    """
    settings = Settings.read()
    if settings.offline:
        enforce()
    return settings


def enforce() -> None:
    """Close every way out of this machine, for this process and those that it starts."""
    global _enforced  # noqa: PLW0603 (of the whole process, as the hook is)
    if _enforced:
        return
    os.environ[VARIABLE] = "1"
    if not is_here(hub()):
        os.environ.update(QUIET)
    sys.addaudithook(_see)
    _enforced = True


def enforced() -> bool:
    """Whether this process's ways out are closed."""
    return _enforced


def told(settings: Settings) -> Mapping[str, str]:
    """What a child's environment needs beside ours, so that it does as its owner."""
    return {VARIABLE: "1" if settings.offline else "0"}


def obey() -> None:
    """In a child, do as it was `told`. Its settings are its owner's, and not read again."""
    if os.environ.get(VARIABLE) == "1":
        enforce()


def hub() -> str:
    """The URL of the hub of models."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine, by the loopback."""
    try:
        return _is_loopback(urlsplit(url).hostname or "")
    except ValueError:  # it is none
        return False


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: raises `OfflineError` for what would leave."""
    look = _LOOKS.get(event)
    if look is not None:
        look(*arguments)


def _at_sending(sock: socket.socket, address: Any) -> None:
    """`connect`, `sendto` and `sendmsg`, the last without an address on a connected socket."""
    if address is not None:
        _look(sock, address, "reach", also=("0.0.0.0", "::"))  # noqa: S104 (to send there is to send here)


def _at_bind(sock: socket.socket, address: Any) -> None:
    _look(sock, address, "listen at")


def _look(sock: socket.socket, address: Any, verb: str, also: tuple[str, ...] = ()) -> None:
    if sock.family == socket.AF_UNIX:
        return
    if sock.family in {socket.AF_INET, socket.AF_INET6}:
        host, port = _text(address[0]), address[1]
        if _is_loopback(host) or host in also:
            return
        raise _refused(f"{verb} {host or 'every address'}, port {port}")
    raise _refused(f"use a socket of the kind {sock.family}")


def _at_lookup(host: Any, *_: Any) -> None:
    """`getaddrinfo` and `gethostbyname`: a name is looked up at a name server elsewhere."""
    name = _text(host)
    if name and name != "localhost" and not _is_address(name):
        raise _refused(f"look up the name '{name}'")


def _at_reverse_lookup(address: Any, *_: Any) -> None:
    """`gethostbyaddr`, with a host, and `getnameinfo`, with an address."""
    host = _text(address[0] if isinstance(address, tuple) else address)
    if not _is_loopback(host):
        raise _refused(f"look up the name of {host}")


_LOOKS: dict[str, Callable[..., None]] = {
    "socket.connect": _at_sending,
    "socket.sendto": _at_sending,
    "socket.sendmsg": _at_sending,
    "socket.bind": _at_bind,
    "socket.getaddrinfo": _at_lookup,
    "socket.gethostbyname": _at_lookup,
    "socket.gethostbyaddr": _at_reverse_lookup,
    "socket.getnameinfo": _at_reverse_lookup,
}


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine. Of names `localhost` alone: others may be looked up."""
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _text(host: Any) -> str:
    """A host as the socket module takes it: text, bytes, or None for any."""
    return host.decode("ascii", "replace") if isinstance(host, bytes | bytearray) else host or ""


def _refused(what: str) -> OfflineError:
    return OfflineError(
        f"Voxgate is offline, and something here wanted to {what}. Nothing was sent. If it may, "
        f"{ENDING}."
    )
