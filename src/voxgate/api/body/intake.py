"""`Intake`: a recording while it arrives, hashed and written to a file that has no name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from voxgate.api.body.limits import recording_too_large
from voxgate.api.body.received import Upload
from voxgate.audio.spool import nameless_file, spool_full

if TYPE_CHECKING:
    from voxgate.settings import Settings


class Intake:
    """Append with `write`, then take the `upload`; or `close`, and nothing was there.

    Raises `SpoolFullError` from the constructor and from `write`.
    """

    def __init__(self, settings: Settings) -> None:
        self.size = 0
        self._folder = settings.spool_dir
        self._limit = settings.max_upload_bytes
        self._hash = hashlib.sha256()
        self._file = nameless_file(self._folder, "upload-")

    def write(self, data: bytes | memoryview) -> None:
        """Append. Raises `BodyTooLargeError` beyond the largest recording."""
        view = memoryview(data)
        self.size += len(view)
        if self.size > self._limit:
            raise recording_too_large(self._limit)
        self._hash.update(view)
        try:
            while view:  # an unbuffered file may take less than it is given
                view = view[self._file.write(view) :]
        except OSError as error:
            raise spool_full(self._folder, error) from error

    def upload(self, name: str | None = None, media_type: str | None = None) -> Upload:
        """What came, from now on the caller's to close."""
        return Upload(self._file, self.size, self._hash.hexdigest(), name, media_type)

    def close(self) -> None:
        """Give the disk space back. May be called again."""
        self._file.close()
