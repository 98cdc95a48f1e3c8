"""`RequestBody`: the fields of a request, and its recording in an unnamed file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias

from python_multipart.multipart import parse_options_header

from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from voxgate.pipeline.trace import StageTimes

BodyKind: TypeAlias = Literal["json", "form", "urlencoded", "raw"]


@dataclass(slots=True)
class Upload:
    """The caller's recording, byte for byte: a `Recording` of `voxgate.api.recording`.

    Close it, or use it as a context, to delete it, unless it is a kept file.

    `file` is unbuffered and has a real descriptor; its position is undefined. `size` is in bytes,
    `sha256` is hexadecimal. `name` is the last part of the file name that the caller gave, for
    messages and for its extension, and never a path; JSON has none. `media_type` is that of the
    form's part or of the body, in lower case and without parameters.
    """

    file: IO[bytes]
    size: int
    sha256: str
    name: str | None = None
    media_type: str | None = None

    def close(self) -> None:
        """Delete the recording. May be called again."""
        self.file.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def identity(self) -> Hashable:
        """The hash and the name, which messages have."""
        return self.sha256, self.name

    @property
    def origin(self) -> str | None:
        """None: it is fetched from nowhere."""
        return None

    async def open(self, _stages: StageTimes) -> IO[bytes]:
        """Return the file at its beginning."""
        self.file.seek(0)
        return self.file


@dataclass(slots=True)
class RequestBody:
    """The body of one request.

    `fields` is the JSON object without `input_audio.data`; or the fields of the form or, beside a
    raw recording, of the query, nested, with text as values. `dropped` has the paths (`prompt`,
    `keyterms[2]`) of strings that were removed: those of more than 64 KiB that are not the
    recording.
    """

    fields: dict[str, Any]
    upload: Upload | None
    kind: BodyKind
    dropped: list[str] = field(default_factory=list)


JSON_TYPE = "application/json"
FORM_TYPE = "multipart/form-data"
URLENCODED_TYPE = "application/x-www-form-urlencoded"
RAW_TYPE = "application/octet-stream"
RAW_HINT = "A recording as the whole body needs a type of its own: -H 'Content-Type: audio/mpeg'"
KNOWN_TYPES = f"Send {JSON_TYPE}, {FORM_TYPE} or {URLENCODED_TYPE}. {RAW_HINT}"


def is_binary(media_type: str) -> bool:
    """Return whether a type is that of sound, of a film or of unspecified bytes."""
    return media_type.startswith(("audio/", "video/")) or media_type == RAW_TYPE


@dataclass(frozen=True, slots=True)
class ContentType:
    """A content type header. `media_type` and `charset` are in lower case, "" if missing."""

    media_type: str
    charset: str = ""
    boundary: bytes = b""

    @classmethod
    def parse(cls, header: str) -> ContentType:
        """Parse a header's value. Never raises."""
        media_type, options = parse_options_header(header.encode("latin-1", "replace"))
        charset = options.get(b"charset", b"").decode("latin-1").strip().lower()
        return cls(media_type.decode("latin-1").strip(), charset, options.get(b"boundary", b""))

    def kind(self) -> BodyKind:
        """Return the kind of body.

        Raises `VoxgateError` (`unsupported_media_type`) for a type or charset that is not
        supported, and `UsageError` for a form without a boundary.
        """
        if self.media_type == FORM_TYPE:
            if not self.boundary:
                raise UsageError(
                    f"The content type {FORM_TYPE} lacks its boundary. Let your HTTP client write "
                    f"the header itself."
                )
            return "form"
        if is_binary(self.media_type):
            return "raw"
        if self.charset not in ("", "utf-8", "utf8", "us-ascii"):
            raise VoxgateError(
                f"The body's charset is {self.charset!r}. Send it as UTF-8.",
                code="unsupported_media_type",
            )
        if self.media_type == JSON_TYPE or self.media_type.endswith("+json"):
            return "json"
        if self.media_type == URLENCODED_TYPE:
            return "urlencoded"
        raise VoxgateError(
            f"The body's content type is {self.media_type[:80]!r}, which is not read here. "
            f"{KNOWN_TYPES}.",
            code="unsupported_media_type",
        )


def refuse_compressed(headers: Mapping[str, str]) -> None:
    """Raise `VoxgateError` (`unsupported_media_type`) for a body with a content encoding."""
    encoding = headers.get("content-encoding", "")
    if encoding.strip().lower() not in ("", "identity"):
        raise VoxgateError(
            f"The body is compressed ({encoding[:60]!r}). Send it without Content-Encoding; a "
            f"compressed recording (FLAC, Opus, MP3) saves more.",
            code="unsupported_media_type",
        )


TEXT_BYTES = 256 * 1024
"""The limit on all of a body but the recording: keys, values, the headers of a form's parts."""


def recording_too_large(limit: int) -> VoxgateError:
    """Return the error for a recording of more than `limit` bytes."""
    return VoxgateError(
        f"The recording is larger than {format_size(limit)}, the limit here. Send it compressed "
        f"(FLAC, Opus or MP3) or in parts, or let this server's operator raise "
        f"VOXGATE_MAX_UPLOAD_BYTES.",
        code="payload_too_large",
    )


def text_too_large(limit: int = TEXT_BYTES) -> VoxgateError:
    """Return the error for a body with more than `limit` bytes around its recordings."""
    return VoxgateError(
        f"The text around the recording is larger than {limit // 1024} KiB, the limit for "
        f"all fields together. Send shorter fields.",
        code="payload_too_large",
    )


def body_too_large(limit: int, recording_limit: int) -> VoxgateError:
    """Return the error for a body of more than `limit` bytes, all that a recording can need."""
    return VoxgateError(
        f"The body is larger than {format_size(limit)}, more than a recording of "
        f"{format_size(recording_limit)}, the limit here, can need. Send it compressed (FLAC, Opus "
        f"or MP3) or in parts, or let this server's operator raise VOXGATE_MAX_UPLOAD_BYTES.",
        code="payload_too_large",
    )


def format_size(count: int) -> str:
    """Return a number of bytes for a message."""
    return f"{count / 1e6:,.0f} MB" if count >= 10**6 else f"{count:,} bytes"
