"""An uploaded playlist opens neither files nor connections. The tests watch both."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from tests.decoding import decode
from tests.sounds import encode, sample
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from voxgate.audio.decoder_pool import DecoderPool

IN_OPEN, IN_NONBLOCK = 0x20, 0o4000
LIBC = ctypes.CDLL(None, use_errno=True)


class OpenWatch:
    """A watch on files, by the kernel's inotify: which of them any process watch."""

    def __init__(self, *paths: str) -> None:
        self._fd = LIBC.inotify_init1(IN_NONBLOCK)
        self._names = {
            LIBC.inotify_add_watch(self._fd, path.encode(), IN_OPEN): path for path in paths
        }

    def names(self) -> set[str]:
        names = set[str]()
        try:
            data = os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return names
        while data:
            watch_id, _, _, size = struct.unpack_from("iIII", data)
            names.add(self._names[watch_id])
            data = data[16 + size :]
        return names

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on loopback that the playlists name; no connection is expected."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\nfile '{}'\n"
PLS = "[playlist]\nFile1={}\nFile2={}\nNumberOfEntries=2\n"
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n# {} {}\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n"
DASH = '<?xml version="1.0"?><MPD type="static"><!-- {} {} --></MPD>\n'


@pytest.mark.parametrize("script", [HLS, CONCAT, PLS, SDP, DASH])
@pytest.mark.parametrize("name", ["x.m3u8", "x.wav", "x.ffconcat"])
async def test_the_entries_of_a_playlist_are_not_opened(
    script: str, name: str, decoders: DecoderPool, listener: socket.socket, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(encode(sample(), "x.wav"))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/x.ts"
    await decoders.warm()
    accounts = tmp_path / "passwd"  # not the system's own: any process may open that one
    accounts.write_text("root:x:0:0:root:/root:/bin/sh\n")
    watch = OpenWatch(str(accounts), str(secret))
    try:
        for target in (secret.as_uri(), str(secret), accounts.as_uri()):
            playlist = tmp_path / name
            playlist.write_text(script.format(target, address))
            with pytest.raises(AudioError) as caught:
                await decode(playlist, decoders)
            assert str(playlist) in caught.value.sentence
        assert watch.names() == set()
    finally:
        watch.close()
    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_the_watch_reports_an_open_file(tmp_path: Path) -> None:
    """The test above relies on this."""
    path = tmp_path / "x"
    path.write_text("")
    watch = OpenWatch(str(path))
    path.read_text()
    assert watch.names() == {str(path)}
    watch.close()
