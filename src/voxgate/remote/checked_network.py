"""`CheckedNetwork`: opens connections to checked addresses only.

A name is resolved once. All its addresses are checked, and a connection is opened to one of them by
its number. So nothing can change between the check and the connection: a name that has another
address the next time is not asked a next time. TLS and the Host header keep the name.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, TypeAlias

import httpcore2

from voxgate.errors import AudioError, UsageError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from voxgate.remote.address_policy import AddressPolicy, IPAddress

    Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[IPAddress]]]

ATTEMPT_S = 10.0
"""How long one of a name's addresses may take to answer before the next one is tried."""


LOOKUPS = ThreadPoolExecutor(4, thread_name_prefix="lookup")
"""Threads of their own: a name server that is slow must not hold up the work of other threads."""


async def resolve(host: str, port: int) -> Sequence[IPAddress]:
    """Return the addresses of a name or number, in the system's order. Raises `OSError`."""
    lookup = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(LOOKUPS, lookup)
    numbers = (str(address[0]).partition("%")[0] for *_, address in found)
    return [ip_address(number) for number in dict.fromkeys(numbers)]


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """The connections of an httpcore client, to what the policy allows."""

    def __init__(self, policy: AddressPolicy, resolver: Resolver = resolve) -> None:
        self._policy, self._resolve = policy, resolver
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (of the protocol)
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first address of `host` that answers.

        Raises `UsageError` (`url_refused`) if any of its addresses is not allowed, `AudioError`
        (`fetch_failed`) if the name has none, and httpcore's `ConnectError` and `ConnectTimeout`.
        """
        failure: Exception | None = None
        for address in await self._allowed(host, port):
            try:
                return await self._network.connect_tcp(
                    str(address),
                    port,
                    min(timeout or ATTEMPT_S, ATTEMPT_S),
                    local_address,
                    socket_options,
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = failure or error
        raise failure or self._no_address(host)

    async def _allowed(self, host: str, port: int) -> Sequence[IPAddress]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise self._no_address(host) from error
        if not all(self._policy.allows(host, address) for address in addresses):
            raise self._no_address(host)
        return addresses

    def _no_address(self, host: str) -> VoxgateError:
        """Return the error for a name without addresses, or with one that is not allowed.

        Where a policy forbids some, it is one sentence for both: the difference would tell a
        stranger which names the private network has.
        """
        if self._policy.everything:
            return AudioError(
                f"The name '{host}' has no address. Check its spelling, and whether this machine "
                f"has a network.",
                code="fetch_failed",
            )
        return UsageError(
            f"{host} has no address that this server may fetch from. Check the name, or send the "
            f"recording itself; the server's operator can allow more in VOXGATE_URL_ALLOW.",
            code="url_refused",
        )
