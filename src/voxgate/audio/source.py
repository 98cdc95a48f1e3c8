"""`Source`: a recording of any kind, as one open file descriptor with a name.

Paths, bytes, file objects, pipes and files that grow all become a descriptor, because this can be
passed to the decoder's process, which cannot open files.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from voxgate.audio.arriving import ArrivingFile
from voxgate.audio.channels import SoundChoice
from voxgate.audio.scratch_file import ScratchFile
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.settings import Settings

AudioInput: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""A recording: a path, the bytes of a file, or an open binary file."""

COPY_BYTES = 1 << 20
MAX_NAME_CHARACTERS = 1000  # a name is used in messages only


@dataclass(slots=True)
class Source:
    """The open bytes of one recording. Close it, or use it as a context manager.

    `size` is the size of a regular file at the time of opening. Bytes that are appended later are
    not read, so a file that somebody writes to has one well-defined content. A size of None means
    a pipe or a device, which is read to its end, or an `ArrivingFile`, of which `arrival_fd` is the
    pipe and `whole` the end.
    """

    name: str
    fd: int
    offset: int = 0
    size: int | None = None
    pcm: PcmDeclaration | None = None
    choice: SoundChoice = field(default_factory=SoundChoice)
    language: str | None = None  # of the speech: its track is read where none is the main one
    arrival_fd: int = -1
    whole: asyncio.Event | None = None

    @classmethod
    def open(
        cls,
        recording: AudioInput | ArrivingFile,
        settings: Settings,
        *,
        name: str | None = None,
        pcm: PcmDeclaration | None = None,
        choice: SoundChoice | None = None,
        language: str | None = None,
    ) -> Source:
        """Open a recording. Refuse it at once if it is empty or too large.

        Bytes and file objects other than plain files are copied to an unnamed file first. Raises
        `AudioError` with the code `unreadable_audio`, `empty_audio` or `audio_too_large`,
        `UsageError` for a value of another type, and `SpoolFullError` if the copy cannot be
        written.
        """
        if isinstance(recording, (str, os.PathLike)):
            source = _from_path(Path(recording), name)
        elif isinstance(recording, (bytes, bytearray, memoryview)):
            source = _from_stream(io.BytesIO(recording), name or "the recording", settings)
        elif isinstance(recording, ArrivingFile):
            source = _from_arriving(recording, name or "the recording")
        elif hasattr(recording, "read"):
            source = _from_file(recording, name, settings)
        else:
            raise UsageError(
                f"A recording is a path, bytes or an open binary file, not "
                f"{type(recording).__name__}."
            )
        source.pcm, source.choice = pcm, choice or SoundChoice()
        source.language = language
        source.name = source.name[:MAX_NAME_CHARACTERS]
        return _checked(source, settings)

    def grown(self) -> bool:
        """Return whether a regular file has become longer than its size at the time of opening."""
        return self.size is not None and os.fstat(self.fd).st_size > self.offset + self.size

    def kept(self, settings: Settings) -> Source:
        """Return it as a source that can be read more than once.

        A pipe or a device is read to its end, into an unnamed file, and closed. Takes as long as
        it takes: not for the event loop. Raises as `open` does.
        """
        if self.size is not None:
            return self
        with self, os.fdopen(os.dup(self.fd), "rb") as pipe:
            source = _from_stream(pipe, self.name, settings)
        source.pcm, source.choice, source.language = self.pcm, self.choice, self.language
        return _checked(source, settings)

    def again(self) -> IO[bytes]:
        """Return its bytes as an open file, to make another source of them. Not of a pipe."""
        file = os.fdopen(os.dup(self.fd), "rb")
        file.seek(self.offset)
        return file

    def close(self) -> None:
        """Close the descriptors. May be called again."""
        for fd in (self.fd, self.arrival_fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self.arrival_fd = -1

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_open(recording: AudioInput | ArrivingFile) -> bool:
    """Return whether a recording has its descriptor already: then `Source.open` waits for nothing.

    Any other is opened or copied, which may take as long as a disk or a pipe does.
    """
    # Only a plain file's descriptor gives the bytes that `read` gives. A gzip file or a network
    # response has a descriptor too, but of other bytes.
    return isinstance(recording, ArrivingFile) or (
        type(getattr(recording, "raw", recording)) is io.FileIO
    )


async def open_in_thread(open_source: Callable[[], Source]) -> Source:
    """Return the source that a function opens, which may take as long as a disk or a pipe does.

    Where the caller is cancelled, it is closed as soon as it is open.
    """
    opening = asyncio.create_task(asyncio.to_thread(open_source))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        raise


def _close_opened(opening: asyncio.Task[Source]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()


def _from_path(path: Path, name: str | None) -> Source:
    name = name or str(path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise AudioError(
            f"There is no file at {name}. Check the path.", code="unreadable_audio"
        ) from error
    except PermissionError as error:
        raise AudioError(
            f"This user has no permission to read {name}. Add it (chmod u+r), or run as its owner.",
            code="unreadable_audio",
        ) from error
    except (OSError, ValueError) as error:
        raise AudioError(f"{name} cannot be opened: {error}.", code="unreadable_audio") from error
    return _from_fd(fd, name, offset=0)


def _from_file(file: IO[bytes], name: str | None, settings: Settings) -> Source:
    name = name or _file_name(file)
    if not is_open(file):
        return _from_stream(file, name, settings)
    return _from_fd(os.dup(file.fileno()), name, offset=file.tell() if file.seekable() else 0)


def _from_arriving(recording: ArrivingFile, name: str) -> Source:
    source = Source(name, os.dup(recording.file.fileno()))
    source.arrival_fd, source.whole = os.dup(recording.arrival_fd), recording.whole
    return source


def _from_fd(fd: int, name: str, offset: int) -> Source:
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        os.close(fd)
        raise AudioError(f"{name} is a folder. Give a file in it.", code="unreadable_audio")
    size = max(0, status.st_size - offset) if stat.S_ISREG(status.st_mode) else None
    return Source(name, fd, offset if size is not None else 0, size)


def _from_stream(file: IO[bytes], name: str, settings: Settings) -> Source:
    """Copy to an unnamed file, whose descriptor can be passed to the decoder's process."""
    with closing(ScratchFile(settings.spool_dir, "source-")) as copy:
        size = 0
        # Stop at most one block past the limit: `_check_size` then raises the error.
        while size <= settings.max_source_bytes and (block := _read(file, name)):
            copy.write(block, size)
            size += len(block)
        return Source(name, os.dup(copy.file.fileno()), 0, size)


def _read(file: IO[bytes], name: str) -> bytes:
    try:
        block = file.read(COPY_BYTES)
    except (OSError, ValueError) as error:  # ValueError: closed, or not open for reading
        raise AudioError(
            f"{name} could not be read ({error}). Open it again and retry.", code="unreadable_audio"
        ) from error
    if not isinstance(block, (bytes, bytearray, memoryview)):
        raise UsageError(
            f"{name} returns {type(block).__name__}, not bytes: open it with mode 'rb'."
        )
    return bytes(block)


def _checked(source: Source, settings: Settings) -> Source:
    """Return a source of an allowed size; close another."""
    try:
        _check_size(source, settings.max_source_bytes)
    except BaseException:
        source.close()
        raise
    return source


def _check_size(source: Source, limit: int) -> None:
    if source.size == 0:
        raise AudioError(
            f"{source.name} is empty: 0 bytes. Was the recording saved?", code="empty_audio"
        )
    if source.size is not None and source.size > limit:
        raise audio_too_large(source.name, limit)


def audio_too_large(name: str, limit: int) -> AudioError:
    """Return the error for a source of more than `limit` bytes."""
    return AudioError(
        f"{name} is larger than {limit / 1e6:,.0f} MB, the configured limit. Raise "
        f"VOXGATE_MAX_SOURCE_BYTES, or extract the sound track first.",
        code="audio_too_large",
    )


def _file_name(file: Any) -> str:
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else "the recording"
