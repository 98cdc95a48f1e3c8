"""`Assets`: the style sheet, the scripts and the fonts of the pages, read once, kept compressed.

All are below one address with the digest of them all, so that a browser keeps them for a year and
never mixes two versions, and a script imports another by its name alone. `vendor/` has what
`make web` copies from npm; without it pages show tables instead of charts.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.requests import Request

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"
A_YEAR = "public, max-age=31536000, immutable"
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, in memory."""

    content: bytes
    compressed: bytes
    media_type: str


class Assets:
    """The files below a folder, by their path in it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix)
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in paths}
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(f"{name} {len(asset.content)} ".encode() + asset.content)
        self.digest = digest.hexdigest()[:16]

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def address(self, name: str) -> str:
        """Return the address of a file. Raises `KeyError` for one that is not there."""
        if name not in self._files:
            raise KeyError(name)
        return f"{PREFIX}/{self.digest}/{name}"

    async def serve(self, request: Request) -> Response:
        """Respond with a file. One of another version is not there: its page is loaded anew."""
        asset = self._files.get(request.path_params["name"])
        if asset is None or request.path_params["digest"] != self.digest:
            raise HTTPException(404)
        headers = {"Cache-Control": A_YEAR, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(asset.compressed, headers=headers, media_type=asset.media_type)
        return Response(asset.content, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return Asset(content, gzip.compress(content, mtime=0), kind or "application/octet-stream")
