"""`RawBody`: a body that is the recording itself, as curl and small devices send it.

The fields are in the query, by the names that they have in forms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.body.form_fields import nest_fields
from voxgate.api.body.request_body import RequestBody, recording_too_large
from voxgate.api.body.upload import ArrivingUpload, BodyBeginning, UploadWriter
from voxgate.api.body.urlencoded_body import parse_pairs
from voxgate.file_names import disposition_name

if TYPE_CHECKING:
    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings

QUERY_HINT = "Let your HTTP client encode it, as `curl --url-query` does"


class RawBody:
    """A `BodyParser` for recordings. `disposition` is the header that may name the file.

    The constructor raises `UsageError` for a malformed query and `SpoolFullError`; `feed` raises
    `VoxgateError` (`payload_too_large`) and `SpoolFullError`.
    """

    slice_bytes = 256 * 1024  # hashed and written in less than a millisecond

    def __init__(self, media_type: str, disposition: str, query: bytes, settings: Settings) -> None:
        self.max_bytes = settings.max_upload_bytes
        self._media_type = media_type
        self._name = disposition_name(disposition.encode("latin-1", "replace"))
        pairs = parse_pairs(query, "The address's query", QUERY_HINT) if query else ()
        self._fields = nest_fields(pairs)
        self._writer = UploadWriter(settings)
        self._finished = False

    def feed(self, data: bytes) -> None:
        """Write the next bytes."""
        self._writer.write(data)

    def arriving(self) -> BodyBeginning | None:
        """Return the fields of the query, once the recording comes. See `BodyParser`."""
        if not self._writer.size:
            return None
        upload = ArrivingUpload(self._writer, self._name, self._media_type)
        return BodyBeginning(self._fields, upload, "raw")

    def finish(self) -> RequestBody:
        """Return the recording, which the caller closes, with the fields of the query."""
        self._finished = True
        upload = self._writer.upload(self._name, self._media_type)
        return RequestBody(self._fields, upload, "raw")

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""
        return recording_too_large(self.max_bytes)

    def close(self) -> None:
        """Delete the recording, unless `finish` has returned it. May be called again."""
        if not self._finished:
            self._writer.close()
