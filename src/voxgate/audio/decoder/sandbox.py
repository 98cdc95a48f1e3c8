"""The confinement of a decoder's process, for the case that a hostile file runs code in it.

The limits are the kernel's. They are set after the fork and before the first byte is read. On every
platform they limit memory, time, output and open files. On Linux a filter allows only the system
calls that decoding needs: reading, writing and seeking in open descriptors, memory, and the clock.
"""

from __future__ import annotations

import ctypes
import platform
import resource
import signal
import struct
import sys
from functools import cache
from pathlib import Path
from typing import Final

ALLOWED_SYSTEM_CALLS: Final = {
    "x86_64": (0xC000003E, (
        0, 1, 3, 5, 8, 17, 18, 19, 20,  # read, write, close, fstat, lseek, p*64, *v
        262, 23, 270,                   # newfstatat, select, pselect6
        9, 10, 11, 12, 25, 28,          # mmap, mprotect, munmap, brk, mremap, madvise
        13, 14, 15, 131,                # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
        202, 24, 204, 273, 334, 324,    # futex, sched_*, set_robust_list, rseq, membarrier
        228, 229, 230, 35, 96, 100,     # clock_*, nanosleep, gettimeofday, times
        39, 186, 63, 98, 99, 318,       # getpid, gettid, uname, getrusage, sysinfo, getrandom
        60, 231,                        # exit, exit_group
    )),
    "aarch64": (0xC00000B7, (
        63, 64, 57, 80, 62, 67, 68, 65, 66,
        79, 72,                         # (no select)
        222, 226, 215, 214, 216, 233,
        134, 135, 139, 132,
        98, 124, 123, 99, 293, 283,
        113, 114, 115, 101, 169, 153,
        172, 178, 160, 165, 179, 278,
        93, 94,
    )),
}  # fmt: skip
"""For each machine, its audit number and the numbers of the system calls that decoding needs
(asm/unistd.h). All others fail with EPERM, among them those that open, create, rename, send, start
or signal anything. Of those that receive, only `RECEIVE` from one socket is allowed."""

RECEIVE: Final = {"x86_64": 47, "aarch64": 212}
"""The number of `recvmsg`."""

MAX_RECEIVED: Final = 3
"""Descriptors that a process may have received at once."""

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # DENY carries EPERM
CALL_AT, AUDIT_AT, ARGUMENTS_AT, ARGUMENT_BYTES = 0, 4, 16, 8  # of struct seccomp_data, in bytes


_LIBC = ctypes.CDLL(None, use_errno=True)


def enter(*, memory_bytes: int, cpu_s: int, file_bytes: int, channel_fd: int | None = None) -> None:
    """Confine this process permanently. This needs no privilege.

    It may allocate `memory_bytes` in addition to its present memory, compute for `cpu_s`, and write
    `file_bytes` to the scratch file, which is the only file that it can write. From the socket
    `channel_fd` it may receive descriptors, which get the numbers that follow.
    """
    limits = {
        resource.RLIMIT_AS: _address_space() + memory_bytes,
        resource.RLIMIT_CPU: cpu_s + 1,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
        # Open descriptors remain usable; no new ones but those that are received.
        resource.RLIMIT_NOFILE: 0 if channel_fd is None else channel_fd + 1 + MAX_RECEIVED,
    }
    for limit, requested in limits.items():
        hard = resource.getrlimit(limit)[1]
        value = requested if hard == resource.RLIM_INFINITY else min(requested, hard)
        resource.setrlimit(limit, (value, value))
    # At the soft limit the process gets SIGXCPU, from which the caller learns the reason. At the
    # hard limit it gets SIGKILL.
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (max(1, soft - 1), hard))
    if filters_system_calls():
        _filter_system_calls(channel_fd)


def filters_system_calls() -> bool:
    """Return whether a decoder's system calls are filtered here. The limits apply everywhere."""
    return sys.platform == "linux" and platform.machine() in ALLOWED_SYSTEM_CALLS


def die_with_parent() -> None:
    """Make the kernel kill this process when the thread that forked it ends (Linux only)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def _filter_system_calls(channel_fd: int | None) -> None:
    code = _filter_code(channel_fd)
    program = ctypes.create_string_buffer(b"".join(code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header))


@cache
def _filter_code(channel_fd: int | None) -> tuple[bytes, ...]:
    """Return the filter's instructions. A jump's two distances are the instructions to skip."""
    machine = platform.machine()
    audit, calls = ALLOWED_SYSTEM_CALLS[machine]
    receive = () if channel_fd is None else _receive_code(RECEIVE[machine], channel_fd)
    return (
        _instruction(LOAD, AUDIT_AT),
        _instruction(JUMP_EQUAL, audit, 1, 0),
        _instruction(RETURN, KILL),  # a call of another machine
        _instruction(LOAD, CALL_AT),
        *receive,
        *(_instruction(JUMP_EQUAL, call, len(calls) - at, 0) for at, call in enumerate(calls)),
        _instruction(RETURN, DENY),
        _instruction(RETURN, ALLOW),
    )


def _receive_code(call: int, channel_fd: int) -> tuple[bytes, ...]:
    """Allow a call with this descriptor and without flags, which reach rare code of the kernel."""
    return (
        _instruction(JUMP_EQUAL, call, 0, 6),
        _instruction(LOAD, ARGUMENTS_AT),
        _instruction(JUMP_EQUAL, channel_fd, 0, 3),
        _instruction(LOAD, ARGUMENTS_AT + 2 * ARGUMENT_BYTES),
        _instruction(JUMP_EQUAL, 0, 0, 1),
        _instruction(RETURN, ALLOW),
        _instruction(RETURN, DENY),
    )


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """Encode one instruction of the kernel's packet filter (struct sock_filter)."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def _prctl(option: int, *arguments: object) -> None:
    padded = [*arguments, *[0] * (4 - len(arguments))]
    converted = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded]
    if _LIBC.prctl(ctypes.c_int(option), *converted) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
