"""A decoder's messages arrive in order, and wake their reader no more often than they must."""

from __future__ import annotations

import os
import socket
import threading
from typing import TYPE_CHECKING

from voxgate.audio.decoder.messages import (
    FINISHED,
    HEADER,
    PIPE_BYTES,
    SOUND,
    TOGETHER_BYTES,
    MessageWriter,
    open_pipe,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SECOND = 32_000  # bytes


def writes_of(write: Callable[[int], None]) -> list[bytes]:
    """Return what is written to a descriptor, each write by itself."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def run() -> None:
        with theirs:
            write(theirs.fileno())

    with ours:
        thread = threading.Thread(target=run)
        thread.start()
        packets = list(iter(lambda: ours.recv(1 << 20), b""))
        thread.join()
    return packets


def parsed(data: bytes) -> list[tuple[bytes, bytes]]:
    messages = list[tuple[bytes, bytes]]()
    while data:
        kind, size = HEADER.unpack_from(data)
        messages.append((kind, data[HEADER.size : HEADER.size + size]))
        data = data[HEADER.size + size :]
    return messages


SOUNDS = [(SOUND, bytes([number]) * SECOND) for number in range(60)]


def send_all(fd: int, *, together: bool) -> None:
    writer = MessageWriter(fd, together=together)
    for message in SOUNDS:
        writer.add(message)
    writer.send(FINISHED, b"\1")


def test_the_messages_of_a_whole_file_are_few_writes() -> None:
    writes = writes_of(lambda fd: send_all(fd, together=True))
    assert parsed(b"".join(writes)) == [*SOUNDS, (FINISHED, b"\1")]
    assert len(parsed(writes[0])) == 1  # the first is not kept waiting
    assert len(writes) == 1 + -(-59 // -(-TOGETHER_BYTES // SECOND))


def test_those_of_a_file_that_grows_never_wait() -> None:
    writes = writes_of(lambda fd: send_all(fd, together=False))
    assert [parsed(each) for each in writes] == [[each] for each in [*SOUNDS, (FINISHED, b"\1")]]


def test_a_pipe_holds_what_is_written_at_once() -> None:
    read_fd, write_fd = open_pipe()
    try:
        os.set_blocking(write_fd, False)
        assert os.write(write_fd, bytes(PIPE_BYTES)) >= TOGETHER_BYTES + SECOND
    finally:
        os.close(read_fd)
        os.close(write_fd)
