"""Names of files that strangers give: in a form, in a response, in an address."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

from python_multipart.multipart import parse_options_header

MAX_NAME = 255  # characters, as file systems have it

_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*utf-8'[^']*'([^;\s]+)", re.IGNORECASE)
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line and paragraph ends


def base_name(name: str) -> str | None:
    """Return the last part of a path of any system, without invisible characters.

    A long name keeps its end. Returns None where nothing visible is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    visible = "".join(c for c in last if unicodedata.category(c) not in _INVISIBLE).strip()
    return visible[-MAX_NAME:] if visible.strip(".") else None


def disposition_name(header: bytes) -> str | None:
    """Return the file's name in a Content-Disposition; the extended one counts first, RFC 6266."""
    plain = parse_options_header(header)[1].get(b"filename", b"").decode(errors="replace")
    return base_name(extended_name(header) or plain)


def extended_name(disposition: bytes) -> str | None:
    """Return the file's name of a Content-Disposition as RFC 5987 extends it, if it is UTF-8."""
    extended = _EXTENDED_NAME.search(disposition.decode("latin-1"))
    return unquote(extended[1], errors="replace") if extended else None
