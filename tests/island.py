"""A network of its own for a command, in which every packet is counted.

`unshare -n` gives it. Run inside as a program, `island.py FILE COMMAND ...` brings its loopback up,
without a tool that would have to be installed (netdevice(7)), and lays a route to everywhere that
ends there: what would leave the machine is counted, and the number is written to the file.

192.0.2.1 (TEST-NET-1, RFC 5737) is there as well, and nothing listens at it: who turns to it is
refused at once. Who turns to any other address gets no answer.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

ELSEWHERE = "192.0.2.1"
SIOCADDRT, SIOCSIFFLAGS, SIOCSIFADDR = 0x890B, 0x8914, 0x8916
IFF_UP, RTF_UP = 1, 1


class _Route(ctypes.Structure):
    """struct rtentry, linux/route.h."""

    _fields_ = (
        ("pad1", ctypes.c_ulong),
        ("destination", ctypes.c_char * 16),
        ("gateway", ctypes.c_char * 16),
        ("mask", ctypes.c_char * 16),
        ("flags", ctypes.c_ushort),
        ("pad2", ctypes.c_short),
        ("pad3", ctypes.c_ulong),
        ("pad4", ctypes.c_void_p),
        ("metric", ctypes.c_short),
        ("device", ctypes.c_char_p),
        ("mtu", ctypes.c_ulong),
        ("window", ctypes.c_ulong),
        ("irtt", ctypes.c_ushort),
    )


def counted(file: Path) -> tuple[str, ...]:
    """Before a command: afterwards the file says how many packets it has sent to anybody."""
    return (*_unshare(), sys.executable, __file__, str(file))


@cache
def _unshare() -> tuple[str, ...]:
    """What gives a command a network of its own, as root or as anybody."""
    import pytest  # noqa: PLC0415 (not in the program)

    unshare = shutil.which("unshare") or "false"  # then nobody may
    for command in ((unshare, "-n"), (unshare, "-rn")):
        tried = [*command, sys.executable, __file__, os.devnull, "true"]
        if not subprocess.run(tried, check=False, capture_output=True).returncode:
            return command
    return pytest.skip("this machine makes no network namespaces")


def main() -> int:
    """The program inside."""
    file, *command = sys.argv[1:]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
        address = _address(ELSEWHERE)
        fcntl.ioctl(control, SIOCSIFADDR, struct.pack("16s16s", b"lo:1", address))
        anywhere = _address("0.0.0.0")  # noqa: S104 (a route's destination)
        route = _Route(
            destination=anywhere, gateway=anywhere, mask=anywhere, flags=RTF_UP, device=b"lo"
        )
        fcntl.ioctl(control, SIOCADDRT, bytes(route))
    code = subprocess.run(command, check=False).returncode
    Path(file).write_text(str(_sent()))
    return code


def _address(host: str) -> bytes:
    """struct sockaddr_in without a port."""
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(host))


def _sent() -> int:
    """The packets that went out of this network's only device."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()
    (fields,) = (line.partition(":")[2].split() for line in lines if line.strip().startswith("lo:"))
    return int(fields[9])


if __name__ == "__main__":
    sys.exit(main())
