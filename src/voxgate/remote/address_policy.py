"""`AddressPolicy`: which servers recordings may be fetched from, by their names and numbers.

Python's `is_global` differs between its releases and takes multicast, 6to4 and site-local addresses
for public. So the tables are here, from IANA's registries of special-purpose addresses:
https://www.iana.org/assignments/iana-ipv4-special-registry and .../iana-ipv6-special-registry.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import TypeAlias

IPAddress: TypeAlias = IPv4Address | IPv6Address
IPNetwork: TypeAlias = IPv4Network | IPv6Network

PUBLIC = "public"
"""The entry of an allow-list that stands for the internet."""

NOT_PUBLIC: tuple[IPNetwork, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this machine
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared by a carrier's customers; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's metadata, which has a public number
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocols; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved; broadcast
        "2001::/23",  # protocols; Teredo, which holds an IPv4 address
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which holds an IPv4 address
        "3fff::/20",  # documentation
    )
)
UNICAST_6 = IPv6Network("2000::/3")
"""All IPv6 addresses of the internet. What is outside is loopback, local, multicast or reserved."""

NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks without IPv4 reach them, RFC 6052."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What may be connected to. By default nothing."""

    everything: bool = False
    public: bool = False
    hosts: frozenset[str] = frozenset()  # with whatever numbers they have
    networks: tuple[IPNetwork, ...] = ()

    @classmethod
    def listed(cls, entries: tuple[str, ...]) -> AddressPolicy:
        """Return the policy of an allow-list: `public`, numbers, networks, names of hosts."""
        networks = {entry: _network(entry) for entry in entries}
        return cls(
            public=PUBLIC in entries,
            hosts=frozenset(name for name, found in networks.items() if not found) - {PUBLIC},
            networks=tuple(network for network in networks.values() if network),
        )

    @property
    def allows_nothing(self) -> bool:
        """Whether no server at all may be connected to."""
        return self == AddressPolicy()

    def allows(self, host: str, address: IPAddress) -> bool:
        """Return whether a connection to this number, of this host's, may be opened."""
        if self.everything or host in self.hosts:
            return True
        reached = _reached(address)
        return any(reached in network for network in self.networks) or (
            self.public and is_public(address)
        )


def is_public(address: IPAddress) -> bool:
    """Return whether an address is one of the internet, and of no network in particular."""
    reached = _reached(address)
    if any(reached in network for network in NOT_PUBLIC):
        return False
    return isinstance(reached, IPv4Address) or reached in UNICAST_6


def _reached(address: IPAddress) -> IPAddress:
    """Return the IPv4 address that a connection to a mapped or NAT64 one ends at."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address


def _network(entry: str) -> IPNetwork | None:
    try:
        return ip_network(entry)
    except ValueError:
        return None
