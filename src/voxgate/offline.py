"""Offline mode: no socket of this process reaches another machine.

Python's sockets raise the interpreter's audit events (PEP 578), in libraries too. An audit hook
allows loopback addresses and sockets without an internet address (Unix and kernel sockets). It
refuses everything else before a packet is sent. It also refuses name look-ups, because a query
would reveal the name to another machine.
"""

from __future__ import annotations

import os
import sys
from ipaddress import IPv6Address, ip_address
from socket import AF_INET, AF_INET6

from voxgate.errors import VoxgateError

OFFLINE_VARIABLE = "VOXGATE_OFFLINE"

_LOCAL_NAMES = {"", "localhost"}
"""Names like `ip6-loopback` are not included: some systems query a name server for them."""

_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname"}
_REVERSE = {"socket.gethostbyaddr", "socket.getnameinfo"}
_SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"}

_enforced = False


def enforce() -> None:
    """Enable offline mode for this process and its children. It cannot be disabled again."""
    global _enforced  # noqa: PLW0603 (audit hooks are also global and permanent)
    os.environ[OFFLINE_VARIABLE] = "1"
    if not _enforced:
        _enforced = True
        sys.addaudithook(_audit)


def inherit() -> None:
    """Enable offline mode if the parent process passed it on in the environment."""
    if os.environ.get(OFFLINE_VARIABLE) == "1":
        enforce()


def is_local(host: str | None) -> bool:
    """Return whether a name or an address is this machine's loopback. No name is looked up."""
    host = (host or "").strip("[]").lower()
    if host in _LOCAL_NAMES:
        return True
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def offline_error(action: str, remedy: str = "") -> VoxgateError:
    """Return the error for an action that would use the network."""
    return VoxgateError(
        f"{action}, but Voxgate must stay offline (--offline, {OFFLINE_VARIABLE}, or 'offline' in "
        f"voxgate.toml). {remedy or 'Remove that setting to allow it.'}",
        code="offline",
    )


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if event in _LOOKUPS:
        name = None if arguments[0] is None else _text(arguments[0])
        if name is not None and not is_local(name) and not _is_numeric(name):
            raise offline_error(f"This would look up the address of '{name}'")
    elif event in _REVERSE:
        host = arguments[0][0] if isinstance(arguments[0], tuple) else arguments[0]
        if not isinstance(host, str) or not is_local(host):
            raise offline_error(f"This would look up the name of {host!r}")
    elif event in _SENDING:
        _check_address(event, *arguments[:2])


def _check_address(event: str, socket: object, address: object) -> None:
    if getattr(socket, "family", None) not in {AF_INET, AF_INET6}:
        return
    if not isinstance(address, tuple):
        return  # None on a connection that was allowed; for any other type the call itself fails
    host, port = _text(address[0]), address[1]
    if event == "socket.bind":
        if not is_local(host) or not host:
            raise offline_error(f"Other machines could reach {host or 'every address'} port {port}")
    elif not is_local(host) or not host:
        raise offline_error(f"This would connect to {host or 'every address'} port {port}")


def _text(host: object) -> str:
    """Return a host as text. The interpreter accepts text and bytes; other types are no name."""
    return host.decode(errors="replace") if isinstance(host, (bytes, bytearray)) else str(host)


def _is_numeric(host: str) -> bool:
    """Return whether a host is a numeric address, which needs no look-up and is checked on use."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
