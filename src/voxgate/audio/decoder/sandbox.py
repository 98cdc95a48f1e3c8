"""The confinement of a decoder's process: what a hostile file could still do, once it runs code.

Limits of the kernel, set after the fork and before the first byte is read. They hold for memory,
time, output and open files everywhere; on Linux a filter of system calls takes away files, network,
other processes and programs besides. What stays is reading its input and writing its output.
"""

from __future__ import annotations

import ctypes
import platform
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Final

DENIED: Final = {
    "x86_64": (0xC000003E, (
        2, 85, 257, 437,          # open, creat, openat, openat2
        41, 42, 43, 49, 50, 53,   # socket, connect, accept, bind, listen, socketpair
        288, 46, 307,             # accept4, sendmsg, sendmmsg
        56, 57, 58, 435,          # clone, fork, vfork, clone3
        59, 322,                  # execve, execveat
        62, 200, 234, 424,        # kill, tkill, tgkill, pidfd_send_signal
        101, 310, 311,            # ptrace, process_vm_readv, process_vm_writev
        82, 264, 316, 87, 263,    # rename, renameat, renameat2, unlink, unlinkat
        83, 258, 90, 91, 268,     # mkdir, mkdirat, chmod, fchmod, fchmodat
        92, 93, 94, 260,          # chown, fchown, lchown, fchownat
        425, 426, 427, 321, 298,  # io_uring_*, bpf, perf_event_open
        160, 302,                 # setrlimit, prlimit64
    )),
    "aarch64": (0xC00000B7, (
        56, 437,                  # openat, openat2
        198, 203, 202, 200, 201, 199,
        242, 211, 269,
        220, 435,
        221, 281,
        129, 130, 131, 424,
        117, 270, 271,
        38, 276, 35,
        34, 52, 53, 54, 55,       # mkdirat, fchmod, fchmodat, fchownat, fchown
        425, 426, 427, 280, 241,
        164, 261,
    )),
}  # fmt: skip
"""By machine: its audit number, and the system calls that a decoder never needs, by their numbers
in the kernel's tables (asm/unistd.h). A denied call fails with EPERM."""

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
LOAD, JUMP_EQUAL, JUMP_GREATER_EQUAL, RETURN = 0x20, 0x15, 0x35, 0x06
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # DENY carries EPERM
X32_BIT: Final = 0x40000000  # the x86 table's 32-bit alias: the same calls by other numbers


_LIBC = ctypes.CDLL(None, use_errno=True)


def enter(*, memory_bytes: int, cpu_s: int, file_bytes: int) -> None:
    """Confine this process for good.

    It may allocate so much beyond what it has, compute so long, and write so much to the scratch
    file, the only one that is open for that. Needs no privilege.
    """
    limits = {
        resource.RLIMIT_AS: _address_space() + memory_bytes,
        resource.RLIMIT_CPU: cpu_s + 1,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,  # descriptors that are open stay; no new one can come
    }
    for limit, wanted in limits.items():
        hard = resource.getrlimit(limit)[1]
        value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(limit, (value, value))
    # Past the soft limit comes SIGXCPU, which tells why; at the hard one, SIGKILL, which does not.
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (max(1, soft - 1), hard))
    if filters_system_calls():
        _filter_system_calls()


def filters_system_calls() -> bool:
    """Whether this machine's kernel filters a decoder's system calls; the limits hold anywhere."""
    return sys.platform == "linux" and platform.machine() in DENIED


def die_with_parent() -> None:
    """Let the kernel end this process when the thread that forked it ends (Linux only)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def _filter_system_calls() -> None:
    audit, calls = DENIED[platform.machine()]
    code = [
        _op(LOAD, 4),  # the machine's table that this call is numbered by …
        _op(JUMP_EQUAL, audit, 1, 0),
        _op(RETURN, KILL),  # … and no other one may be used
        _op(LOAD, 0),  # the call's number
        # Jumps count to DENY: past the comparisons that remain, and past ALLOW.
        _op(JUMP_GREATER_EQUAL, X32_BIT, len(calls) + 1, 0),
        *(_op(JUMP_EQUAL, call, len(calls) - at, 0) for at, call in enumerate(calls)),
        _op(RETURN, ALLOW),
        _op(RETURN, DENY),
    ]
    program = ctypes.create_string_buffer(b"".join(code))
    header = struct.pack("HxxxxxxP", len(code), ctypes.addressof(program))
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(header))


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction of the kernel's packet filter (struct sock_filter)."""
    return struct.pack("HBBI", code, if_true, if_false, value)


def _prctl(option: int, *arguments: object) -> None:
    padded = [*arguments, *[0] * (4 - len(arguments))]
    converted = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in padded]
    if _LIBC.prctl(ctypes.c_int(option), *converted) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
