"""`JsonScanner`: removes the long strings from a JSON text while it arrives.

It only finds where strings begin and end. The rest is the *skeleton*, a small JSON text with a
placeholder for each long string, which the standard library parses. So nothing here decides what
is valid JSON. No caller can forge a placeholder, because it contains a random number for each
request.
"""

from __future__ import annotations

import codecs
import json
import re
import secrets
from typing import TYPE_CHECKING

from voxgate.api.body.request_body import TEXT_BYTES, text_too_large
from voxgate.api.body.strict_json import not_json
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.api.body.upload import Base64Decoder


_CUT_OFF = re.compile(
    rb"""\\u(?:[0-9a-fA-F]{0,3}           # an escape with fewer than four digits
            |[dD][89abAB][0-9a-fA-F]{2}   # or the first half of a surrogate pair,
             (?:\\u[0-9a-fA-F]{0,3})?     # and some of its second half
         )\Z""",
    re.VERBOSE,
)
_LONGEST_CUT = len(rb"\ud83d\ude0")


class LongStringReader:
    """Checks and decodes one long string. Call `feed` with its raw content, then `finish`.

    A recording in JSON is 99.9 % of the body in one string, which is never held in memory: each
    piece is unescaped, checked as part of a JSON string, and decoded as base64. No piece may end
    with a lone backslash.

    `feed` and `finish` raise `UsageError` for content that is not a JSON string, and what
    `UploadWriter.write` raises. Content that is not base64 is reported in `base64.problem`.
    """

    def __init__(self, base64: Base64Decoder) -> None:
        self.base64 = base64
        self._cut_off = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def feed(self, raw: bytes) -> None:
        """Decode the next piece of the content between the quotes."""
        raw = self._cut_off + raw
        end = _cut_off(raw)
        self._cut_off = raw[end:]
        self._decode(raw[:end])

    def finish(self) -> None:
        """Decode the end, which may be an incomplete escape or character."""
        self._decode(self._cut_off)
        self._unescape(b"", final=True)
        self.base64.finish()

    def _decode(self, raw: bytes) -> None:
        plain = b"\\" not in raw and not self.base64.problem
        self.base64.feed(raw if plain else self._unescape(raw))
        if plain and self.base64.problem:  # without a problem, it is valid JSON too
            self._unescape(raw)

    def _unescape(self, raw: bytes, *, final: bool = False) -> bytes:
        """Return `raw` as the standard library unescapes it, in UTF-8. Raises `UsageError`."""
        try:
            text: str = json.loads(f'"{self._utf8.decode(raw, final)}"')
            return text.encode()
        except json.JSONDecodeError as error:
            raise not_json("The body", f"a long string in it has an {_lower(error.msg)}") from error
        except UnicodeError as error:
            raise not_json("The body", "a long string in it is not UTF-8") from error


def _cut_off(raw: bytes) -> int:
    """Return where an incomplete escape at the end of `raw` begins, or the length of `raw`."""
    if b"\\" not in raw[-_LONGEST_CUT:]:
        return len(raw)
    # Start the tail before a run of backslashes: inside it, their pairs could not be told apart.
    start = len(raw[:-_LONGEST_CUT].rstrip(b"\\"))
    pairs_masked = raw[start:].replace(rb"\\", b"..")
    cut = _CUT_OFF.search(pairs_masked)
    return start + cut.start() if cut else len(raw)


def _lower(message: str) -> str:
    """Return the parser's message as part of a sentence."""
    return message.removesuffix(" at").lower()


LONG_BYTES = 64 * 1024
"""Raw bytes above which a string is long. Also the most that one step of the scanner reads."""

MAX_LONG_STRINGS = 8
"""Long strings in one body: each may have an open file."""


class JsonScanner:
    """Call `feed`, then `finish`: then `skeleton` is complete.

    `long_strings` has the reader of each long string by its placeholder. `feed` and `finish` raise
    `UsageError`, `VoxgateError` (`payload_too_large`) for a skeleton beyond `text_bytes`, and what
    `LongStringReader` raises.
    """

    def __init__(
        self,
        new_long_string: Callable[[], LongStringReader],
        *,
        long_bytes: int = LONG_BYTES,
        text_bytes: int = TEXT_BYTES,
    ) -> None:
        self.long_strings: dict[str, LongStringReader] = {}
        self._new_long_string = new_long_string
        self._long_bytes, self._text_bytes = long_bytes, text_bytes
        self._nonce = secrets.token_hex(16)
        self.skeleton = bytearray()
        self._inside = False  # whether the last byte was inside a string
        self._short = bytearray()  # the raw content of the current string, while it is short
        self._reader: LongStringReader | None = None  # of the current string, once it is long
        self._backslash = b""  # held back until the escaped character arrives

    def feed(self, data: bytes) -> None:
        """Scan the next bytes."""
        for start in range(0, len(data), self._long_bytes):
            self._scan(data[start : start + self._long_bytes])
            if len(self.skeleton) > self._text_bytes:
                raise text_too_large(self._text_bytes)

    def finish(self) -> None:
        """Finish the scan."""
        if self._inside:
            raise not_json("The body", "it ends within a string, so it was cut off")
        self.skeleton += self._backslash

    def _scan(self, data: bytes) -> None:
        """Scan at most `long_bytes` bytes: a string that begins and ends in them is short."""
        data = self._backslash + data
        end = len(data)
        if (end - len(data.rstrip(b"\\"))) % 2:  # the escaped character has not arrived
            end -= 1
        self._backslash = data[end:]
        quotes = data  # of the same length, with escaped quotes masked
        if b'"' in data and b"\\" in data:
            quotes = data.replace(rb"\\", b"..").replace(rb"\"", b"..")
        outside = 0
        if self._inside:
            quote = quotes.find(b'"')
            self._add_content(data[: quote if quote >= 0 else end])
            if quote < 0:
                return
            self._end_string()
            outside = quote + 1
        self._inside = quotes.count(b'"', outside) % 2 == 1
        opened = quotes.rfind(b'"') + 1 if self._inside else end
        self.skeleton += data[outside:opened]
        if self._inside:
            self._add_content(data[opened:end])

    def _add_content(self, raw: bytes) -> None:
        if self._reader is None:
            self._short += raw
            if len(self._short) <= self._long_bytes:
                return
            raw = bytes(self._short)
            self._short.clear()
            self._reader = self._begin_long()
        self._reader.feed(raw)

    def _begin_long(self) -> LongStringReader:
        if len(self.long_strings) == MAX_LONG_STRINGS:
            raise UsageError(
                f"The body has more than {MAX_LONG_STRINGS} strings of over {self._long_bytes:,} "
                f"bytes. Only 'input_audio.data' may be that long."
            )
        reader = self._new_long_string()
        self.long_strings[f"{self._nonce}-{len(self.long_strings)}"] = reader
        return reader

    def _end_string(self) -> None:
        if self._reader:
            self._reader.finish()
            self.skeleton += list(self.long_strings)[-1].encode()
            self._reader = None
        self.skeleton += self._short + b'"'
        self._short.clear()
