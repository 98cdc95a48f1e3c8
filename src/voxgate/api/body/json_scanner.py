"""`JsonScanner`: takes the long strings out of a JSON text while it arrives.

It knows one thing about JSON: where strings begin and end. What is left is the *skeleton*, a small
JSON text with a placeholder for each long string, and the standard library reads that. So nothing
here decides what is JSON; and no placeholder can be forged, because it carries a random number of
this request.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from voxgate.api.body.limits import TEXT_BYTES, text_too_large
from voxgate.api.body.strict_json import not_json
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.api.body.long_string import LongString

HOIST_BYTES = 64 * 1024
"""Raw content above which a string is taken out. Also the most that is looked at in one step."""

MOST_LONG = 8
"""Long strings in one body: each may hold a file open."""


class JsonScanner:
    """Bytes in by `feed`; after `finish`, `skeleton` is whole. `long` has each long string.

    Both raise `UsageError`, `BodyTooLargeError` for a skeleton beyond `TEXT_BYTES`, and what
    `LongString` raises.
    """

    def __init__(
        self, new_long: Callable[[], LongString], *, hoist_bytes: int = HOIST_BYTES
    ) -> None:
        self.long: dict[str, LongString] = {}
        self._new_long = new_long
        self._hoist_bytes = hoist_bytes
        self._nonce = secrets.token_hex(16)
        self.skeleton = bytearray()
        self._inside = False  # of a string
        self._short = bytearray()  # its raw content, as long as it is short
        self._open: LongString | None = None  # its content, once it is long
        self._backslash = b""  # held back: what it escapes has not come yet

    def feed(self, data: bytes) -> None:
        """Take the next bytes, however they are cut."""
        for start in range(0, len(data), self._hoist_bytes):
            self._slice(data[start : start + self._hoist_bytes])
            if len(self.skeleton) > TEXT_BYTES:
                raise text_too_large()

    def finish(self) -> None:
        """There is no more."""
        if self._inside:
            raise not_json("The body", "it ends within a string, so it was cut off")
        self.skeleton += self._backslash

    def _slice(self, data: bytes) -> None:
        """Take at most `hoist_bytes`: a string that begins and ends among them is a short one."""
        data = self._backslash + data
        end = len(data)
        if (end - len(data.rstrip(b"\\"))) % 2:  # what the last backslash escapes is still to come
            end -= 1
        self._backslash = data[end:]
        quotes = data  # of the same length, but without the quotes that are escaped
        if b'"' in data and b"\\" in data:
            quotes = data.replace(rb"\\", b"..").replace(rb"\"", b"..")
        outside = 0
        if self._inside:
            quote = quotes.find(b'"')
            self._content(data[: quote if quote >= 0 else end])
            if quote < 0:
                return
            self._end_string()
            outside = quote + 1
        self._inside = quotes.count(b'"', outside) % 2 == 1
        opened = quotes.rfind(b'"') + 1 if self._inside else end
        self.skeleton += data[outside:opened]
        if self._inside:
            self._content(data[opened:end])

    def _content(self, raw: bytes) -> None:
        if self._open is None:
            self._short += raw
            if len(self._short) <= self._hoist_bytes:
                return
            raw = bytes(self._short)
            self._short.clear()
            self._open = self._begin_long()
        self._open.feed(raw)

    def _begin_long(self) -> LongString:
        if len(self.long) == MOST_LONG:
            raise UsageError(
                f"The body has more than {MOST_LONG} strings of over {self._hoist_bytes:,} bytes. "
                f"Only 'input_audio.data' may be that long."
            )
        long = self.long[f"{self._nonce}-{len(self.long)}"] = self._new_long()
        return long

    def _end_string(self) -> None:
        if self._open:
            self._open.finish()
            self.skeleton += list(self.long)[-1].encode()
            self._open = None
        self.skeleton += self._short + b'"'
        self._short.clear()
