"""What `enforce` closes and what it leaves open: each way is tried in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from voxgate.offline import is_local

TRIED = """
import asyncio, json, socket, sys
import httpx2
from voxgate.errors import VoxgateError
from voxgate.offline import enforce

enforce()
enforce()  # once is enough
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM

def of(family, kind, call):
    with socket.socket(family, kind) as made:
        made.settimeout(5)
        call(made)

def server():
    with socket.create_server(("localhost", 0)) as here:
        socket.create_connection(here.getsockname()).close()

def unix():
    of(socket.AF_UNIX, TCP, lambda s: s.bind(b"\\0voxgate-offline-%d" % id(s)))

def pair():
    one, other = socket.socketpair()
    one.sendmsg([b"x"])
    one.close(), other.close()

V4, V6 = socket.AF_INET, socket.AF_INET6
ways = {
    "connect": lambda: of(V4, TCP, lambda s: s.connect(("192.0.2.1", 9))),
    "connect_ex": lambda: of(V4, TCP, lambda s: s.connect_ex(("192.0.2.1", 9))),
    "connect by IPv6": lambda: of(V6, TCP, lambda s: s.connect(("2001:db8::1", 9))),
    "mapped": lambda: of(V6, TCP, lambda s: s.connect(("::ffff:192.0.2.1", 9))),
    "sendto": lambda: of(V4, UDP, lambda s: s.sendto(b"x", ("192.0.2.1", 9))),
    "sendto with flags": lambda: of(V4, UDP, lambda s: s.sendto(b"x", 0, ("192.0.2.1", 9))),
    "sendmsg": lambda: of(V4, UDP, lambda s: s.sendmsg([b"x"], [], 0, ("192.0.2.1", 9))),
    "broadcast": lambda: of(V4, UDP, lambda s: s.sendto(b"x", ("255.255.255.255", 9))),
    "bind": lambda: of(V4, TCP, lambda s: s.bind(("0.0.0.0", 0))),
    "bind to all": lambda: of(V6, TCP, lambda s: s.bind(("::", 0))),
    "create_server": lambda: socket.create_server(("", 0)),
    "getaddrinfo": lambda: socket.getaddrinfo("hub.example", 443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"hub.example", 443),
    "below localhost": lambda: socket.getaddrinfo("hub.localhost", 443),
    "a name for here": lambda: socket.getaddrinfo("ip6-loopback", 443),
    "another one": lambda: socket.gethostbyname("localhost.localdomain"),
    "gethostbyname": lambda: socket.gethostbyname("hub.example"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("hub.example"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 9), 0),
    "asyncio": lambda: asyncio.run(asyncio.open_connection("192.0.2.1", 9)),
    "httpx2": lambda: httpx2.get("http://192.0.2.1:9"),
    "httpx2 by name": lambda: httpx2.get("https://hub.example"),
    "here: TCP": server,
    "here: Unix": unix,
    "here: a pair": pair,
    "here: localhost": lambda: socket.getaddrinfo("localhost", 80),
    "here: any": lambda: socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE),
    "here: IPv6": lambda: of(V6, TCP, lambda s: s.connect_ex(("::1", 9))),
    "here: mapped": lambda: of(V6, TCP, lambda s: s.connect_ex(("::ffff:127.0.0.1", 9))),
    "here: its name": lambda: socket.getnameinfo(("127.0.0.1", 9), 0),
}
found = {}
for name, way in ways.items():
    try:
        way()
        found[name] = None
    except VoxgateError as error:
        assert error.code == "offline"
        found[name] = error.sentence
print(json.dumps(found))
"""


def run(code: str, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "VOXGATE_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=clean | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_way_out_is_closed_and_the_loopback_open() -> None:
    found = json.loads(run(TRIED))
    here = {name for name in found if name.startswith("here")}
    assert {name for name, sentence in found.items() if sentence is None} == here
    assert all("stay offline" in found[name] for name in found.keys() - here)
    assert found["connect by IPv6"].startswith("2001:db8::1 port 9 would be reached")
    assert found["httpx2 by name"].startswith("The address of 'hub.example' would be looked up")
    assert found["bind"].startswith("Others could reach 0.0.0.0 port 0")


def test_a_child_does_as_its_owners_settings_say() -> None:
    """Those that a program has made itself as well, whatever the environment says."""
    code = """if True:
    import os, socket
    from voxgate import offline
    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings
    for wanted in (False, True):
        os.environ.update(offline.child_environment(Settings(offline=wanted)))
        offline.inherit()
        with socket.socket() as made:
            try:
                made.bind(("0.0.0.0", 0))
                print("open")
            except VoxgateError as error:
                assert error.code == "offline"
                print("closed")
    """
    assert run(code, VOXGATE_OFFLINE="1").split() == ["open", "closed"]


def test_a_program_that_imports_voxgate_keeps_its_ways_out() -> None:
    """A hook cannot be taken out again: who reads settings has not asked for one."""
    code = """if True:
    import socket
    from voxgate import Settings
    print(Settings.read().offline)
    with socket.socket() as made:
        made.bind(("0.0.0.0", 0))
    """
    assert run(code, VOXGATE_OFFLINE="yes").split() == ["True"]


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("LOCALHOST", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),  # noqa: S104 (it means more than the loopback)
        ("::ffff:192.0.2.1", False),
        ("localhost.example", False),
        ("ip6-loopback", False),  # in no list but some systems': a name server would be asked
        ("10.0.0.1", False),
    ],
)
def test_only_the_loopback_is_local(host: str, local: bool) -> None:
    assert is_local(host) is local
