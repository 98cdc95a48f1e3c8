"""A content type header as a value, and which of the three kinds of body it announces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.multipart import parse_options_header

from voxgate.errors import MediaTypeError, UsageError

if TYPE_CHECKING:
    from voxgate.api.body.received import Kind

JSON = "application/json"
FORM = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
KNOWN = f"Send {JSON}, {FORM} or {URLENCODED}"


@dataclass(frozen=True, slots=True)
class ContentType:
    """`media_type` in lower case; `charset` in lower case, "" where it is not said."""

    media_type: str
    charset: str = ""
    boundary: bytes = b""

    @classmethod
    def of(cls, header: str) -> ContentType:
        """Read a header's value; whatever it is, it means something."""
        media_type, options = parse_options_header(header.encode("latin-1", "replace"))
        charset = options.get(b"charset", b"").decode("latin-1").strip().lower()
        return cls(media_type.decode("latin-1").strip(), charset, options.get(b"boundary", b""))

    def kind(self) -> Kind:
        """How such a body is read.

        Raises `MediaTypeError` for a type or a charset that is not read here, and `UsageError` for
        a form without a boundary.
        """
        if self.media_type == FORM:
            if not self.boundary:
                raise UsageError(
                    f"The content type {FORM} lacks its boundary. Let your HTTP client write the "
                    f"header itself."
                )
            return "form"
        if self.charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise MediaTypeError(f"The body's charset is {self.charset!r}. Send it as UTF-8.")
        if self.media_type == JSON or self.media_type.endswith("+json"):
            return "json"
        if self.media_type == URLENCODED:
            return "urlencoded"
        raise MediaTypeError(
            f"The body's content type is {self.media_type[:80]!r}, which is not read here. {KNOWN}."
        )
