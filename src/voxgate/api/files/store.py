"""`FileStore`: the recordings that callers keep: for whom, how many and for how long.

A file is there when the ledger lists it. Its bytes are written before, and deleted after it is
listed no more.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from voxgate.api.body.request_body import Upload, format_size
from voxgate.api.files.folder import FileFolder
from voxgate.api.files.signed_address import AddressSigner
from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.files import KeptFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.ledger.files import FilePage, Files
    from voxgate.remote.recording_url import RecordingUrl
    from voxgate.settings import Settings

SWEEP_S = 60.0
"""How long the bytes of an expired file may stay; it is not served any more."""

MOST_KEPT_S = 100 * 365 * 24 * 3600.0
"""What a setting of `inf` means: a date has no such value."""

UNNAMED = "recording"
FOLDER, SECRET_FILE = "files", "files.secret"

log = logging.getLogger(__name__)


class FileStore:
    """The kept files of one home. `listed` is their list in the ledger.

    Methods raise `LedgerError`, and `UsageError` (`unsupported_option`) where nothing is kept.
    """

    def __init__(self, settings: Settings, listed: Files) -> None:
        self._settings, self._listed = settings, listed
        self._folder = FileFolder(settings.home / FOLDER)
        self.signer = AddressSigner(settings.home / SECRET_FILE)

    def check_on(self) -> None:
        """Raise unless the operator lets callers keep files."""
        if not self._settings.keep_files:
            raise UsageError(
                "This server keeps no files, so there is no 'file_id'. Send the recording itself "
                "as 'file' with each request, or let this server's operator set "
                "VOXGATE_KEEP_FILES=1.",
                code="unsupported_option",
            )

    async def check_room(self, owner: str | None, size: int) -> None:
        """Raise `VoxgateError` (`payload_too_large`) unless a key may keep so many bytes more."""
        self.check_on()
        if error := self._too_many(await self._listed.size(owner) + size):
            raise error

    async def keep(self, upload: Upload, owner: str | None, hours: int | None = None) -> KeptFile:
        """Keep a copy of an upload, at most for some hours.

        Raises `VoxgateError` (`payload_too_large`) for more than a key may keep, and
        `SpoolFullError`.
        """
        await self.sweep()  # expired files do not count, so their bytes must be gone
        kept_s = min(self._settings.kept_s, hours * 3600.0 if hours else MOST_KEPT_S)
        async with self._folder.written(upload.file) as id_:
            now = utc_now()
            kept = KeptFile(
                id=id_,
                key_hash=owner,
                name=upload.name or UNNAMED,
                media_type=upload.media_type,
                size=upload.size,
                sha256=upload.sha256,
                expires_at=now + timedelta(seconds=kept_s),
                created_at=now,
            )
            await self._listed.add(kept, self._too_many)
        return kept

    async def find(self, id_: str, owner: str | None) -> KeptFile:
        """Return a file of a key. Raises `VoxgateError` (`not_found`), also for another key's."""
        self.check_on()
        return _found(id_, await self._listed.find(id_, owner))

    async def find_shared(self, id_: str) -> KeptFile:
        """Return a file whose signed address a caller has. Raises as `find`."""
        self.check_on()
        return _found(id_, await self._listed.find_shared(id_))

    async def page(self, owner: str | None, start: int, count: int, **wanted: Any) -> FilePage:
        """Return files of a key: see `Files.page`."""
        self.check_on()
        return await self._listed.page(owner, start, count, **wanted)

    def open(self, kept: KeptFile) -> Upload:
        """Open a file, which the caller closes. Raises `VoxgateError` (`not_found`)."""
        try:
            file = self._folder.open(kept.id)
        except FileNotFoundError as error:  # deleted in the meantime
            raise _not_found(kept.id) from error
        return Upload(file, kept.size, kept.sha256, kept.name, kept.media_type)

    async def open_named(
        self, id_: str | None, url: RecordingUrl | None, owner: str | None
    ) -> Upload | None:
        """Open the file that a request names by its id or by an address that was signed here.

        Returns None for a request that names none: the address may be another server's. Raises as
        `find`, `UsageError` (`url_refused`) for an address that has expired, and `VoxgateError`
        (`permission_denied`) for the address of a file here that was changed.
        """
        if id_ is not None:
            return self.open(await self.find(id_, owner))
        if url is None or not self._settings.keep_files:
            return None
        if signed := self.signer.signed_file(url):
            return self.open(await self.find_shared(signed))
        named = self.signer.named_file(url)
        if named and await self._listed.find_shared(named):
            raise wrong_signature()
        return None

    async def delete(self, id_: str, owner: str | None) -> None:
        """Delete a file of a key. Raises as `find`."""
        kept = await self.find(id_, owner)
        await self._listed.remove(kept.id, owner)
        self._folder.delete(kept.id)

    async def sweep(self) -> None:
        """Delete what has expired."""
        for id_ in await self._listed.remove_expired():
            self._folder.delete(id_)

    @asynccontextmanager
    async def swept(self) -> AsyncIterator[None]:
        """Delete what a killed process left; within the context also what expires.

        Files expire although their setting was turned off since.
        """
        await self.sweep()
        await self._delete_unlisted()
        sweeping = asyncio.create_task(self._keep_sweeping())
        try:
            yield
        finally:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self.sweep()
            except (VoxgateError, OSError) as error:
                log.warning("expired files could not be deleted: %s", error)

    async def _delete_unlisted(self) -> None:
        for id_ in self._folder.unlocked():
            if not await self._listed.exists(id_):
                self._folder.delete(id_)

    def _too_many(self, size: int) -> VoxgateError | None:
        """Return the error for a key that would keep so many bytes, if they are too many."""
        limit = self._settings.kept_bytes
        if size <= limit:
            return None
        return VoxgateError(
            f"The files of this key would have {format_size(size)} with this one, and "
            f"{format_size(limit)} is the limit here. Delete some, or let this server's operator "
            f"raise VOXGATE_KEPT_BYTES.",
            code="payload_too_large",
        )


def _found(id_: str, kept: KeptFile | None) -> KeptFile:
    if kept is None:
        raise _not_found(id_)
    return kept


def _not_found(id_: str) -> VoxgateError:
    return VoxgateError(
        f"No file of this key has the id '{id_[:100]}'. It was never there, was deleted, or has "
        f"expired. GET /v1/files lists those that are there.",
        code="not_found",
    )


def wrong_signature() -> VoxgateError:
    """Return the error for the address of a file that is here, with a signature that is not."""
    return VoxgateError(
        "The signature of the address is not valid for this file. Get a new address from the "
        "file's '/url', and change nothing in it.",
        code="permission_denied",
    )
