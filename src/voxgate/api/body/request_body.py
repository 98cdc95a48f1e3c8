"""What a request's body held: its fields, and the recording in a file that has no name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Any, Literal, TypeAlias

from python_multipart.multipart import parse_options_header

from voxgate.errors import BodyTooLargeError, MediaTypeError, UsageError

Kind: TypeAlias = Literal["json", "form", "urlencoded"]


@dataclass(slots=True)
class Upload:
    """The caller's recording as it came. Close it, or use it as a context: that frees its disk.

    `file` is unbuffered, has a real descriptor, and stands anywhere. `size` is in bytes; `sha256`
    is hexadecimal. `name` is the last part of the form's file name, for messages and for its
    extension, never a path; JSON has none. `media_type` is what the form said, lower case, without
    parameters.
    """

    file: IO[bytes]
    size: int
    sha256: str
    name: str | None = None
    media_type: str | None = None

    def close(self) -> None:
        """Give the disk space back. May be called again."""
        self.file.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class RequestBody:
    """The body of one request.

    `fields` is the JSON object without `input_audio.data`, or the form's fields, nested, their
    values still text. `dropped` names what was left out of it: strings of more than 64 KiB that are
    not the recording, as paths (`prompt`, `keyterms[2]`).
    """

    fields: dict[str, Any]
    upload: Upload | None
    kind: Kind
    dropped: list[str] = field(default_factory=list)


# MERGED api.body.content_type
# A content type header as a value, and which of the three kinds of body it announces.

JSON_TYPE = "application/json"
FORM_TYPE = "multipart/form-data"
URLENCODED_TYPE = "application/x-www-form-urlencoded"
KNOWN_TYPES = f"Send {JSON_TYPE}, {FORM_TYPE} or {URLENCODED_TYPE}"


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
        if self.media_type == FORM_TYPE:
            if not self.boundary:
                raise UsageError(
                    f"The content type {FORM_TYPE} lacks its boundary. Let your HTTP client write "
                    f"the "
                    f"header itself."
                )
            return "form"
        if self.charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise MediaTypeError(f"The body's charset is {self.charset!r}. Send it as UTF-8.")
        if self.media_type == JSON_TYPE or self.media_type.endswith("+json"):
            return "json"
        if self.media_type == URLENCODED_TYPE:
            return "urlencoded"
        raise MediaTypeError(
            f"The body's content type is {self.media_type[:80]!r}, which is not read here. "
            f"{KNOWN_TYPES}."
        )


# MERGED api.body.limits
# How much of a body is taken, and the sentences for more.

TEXT_BYTES = 256 * 1024
"""All of a body that is not the recording: keys, values, the headers of a form's parts."""


def recording_too_large(limit: int) -> BodyTooLargeError:
    """The recording itself has more than `limit` bytes."""
    return BodyTooLargeError(
        f"The recording is larger than {_size(limit)}, the limit here. Send it compressed (FLAC, "
        f"Opus or MP3) or in parts, or let this server's operator raise VOXGATE_MAX_UPLOAD_BYTES."
    )


def text_too_large() -> BodyTooLargeError:
    """What stands around the recording has more than `TEXT_BYTES`."""
    return BodyTooLargeError(
        f"The text around the recording is larger than {TEXT_BYTES // 1024} KiB, the limit for "
        f"all fields together. Send shorter fields."
    )


def body_too_large(most: int, recording: int) -> BodyTooLargeError:
    """The whole body has more than the `most` bytes that the largest `recording` can need."""
    return BodyTooLargeError(
        f"The body is larger than {_size(most)}, more than a recording of {_size(recording)}, the "
        f"limit here, can need. Send it compressed (FLAC, Opus or MP3) or in parts, or let this "
        f"server's operator raise VOXGATE_MAX_UPLOAD_BYTES."
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 10**6 else f"{count:,} bytes"
