"""`ResponseHead`: what a server's response says before the recording, and whether that is taken."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from voxgate.errors import AudioError
from voxgate.file_names import disposition_name

if TYPE_CHECKING:
    import httpcore2

    from voxgate.remote.recording_url import RecordingUrl

REDIRECTS = {301, 302, 303, 307, 308}
COMPLETE = {200, 203}  # 203: a proxy has changed something
MAX_NAME_BYTES = 200  # in UTF-8: an output's name has room for its extensions

HTML_TYPES = ("text/html", "application/xhtml+xml")
HTML_BEGINNINGS = (b"<!doctype html", b"<html")


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The status and the headers of one response. Names of headers are in lower case."""

    host: str
    status: int
    headers: dict[bytes, bytes]

    @classmethod
    def of(cls, response: httpcore2.Response, host: str) -> ResponseHead:
        """Read the head of a response. Of a repeated header the last one counts."""
        headers = {name.lower(): value for name, value in response.headers}
        return cls(host, response.status, headers)

    @property
    def location(self) -> str | None:
        """Where the response leads on to, if it does."""
        location = self.headers.get(b"location", b"").decode("utf-8", "replace")
        return location if self.status in REDIRECTS else None

    @property
    def length(self) -> int | None:
        """The announced bytes of the recording. None where they are unknown."""
        length = self.headers.get(b"content-length", b"")
        return int(length) if length.isdigit() else None

    def check(self) -> None:
        """Raise `AudioError` (`fetch_failed`) for a failure, and for a compressed body."""
        if self.status not in COMPLETE:
            raise AudioError(_status_sentence(self.host, self.status), code="fetch_failed")
        encoding = self._text(b"content-encoding")
        if encoding not in {"", "identity"}:
            raise AudioError(
                f"{self.host} sends the recording compressed ({encoding[:60]}), though it was "
                f"asked not to. Get it with another program, and send the recording itself.",
                code="fetch_failed",
            )

    def is_page(self, beginning: bytes) -> bool:
        """Return whether the body is a web page, by its first bytes and by its type.

        The type alone does not tell: scripts that forget theirs send recordings as HTML.
        """
        text = beginning.lstrip(b"\xef\xbb\xbf \t\r\n\f").lower()
        declared = self._text(b"content-type").startswith(HTML_TYPES)
        return text.startswith(HTML_BEGINNINGS) or (declared and text.startswith(b"<"))

    def file_name(self, *urls: RecordingUrl) -> str:
        """Return the file's name: that of Content-Disposition, of the first URL that has one.

        It has no path, no dot at its beginning and a limited length. A URL's name with an extension
        is preferred. Where there is none, it is the host.
        """
        named = [url.file_name for url in urls]
        candidates = [
            disposition_name(self.headers.get(b"content-disposition", b"")),
            *(name for name in named if name and "." in name.strip(".")),
            *named,
        ]
        name = next((name for name in candidates if name and name.strip(". ")), urls[0].host)
        return _shortened(name.lstrip(". "))

    def _text(self, name: bytes) -> str:
        return self.headers.get(name, b"").decode("latin-1").strip().lower()


def _shortened(name: str) -> str:
    """Return the name with at most `MAX_NAME_BYTES` bytes. It keeps its extension."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 10:
        stem, dot, extension = name, "", ""
    room = MAX_NAME_BYTES - len(f"{dot}{extension}".encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + extension


def _status_sentence(host: str, status: int) -> str:
    named = f"{status} {_phrase(status)}".strip()
    if status in {401, 403, 407}:
        advice = (
            "Check whether the address is public and, if it is signed, still valid; or send the "
            "recording itself"
        )
    elif status in {404, 410}:
        advice = "Check the address"
    elif status == 429 or status >= 500:
        advice = "Try again later, or send the recording itself"
    else:
        advice = "Give the address of the file itself, or send the recording"
    return f"{host} answered {named} instead of a recording. {advice}."


def _phrase(status: int) -> str:
    try:
        return f"({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
