"""A fetcher for tests: one address of the loopback stands for the internet."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from typing import TYPE_CHECKING, Any

from tests.websites import PUBLIC_HOST
from voxgate.api.body.request_body import recording_too_large
from voxgate.remote.address_policy import AddressPolicy
from voxgate.remote.checked_network import resolve
from voxgate.remote.fetcher import Fetcher
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from voxgate.remote.address_policy import IPAddress
    from voxgate.remote.checked_network import Resolver

POLICY = AddressPolicy.listed(("public", PUBLIC_HOST))
LIMIT = 1_000_000  # bytes
NAMES: dict[str, tuple[str, ...]] = {
    "public.example": (PUBLIC_HOST,),
    "loopback.example": ("127.0.0.1",),
    "metadata.example": ("169.254.169.254",),
    "mixed.example": (PUBLIC_HOST, "127.0.0.1"),
    "mapped.example": ("::ffff:127.0.0.1",),
    "nat64.example": ("64:ff9b::7f00:1",),
    "none.example": (),
}


async def resolve_names(host: str, port: int) -> Sequence[IPAddress]:
    """Look a name up in the table of the test; numbers, in every spelling, in the system."""
    if host in NAMES:
        return [ip_address(number) for number in NAMES[host]]
    return await resolve(host, port)


class Rebinding:
    """A resolver whose names have another address each time."""

    def __init__(self, *numbers: str) -> None:
        self._numbers = list(numbers)

    async def __call__(self, _host: str, _port: int) -> Sequence[IPAddress]:
        return [IPv4Address(self._numbers.pop(0))]

    @property
    def left(self) -> int:
        return len(self._numbers)


def fetcher(
    folder: Path,
    policy: AddressPolicy = POLICY,
    resolver: Resolver = resolve_names,
    limit: int = LIMIT,
    **settings: Any,
) -> Fetcher:
    chosen = replace(Settings(), spool_dir=folder / "spool", **settings)
    return Fetcher(chosen, policy, limit=limit, too_large=recording_too_large, resolver=resolver)
