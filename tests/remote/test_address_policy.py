"""Which addresses are of the internet, and what an allow-list opens."""

from __future__ import annotations

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest

from voxgate.remote.address_policy import AddressPolicy, is_public

PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "100.63.255.255", "172.15.255.255", "172.32.0.1", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808", "::ffff:8.8.8.8"),
)
PRIVATE = (
    *("0.0.0.0", "10.255.255.255", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.31.0.1"),  # noqa: S104
    *("192.168.1.1", "198.19.0.1", "224.0.0.251", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "fe80::1", "fec0::1", "fd00:ec2::254", "ff0e::1", "100::1", "::10.0.0.1"),
    *("::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:808:808::1"),
    *("2001:0:808:808::1", "2001:db8::1", "3fff::1", "5f00::1"),
)


@pytest.mark.parametrize("number", PUBLIC)
def test_the_internet(number: str) -> None:
    assert is_public(ip_address(number))
    assert AddressPolicy.listed(("public",)).allows("a.example", ip_address(number))
    assert not AddressPolicy().allows("a.example", ip_address(number))


@pytest.mark.parametrize("number", PRIVATE)
def test_everything_else(number: str) -> None:
    assert not is_public(ip_address(number))
    assert not AddressPolicy.listed(("public",)).allows("a.example", ip_address(number))
    assert AddressPolicy(everything=True).allows("a.example", ip_address(number))


def test_no_form_of_a_private_address_is_public() -> None:
    """Random IPv4 addresses, in every IPv6 form that holds one, against Python's own opinion."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(2000):
        address = IPv4Address(rng.randrange(2**32))
        if address.is_private or address.is_multicast or address.is_reserved:
            assert not is_public(address), address
        number = int(address)
        for prefix in (0xFFFF << 32, 0x64FF9B << 96):  # mapped, NAT64
            assert is_public(IPv6Address(prefix | number)) == is_public(address), address
        for form in (number, 0x2002 << 112 | number << 80, 0x20010000 << 96 | number):
            assert not is_public(IPv6Address(form)), address


def test_an_allow_list_opens_hosts_numbers_and_networks() -> None:
    policy = AddressPolicy.listed(("nas.lan", "10.1.0.0/16", "192.168.1.7", "fd00::/8"))
    for host, number in {
        "nas.lan": "192.168.9.9",
        "a.example": "10.1.2.3",
        "b.example": "192.168.1.7",
        "c.example": "fd12::1",
        "d.example": "::ffff:10.1.2.3",
    }.items():
        assert policy.allows(host, ip_address(number)), host
    for host, number in {
        "other.lan": "192.168.9.9",
        "sub.nas.lan": "192.168.9.9",
        "a.example": "10.2.0.1",
        "b.example": "8.8.8.8",
    }.items():
        assert not policy.allows(host, ip_address(number)), host
