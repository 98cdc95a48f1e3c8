"""Offline: no socket of this process leaves the machine, whoever opens it.

Every connection that Python code makes goes through the interpreter's audit events (PEP 578), those
of libraries too. What is loopback, or no internet address at all (Unix sockets, the kernel's own),
passes; anything else is refused before a packet is sent. Names are not looked up either: a query
tells a stranger what was wanted.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv6Address, ip_address
from socket import AF_INET, AF_INET6
from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.settings import Settings

OFFLINE_VARIABLE = "VOXGATE_OFFLINE"
_LOCAL_NAMES = {"", "localhost"}
"""Of names like `ip6-loopback` a name server is asked where the system's own list lacks them."""

_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}
_REVERSE = {"socket.gethostbyaddr", "socket.getnameinfo"}
_SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}

_enforced = False


def enforce() -> None:
    """Refuse from now on, in this process and in its children. There is no way back."""
    global _enforced  # noqa: PLW0603 (so are audit hooks: of the process, and for ever)
    os.environ[OFFLINE_VARIABLE] = "1"
    if not _enforced:
        _enforced = True
        sys.addaudithook(_look)


def child_environment(settings: Settings) -> Mapping[str, str]:
    """What a child's environment needs beside ours, so that it does as its owner's settings say."""
    return {OFFLINE_VARIABLE: "1" if settings.offline else "0"}


def inherit() -> None:
    """Do what the process that started this one was told."""
    if os.environ.get(OFFLINE_VARIABLE) == "1":
        enforce()


def is_local(host: str | None) -> bool:
    """Whether a name or an address is this machine's own, by itself and without a look-up."""
    host = (host or "").strip("[]").lower()
    if host in _LOCAL_NAMES:
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def refusal(what: str, instead: str = "") -> VoxgateError:
    """The one sentence for what would leave the machine."""
    return VoxgateError(
        f"{what}, and Voxgate was told to stay offline (--offline, {OFFLINE_VARIABLE}, or "
        f"'offline' in "
        f"config.toml). {instead or 'Leave that out to allow it.'}",
        code="offline",
    )


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event in _LOOKUPS:
        name = None if arguments[0] is None else _text(arguments[0])
        if name is not None and not is_local(name) and not _is_numeric(name):
            raise refusal(f"The address of '{name}' would be looked up")
    elif event in _REVERSE:
        host = arguments[0][0] if isinstance(arguments[0], tuple) else arguments[0]
        if not isinstance(host, str) or not is_local(host):
            raise refusal(f"The name of {host!r} would be looked up")
    elif event in _SENDING:
        _check(event, *arguments[:2])


def _check(event: str, socket: object, address: object) -> None:
    if getattr(socket, "family", None) not in {AF_INET, AF_INET6}:
        return
    if not isinstance(address, tuple):
        return  # None: sent over a connection that was let through; else the call itself refuses it
    host, port = _text(address[0]), address[1]
    if event == "socket.bind":
        if not is_local(host) or not host:
            raise refusal(f"Others could reach {host or 'every address'} port {port}")
    elif not is_local(host) or not host:
        raise refusal(f"{host or 'Every address'} port {port} would be reached")


def _text(host: object) -> str:
    """As the interpreter takes it: text or bytes of any kind. What is neither is nobody's name."""
    return host.decode(errors="replace") if isinstance(host, (bytes, bytearray)) else str(host)


def _is_numeric(host: str) -> bool:
    """An address is no name: nobody is asked for it, and it is looked at when it is used."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
