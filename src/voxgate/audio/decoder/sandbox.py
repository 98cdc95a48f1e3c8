"""The confinement of a decoder's process: what a hostile file could still do, once it runs code.

Limits of the kernel, set after the fork and before the first byte is read. They hold for memory,
time, output and open files everywhere; on Linux a filter leaves only the system calls of decoding:
reading, writing and seeking in descriptors that are open, memory, and the clock.
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

ALLOWED: Final = {
    "x86_64": (0xC000003E, (
        0, 1, 3, 5, 8, 17, 18, 19, 20,  # read, write, close, fstat, lseek, p*64, *v
        262, 23, 270, 72,               # newfstatat, select, pselect6, fcntl
        9, 10, 11, 12, 25, 28,          # mmap, mprotect, munmap, brk, mremap, madvise
        13, 14, 15, 131,                # rt_sigaction, rt_sigprocmask, rt_sigreturn, sigaltstack
        202, 24, 204, 273, 334, 324,    # futex, sched_*, set_robust_list, rseq, membarrier
        228, 229, 230, 35, 96, 100,     # clock_*, nanosleep, gettimeofday, times
        39, 186, 63, 98, 99, 318,       # getpid, gettid, uname, getrusage, sysinfo, getrandom
        60, 231,                        # exit, exit_group
    )),
    "aarch64": (0xC00000B7, (
        63, 64, 57, 80, 62, 67, 68, 65, 66,
        79, 72, 25,                     # (no select)
        222, 226, 215, 214, 216, 233,
        134, 135, 139, 132,
        98, 124, 123, 99, 293, 283,
        113, 114, 115, 101, 169, 153,
        172, 178, 160, 165, 179, 278,
        93, 94,
    )),
}  # fmt: skip
"""By machine: its audit number, and the system calls that decoding needs, by their numbers in the
kernel's tables (asm/unistd.h). Every other one fails with EPERM: those that open, name, send, start
or signal anything are not among them."""

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 1, 38, 22, 2
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050001, 0x80000000  # DENY carries EPERM


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
    return sys.platform == "linux" and platform.machine() in ALLOWED


def die_with_parent() -> None:
    """Let the kernel end this process when the thread that forked it ends (Linux only)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _address_space() -> int:
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 0


def _filter_system_calls() -> None:
    audit, calls = ALLOWED[platform.machine()]
    code = [
        _op(LOAD, 4),  # the machine's table that this call is numbered by …
        _op(JUMP_EQUAL, audit, 1, 0),
        _op(RETURN, KILL),  # … and no other one may be used
        _op(LOAD, 0),  # the call's number; a jump counts the instructions that it leaves out
        *(_op(JUMP_EQUAL, call, len(calls) - at, 0) for at, call in enumerate(calls)),
        _op(RETURN, DENY),
        _op(RETURN, ALLOW),
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
