"""`FormBody`: multipart/form-data, read as it arrives.

It stands on python-multipart's parser itself, not on a framework's form: a framework would collect
the recording in a file of its own, in a folder of its own, before anybody could count or refuse.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from voxgate.api.body.form_fields import MAX_FIELDS, nest_fields, quote_field, too_many_fields
from voxgate.api.body.request_body import TEXT_BYTES, ContentType, RequestBody, text_too_large
from voxgate.api.body.strict_json import parse_json
from voxgate.api.body.upload import UploadWriter
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_multipart.multipart import MultipartCallbacks

    from voxgate.settings import Settings


# MERGED api.body.part
# `FormPart`: what the headers of one part of a form say.

RECORDING_FIELD = "file"  # the field's name in every dialect
MAX_PART_NAME = 255  # characters, as file systems have it

_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line and paragraph ends


@dataclass(frozen=True, slots=True)
class FormPart:
    """One field's name; the name and type of its file, where it has them."""

    name: str
    has_file_name: bool = False
    file_name: str | None = None
    media_type: str | None = None

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> FormPart:
        """Read a part's headers, their names in lower case. Raises `UsageError`."""
        disposition = headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        name = _name(options.get(b"name", b""))
        _check_encoding(headers.get(b"content-transfer-encoding", b""), name)
        file_name = _file_name(options.get(b"filename"), disposition)
        media_type = headers.get(b"content-type", b"").decode("latin-1")
        return cls(
            name,
            file_name is not None,
            base_name(file_name or ""),
            ContentType.of(media_type).media_type or None,
        )

    @property
    def is_binary(self) -> bool:
        """Whether its type is that of a recording, or of bytes that nobody looked at."""
        kind = self.media_type or ""
        return kind.startswith(("audio/", "video/")) or kind == "application/octet-stream"

    @property
    def is_recording(self) -> bool:
        """Whether it is the recording. Raises `UsageError` for one under another name."""
        if self.name == RECORDING_FIELD:
            return self.has_file_name or self.is_binary
        if self.has_file_name and self.is_binary:
            raise UsageError(
                f"The field {quote_field(self.name)} holds a file. The recording goes into the "
                f"field "
                f"'{RECORDING_FIELD}'."
            )
        return False


def base_name(name: str) -> str | None:
    """The last part of a path of any system, fit for a message; its end, where it is long."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in _UNSEEN).strip()
    return seen[-MAX_PART_NAME:] if seen.strip(".") else None


def _name(raw: bytes) -> str:
    if not raw:
        raise UsageError(
            "A part of the form has no name. Give each one 'Content-Disposition: form-data; "
            'name="..."\'.'
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "The name of a form field is not UTF-8. Send the form as UTF-8."
        ) from error


def _check_encoding(raw: bytes, name: str) -> None:
    encoding = raw.decode("latin-1").strip().lower()
    if encoding not in ("", "binary", "8bit", "7bit"):
        raise UsageError(
            f"The form field {quote_field(name)} is encoded as {encoding[:60]!r}. Send its bytes "
            f"as they "
            f"are, without Content-Transfer-Encoding."
        )


def _file_name(plain: bytes | None, disposition: bytes) -> str | None:
    """Some clients send names beyond ASCII only in the extended way of RFC 5987."""
    if plain is not None:
        return plain.decode(errors="replace")
    extended = _EXTENDED_NAME.search(disposition.decode("latin-1"))
    return unquote(extended[1], errors="replace") if extended else None


MAX_HEADERS = 16  # of one part
MAX_HEADER_BYTES = 8 * 1024  # of one header: a file name may be a whole path

_SILENT = logging.Logger("form", logging.CRITICAL + 1)  # a caller's mistake is no event of ours


class FormBody:
    """Bytes in by `feed`, the value from `finish`; `close` afterwards in any case.

    Both raise `UsageError`, `BodyTooLargeError` and `SpoolFullError`.
    """

    slice_bytes = 32 * 1024  # the parser walks through parts, and what looks like boundaries

    def __init__(self, boundary: bytes, settings: Settings) -> None:
        self.most_bytes = settings.max_upload_bytes + TEXT_BYTES
        self._settings = settings
        self._parser = _parser(boundary, self._callbacks())
        self._pairs: list[tuple[str, Any]] = []
        self._intake: UploadWriter | None = None
        self._recording: FormPart | None = None
        self._parts = 0
        self._text_bytes = 0
        self._ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header = [bytearray(), bytearray()]
        self._part = FormPart("")
        self._value = bytearray()

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise UsageError(
                f"The body is not the form that its content type says: {_lower(error)}."
            ) from error

    def finish(self) -> RequestBody:
        """What the body held. The upload is the caller's to close."""
        if not self._ended:
            raise UsageError("The form ends before its closing boundary. Was it cut off?")
        fields = nest_fields(self._pairs)
        upload = None
        if self._intake and self._recording:
            upload = self._intake.upload(self._recording.file_name, self._recording.media_type)
            self._intake = None
        return RequestBody(fields, upload, "form")

    def close(self) -> None:
        """Free the disk, unless `finish` gave the recording away. May be called again."""
        if self._intake:
            self._intake.close()

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise too_many_fields()
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += self._text(data, start, end)

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += self._text(data, start, end)

    def _on_header_end(self) -> None:
        name, value = self._header
        self._headers[bytes(name).lower()] = bytes(value)
        self._header = [bytearray(), bytearray()]

    def _on_headers_finished(self) -> None:
        self._part = FormPart.of(self._headers)
        self._value = bytearray()
        if self._part.is_recording:
            self._begin_recording()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._intake and self._part is self._recording:
            self._intake.write(memoryview(data)[start:end])
        else:
            self._value += self._text(data, start, end)

    def _on_part_end(self) -> None:
        if self._part is not self._recording:
            self._pairs.append((self._part.name, _value(self._part, bytes(self._value))))

    def _on_end(self) -> None:
        self._ended = True

    def _begin_recording(self) -> None:
        if self._recording:
            raise UsageError(
                f"The form has more than one field '{RECORDING_FIELD}'. Send one recording a "
                f"request."
            )
        self._intake = UploadWriter(self._settings)
        self._recording = self._part

    def _text(self, data: bytes, start: int, end: int) -> bytes:
        self._text_bytes += end - start
        if self._text_bytes > TEXT_BYTES:
            raise text_too_large()
        return data[start:end]


def _parser(boundary: bytes, callbacks: MultipartCallbacks) -> MultipartParser:
    try:
        parser = MultipartParser(
            boundary,
            callbacks,
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER_BYTES,
        )
    except FormParserError as error:
        raise UsageError(f"The form's boundary is not taken: {_lower(error)}.") from error
    parser.logger = _SILENT
    return parser


def _value(part: FormPart, raw: bytes) -> Any:
    if part.media_type == "application/json":
        return parse_json(raw, f"The form field {quote_field(part.name)}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The form field {quote_field(part.name)} is not UTF-8 text. Send it as UTF-8; a "
            f"recording "
            f"goes into the field '{RECORDING_FIELD}', with a file name."
        ) from error


def _lower(error: Exception) -> str:
    message = str(error)
    return message[:1].lower() + message[1:]
