"""`Download`: sends a kept file as it was uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from voxgate.api.disconnect import disconnected, run_until_disconnect
from voxgate.api.files.folder import in_thread

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from voxgate.api.body.request_body import Upload

CHUNK_BYTES = 256 * 1024


class Download(Response):
    """The response with a file, which it closes."""

    def __init__(self, upload: Upload) -> None:
        headers = {
            "Content-Length": str(upload.size),
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(upload.name or '')}",
            "X-Content-Type-Options": "nosniff",  # a browser must not take it for a page
        }
        super().__init__(headers=headers, media_type="application/octet-stream")
        self._upload = upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Send the file; stop when the client disconnects."""
        with self._upload:
            await run_until_disconnect(self._send(send), disconnected(receive))

    async def _send(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": self.raw_headers},
        )
        while chunk := await in_thread(self._upload.file.read, CHUNK_BYTES):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
