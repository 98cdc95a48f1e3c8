"""Recordings as sources: which are open already, and what a caller who leaves leaves behind."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from contextlib import closing
from typing import IO, TYPE_CHECKING, cast

import pytest

from tests.pipeline.asking import Asked
from tests.processes import scratch_files, until
from tests.scripted import Scripted
from voxgate.answers.values import TextPart
from voxgate.audio.source import Source, is_open
from voxgate.audio.spooled_file import SpooledFile
from voxgate.errors import VoxgateError
from voxgate.pipeline.question import RecordingPart
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [200_000, 400_000])
def test_an_upload_is_read_where_it_lies(size: int, tmp_path: Path) -> None:
    """Short in memory and long on disk: neither is copied."""
    with closing(SpooledFile(tmp_path, size, lambda _: VoxgateError("Too large."))) as upload:
        upload.write(os.urandom(size))
        assert is_open(upload.file)
        with Source.open(upload.file, Settings(spool_dir=tmp_path)) as source:
            assert os.path.sameopenfile(source.fd, upload.file.fileno())


class Slow(io.RawIOBase):
    """A recording whose reading waits for `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()

    def read(self, _size: int = -1) -> bytes:
        """Return some bytes, then the end."""
        if self.begun.is_set():
            self.go.wait()
            return b""
        self.begun.set()
        return bytes(500_000)


@pytest.mark.parametrize("asks", [False, True], ids=["transcribe", "answer"])
async def test_a_caller_who_leaves_while_a_recording_is_opened_leaves_no_copy(
    asks: bool, tmp_path: Path
) -> None:
    model = Scripted(answers=lambda _: "", hears_s=3600.0)
    asked = Asked(tmp_path, model)
    async with asked.session as session:
        for recording in (Slow(), Slow()):
            source = cast("IO[bytes]", recording)
            question = TextPart("What is said?"), RecordingPart(source)
            call = asked.answer(*question) if asks else session.transcribe(source, model=model.name)
            working = asyncio.ensure_future(call)
            await until(recording.begun.is_set, "the first bytes")
            working.cancel()
            with pytest.raises(asyncio.CancelledError):
                await working
            recording.go.set()
        await until(lambda: not scratch_files(tmp_path / "spool"), "the end of its copies")
