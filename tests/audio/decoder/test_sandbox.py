"""Each operation that a hostile file may attempt is refused in a confined process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

CONFINED = """
import os, socket, subprocess, sys, ctypes, signal, resource
from pathlib import Path
from voxgate.audio.decoder import sandbox
inherited = socket.socketpair()
libc = ctypes.CDLL(None, use_errno=True)
def syscall(numbers, *arguments):
    if libc.syscall(numbers[os.uname().machine], *arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
sandbox.enter(memory_bytes=300 << 20, cpu_s=2, file_bytes=1000, channel_fd={channel})
try:
    exec({attempt!r})
except {refusal} as error:
    print("refused", type(error).__name__)
else:
    print("done")
"""

REFUSED = {
    "a file is opened": "os.open('/etc/hostname', os.O_RDONLY)",
    "a file is created": "os.open('new', os.O_CREAT | os.O_WRONLY)",
    "a file is deleted": "os.unlink('kept')",
    "a file is renamed": "os.rename('kept', 'moved')",
    "a socket is created": "socket.socket()",
    "a socket is used": "inherited[0].sendmsg([b'x'])",
    "a process is forked": "os.fork()",
    "a program is run": "os.execv('/bin/true', ['true'])",
    "a file is truncated": "os.truncate('kept', 0)",
    "a folder is created": "os.mkdir('new')",
    "a folder is removed": "os.rmdir('folder')",
    "a file is linked": "os.link('kept', 'new')",
    "a symbolic link is created": "os.symlink('kept', 'new')",
    "a file's time is set": "os.utime('kept', (0, 0))",
    "a mode is changed": "os.chmod('kept', 0)",
    "a named pipe is created": "os.mkfifo('new')",
    "another process is signalled": "syscall(dict(x86_64=129, aarch64=138), os.getppid(), 0, b'')",
    "data is sent": "inherited[0].send(b'x')",
    "the terminal is controlled": "import fcntl; fcntl.ioctl(1, 0x5413, bytes(8))",
    "a program is started": "subprocess.run(['true'])",
    "another process is killed": "os.kill(os.getppid(), 0)",
    "limits are raised": "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))",
    "too much memory is allocated": "bytearray(1 << 30)",
    "a descriptor is duplicated": "os.dup(0)",
}


CHANNEL = """
import socket
given, other = socket.socketpair(), socket.socketpair()
for pair in (given, other):
    socket.send_fds(pair[0], [b"job"], [0])
"""
"""Two sockets, at each of which a descriptor has arrived. The first is the process's own."""

REFUSED_WITH_A_CHANNEL = {
    "another socket is read": "socket.recv_fds(other[1], 10, 1)",
    "a flag is used": "given[1].recvmsg(1, 0, socket.MSG_PEEK)",
    "a message is received otherwise": "given[1].recv(1)",
    "data is sent": "given[1].send(b'x')",
    "a descriptor is sent": "socket.send_fds(given[1], [b'x'], [0])",
    "a descriptor is duplicated": "os.dup(0)",
    "a file is opened": "os.open('/etc/hostname', os.O_RDONLY)",
}


def confined(
    attempt: str, folder: str, channel: str = "None", before: str = ""
) -> subprocess.CompletedProcess[str]:
    script = before + CONFINED.format(
        attempt=attempt, channel=channel, refusal="(OSError, ValueError, MemoryError)"
    )
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("operation", REFUSED)
def test_an_operation_is_refused(operation: str, tmp_path: Path) -> None:
    (kept := tmp_path / "kept").write_text("content")
    (tmp_path / "folder").mkdir()
    result = confined(REFUSED[operation], str(tmp_path))
    assert result.stdout.startswith("refused"), result.stderr
    assert kept.read_text() == "content"
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "folder"}


@pytest.mark.parametrize("operation", REFUSED_WITH_A_CHANNEL)
def test_an_operation_is_refused_beside_the_channel(operation: str, tmp_path: Path) -> None:
    attempt = REFUSED_WITH_A_CHANNEL[operation]
    result = confined(attempt, str(tmp_path), "given[1].fileno()", CHANNEL)
    assert result.stdout.startswith("refused PermissionError"), result.stderr


def test_descriptors_are_received_from_the_channel(tmp_path: Path) -> None:
    attempt = "print(socket.recv_fds(given[1], 10, 1)[:2])"
    result = confined(attempt, str(tmp_path), "given[1].fileno()", CHANNEL)
    assert result.stdout.startswith("(b'job', ["), result.stderr


def test_ordinary_memory_is_allowed(tmp_path: Path) -> None:
    assert confined("bytearray(100 << 20)", str(tmp_path)).stdout == "done\n"


def test_processor_time_is_limited(tmp_path: Path) -> None:
    result = confined("while True: pass", str(tmp_path))
    assert result.returncode < 0
    assert result.stdout == ""
