"""What a decoder's process does: it is confined, and decodes the files that it gets one by one.

It gets them from one socket, and all of them are of one caller, for a file that runs code in the
process can read and change every file after it. After a file at which anything was irregular, and
after some work, the process ends by itself.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import sys
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from voxgate.audio.decoder import sandbox, sandboxed_decode
from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from voxgate.audio.decoder.messages import DecoderLimits

CHANNEL_FD: Final = 3  # after the three standard descriptors
DESCRIPTORS: Final = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"
"""Where the kernel lists the descriptors of the process that reads it."""

MAX_READ_BYTES: Final = 1 << 16  # read at once; a job has some hundred bytes

MOST_COMPUTED_S: Final = 1.0
MOST_GROWTH_BYTES: Final = 64 << 20
"""Of the processor and of memory, after which a process takes no further file: the kernel counts
its limits for the whole process, and a later file shall have nearly all of them."""


def warm_up() -> None:
    """Decode a second of silence, which loads every module and table that a decoder needs.

    A confined decoder cannot open files, so anything that is imported at first use must be used
    here once.
    """
    silence = Audio.from_pcm16(bytes(SAMPLE_BYTES * SAMPLE_RATE)).wav()
    job = DecoderJob(
        name="silence",
        offset=0,
        size=len(silence),
        grows=False,
        pcm=None,
        track=None,
        language="en",
        split=False,
        max_source_bytes=2**20,
        max_duration_s=60.0,
        memory_bytes=2**30,
    )
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as devnull:  # noqa: PTH123
        file.write(silence)
        file.flush()
        sandboxed_decode.decode_file(job, file.fileno(), -1, devnull.fileno(), goes_on=lambda: True)


def work(channel: socket.socket, limits: DecoderLimits) -> None:
    """Decode the files that come through the socket, until it ends or a file was irregular.

    The process keeps this socket and the three standard descriptors, and no other. It is confined
    from here on.
    """
    jobs = _keep_only(channel)
    sandbox.enter(
        memory_bytes=limits.memory_bytes,
        cpu_s=limits.cpu_s,
        file_bytes=limits.file_bytes,
        channel_fd=CHANNEL_FD,
    )
    first_bytes = _peak_bytes()

    def is_fresh() -> bool:
        grown = _peak_bytes() - first_bytes
        return time.process_time() < MOST_COMPUTED_S and grown < MOST_GROWTH_BYTES

    while received := _receive_job(jobs):
        job, (source_fd, out_fd, *stream) = received
        stream_fd = stream[0] if stream else -1
        goes_on = sandboxed_decode.decode_file(job, source_fd, stream_fd, out_fd, goes_on=is_fresh)
        if not goes_on:
            return
        for fd in (source_fd, out_fd, *stream):
            os.close(fd)


def _keep_only(channel: socket.socket) -> socket.socket:
    """Close all descriptors but this socket's and the standard ones. Return it as `CHANNEL_FD`."""
    channel_fd = channel.detach()
    if channel_fd != CHANNEL_FD:
        os.dup2(channel_fd, CHANNEL_FD, inheritable=False)
    for fd in map(int, os.listdir(DESCRIPTORS)):  # noqa: PTH208 (names alone)
        if fd > CHANNEL_FD:
            with suppress(OSError):  # the listing's own is closed
                os.close(fd)
    return socket.socket(fileno=CHANNEL_FD)


def _receive_job(channel: socket.socket) -> tuple[DecoderJob, list[int]] | None:
    """Wait for a job and its descriptors. Return None when the server has ended."""
    line, fds, _, _ = socket.recv_fds(channel, MAX_READ_BYTES, sandbox.MAX_RECEIVED)
    while not line.endswith(b"\n"):
        part = os.read(channel.fileno(), MAX_READ_BYTES) if line else b""
        if not part:
            return None
        line += part
    return DecoderJob.from_json(json.loads(line)["job"]), fds


def _peak_bytes() -> int:
    """Return the most memory that the process has had at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
