"""`Part`: what the headers of one part of a form say."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from python_multipart.multipart import parse_options_header

from voxgate.api.body.content_type import ContentType
from voxgate.api.body.fields import shown
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

RECORDING = "file"  # the field's name in every dialect
MAX_NAME = 255  # characters, as file systems have it

_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line and paragraph ends


@dataclass(frozen=True, slots=True)
class Part:
    """One field's name; the name and type of its file, where it has them."""

    name: str
    has_file_name: bool = False
    file_name: str | None = None
    media_type: str | None = None

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes]) -> Part:
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
        if self.name == RECORDING:
            return self.has_file_name or self.is_binary
        if self.has_file_name and self.is_binary:
            raise UsageError(
                f"The field {shown(self.name)} holds a file. The recording goes into the field "
                f"'{RECORDING}'."
            )
        return False


def base_name(name: str) -> str | None:
    """The last part of a path of any system, fit for a message; its end, where it is long."""
    last = re.split(r"[/\\]", name)[-1]
    seen = "".join(c for c in last if unicodedata.category(c) not in _UNSEEN).strip()
    return seen[-MAX_NAME:] if seen.strip(".") else None


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
            f"The form field {shown(name)} is encoded as {encoding[:60]!r}. Send its bytes as they "
            f"are, without Content-Transfer-Encoding."
        )


def _file_name(plain: bytes | None, disposition: bytes) -> str | None:
    """Some clients send names beyond ASCII only in the extended way of RFC 5987."""
    if plain is not None:
        return plain.decode(errors="replace")
    extended = _EXTENDED_NAME.search(disposition.decode("latin-1"))
    return unquote(extended[1], errors="replace") if extended else None
