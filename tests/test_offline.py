"""What `enforce` refuses and what it allows. The code runs in a separate process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from voxgate.offline import is_local

ATTEMPTS = """
import asyncio, json, socket, sys
import httpx2
from voxgate.errors import VoxgateError
from voxgate.offline import enforce

enforce()
enforce()  # a second call has no effect
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM

def attempt(family, kind, call):
    with socket.socket(family, kind) as opened:
        opened.settimeout(5)
        call(opened)

def server():
    with socket.create_server(("localhost", 0)) as listener:
        socket.create_connection(listener.getsockname()).close()

def unix():
    attempt(socket.AF_UNIX, TCP, lambda s: s.bind(b"\\0voxgate-offline-%d" % id(s)))

def pair():
    one, other = socket.socketpair()
    one.sendmsg([b"x"])
    one.close(), other.close()

V4, V6 = socket.AF_INET, socket.AF_INET6
attempts = {
    "connect": lambda: attempt(V4, TCP, lambda s: s.connect(("192.0.2.1", 9))),
    "connect_ex": lambda: attempt(V4, TCP, lambda s: s.connect_ex(("192.0.2.1", 9))),
    "connect by IPv6": lambda: attempt(V6, TCP, lambda s: s.connect(("2001:db8::1", 9))),
    "mapped": lambda: attempt(V6, TCP, lambda s: s.connect(("::ffff:192.0.2.1", 9))),
    "sendto": lambda: attempt(V4, UDP, lambda s: s.sendto(b"x", ("192.0.2.1", 9))),
    "sendto with flags": lambda: attempt(V4, UDP, lambda s: s.sendto(b"x", 0, ("192.0.2.1", 9))),
    "sendmsg": lambda: attempt(V4, UDP, lambda s: s.sendmsg([b"x"], [], 0, ("192.0.2.1", 9))),
    "broadcast": lambda: attempt(V4, UDP, lambda s: s.sendto(b"x", ("255.255.255.255", 9))),
    "bind": lambda: attempt(V4, TCP, lambda s: s.bind(("0.0.0.0", 0))),
    "bind to all": lambda: attempt(V6, TCP, lambda s: s.bind(("::", 0))),
    "create_server": lambda: socket.create_server(("", 0)),
    "getaddrinfo": lambda: socket.getaddrinfo("hub.example", 443),
    "getaddrinfo of bytes": lambda: socket.getaddrinfo(b"hub.example", 443),
    "below localhost": lambda: socket.getaddrinfo("hub.localhost", 443),
    "a name of this machine": lambda: socket.getaddrinfo("ip6-loopback", 443),
    "another name of this machine": lambda: socket.gethostbyname("localhost.localdomain"),
    "gethostbyname": lambda: socket.gethostbyname("hub.example"),
    "gethostbyname_ex": lambda: socket.gethostbyname_ex("hub.example"),
    "gethostbyaddr": lambda: socket.gethostbyaddr("192.0.2.1"),
    "getnameinfo": lambda: socket.getnameinfo(("192.0.2.1", 9), 0),
    "asyncio": lambda: asyncio.run(asyncio.open_connection("192.0.2.1", 9)),
    "httpx2": lambda: httpx2.get("http://192.0.2.1:9"),
    "httpx2 by name": lambda: httpx2.get("https://hub.example"),
    "local: TCP": server,
    "local: Unix": unix,
    "local: a pair": pair,
    "local: localhost": lambda: socket.getaddrinfo("localhost", 80),
    "local: any": lambda: socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE),
    "local: IPv6": lambda: attempt(V6, TCP, lambda s: s.connect_ex(("::1", 9))),
    "local: mapped": lambda: attempt(V6, TCP, lambda s: s.connect_ex(("::ffff:127.0.0.1", 9))),
    "local: its name": lambda: socket.getnameinfo(("127.0.0.1", 9), 0),
}
results = {}
for name, call in attempts.items():
    try:
        call()
        results[name] = None
    except VoxgateError as error:
        assert error.code == "offline"
        results[name] = error.sentence
print(json.dumps(results))
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


def test_every_connection_is_refused_except_on_the_loopback() -> None:
    results = json.loads(run(ATTEMPTS))
    local = {name for name in results if name.startswith("local")}
    assert {name for name, sentence in results.items() if sentence is None} == local
    assert all("stay offline" in results[name] for name in results.keys() - local)
    assert results["connect by IPv6"].startswith("This would connect to 2001:db8::1 port 9, ")
    assert results["httpx2 by name"].startswith("This would look up the address of 'hub.example'")
    assert results["bind"].startswith("Other machines could reach 0.0.0.0 port 0")


def test_a_child_follows_the_settings_of_its_parent() -> None:
    """Settings that a program creates itself override the environment."""
    code = """if True:
    import os, socket
    from voxgate import offline
    from voxgate.child_environment import child_environment
    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings
    for wanted in (False, True):
        os.environ.update(child_environment(Settings(offline=wanted)))
        offline.inherit()
        with socket.socket() as opened:
            try:
                opened.bind(("0.0.0.0", 0))
                print("open")
            except VoxgateError as error:
                assert error.code == "offline"
                print("closed")
    """
    assert run(code, VOXGATE_OFFLINE="1").split() == ["open", "closed"]


def test_a_program_that_imports_voxgate_keeps_its_network() -> None:
    """Reading the settings adds no audit hook, because a hook cannot be removed again."""
    code = """if True:
    import socket
    from voxgate import Settings
    print(Settings.read().offline)
    with socket.socket() as opened:
        opened.bind(("0.0.0.0", 0))
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
        ("0.0.0.0", False),  # noqa: S104 (this is more than the loopback)
        ("::ffff:192.0.2.1", False),
        ("localhost.example", False),
        ("ip6-loopback", False),  # some systems would query a name server for it
        ("10.0.0.1", False),
    ],
)
def test_only_the_loopback_is_local(host: str, local: bool) -> None:
    assert is_local(host) is local
