"""`WrongKeys`: how many wrong keys an address may send, so that a guess or a loop costs little."""

from __future__ import annotations

import math
import time
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

from voxgate.errors import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 20
"""Wrong keys that an address may send at once; as many more within each `PERIOD_S`."""

PERIOD_S = 60.0
MAX_ADDRESSES = 4096
"""Addresses that are remembered: those that sent a wrong key last. Less than 1 MB."""


class WrongKeys:
    """Counts wrong keys by the address that sent them. A count drains evenly over `PERIOD_S`.

    A right key is never asked about here, so it is taken from every address.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, tuple[float, float]] = {}  # count and its time; the latest last

    def add(self, address: str) -> None:
        """Count one wrong key. Raises `BusyError` where an address has sent too many."""
        sender, now = _sender(address), self._clock()
        count, since = self._counts.pop(sender, (0.0, now))
        count = max(0.0, count - (now - since) * MOST / PERIOD_S)
        excess = count + 1 - MOST
        self._counts[sender] = (count if excess > 0 else count + 1, now)
        if len(self._counts) > MAX_ADDRESSES:
            del self._counts[next(iter(self._counts))]
        if excess > 0:
            retry_s = math.ceil(excess * PERIOD_S / MOST)
            raise BusyError(
                f"This address has sent too many wrong keys. Correct the key, and send the request "
                f"again in {retry_s} s; `voxgate keys list` on the server says which keys are "
                f"valid.",
                retry_s,
            )


def _sender(address: str) -> str:
    """Return the address, or the network that one household has of IPv6: it may choose within."""
    try:
        number = ip_address(address)
    except ValueError:
        return address
    if not isinstance(number, IPv6Address):
        return str(number)
    return str(number.ipv4_mapped or IPv6Network((number.packed, 64), strict=False))
