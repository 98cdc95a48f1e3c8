"""`JsonScanner`: takes the long strings out of a JSON text while it arrives.

It knows one thing about JSON: where strings begin and end. What is left is the *skeleton*, a small
JSON text with a placeholder for each long string, and the standard library reads that. So nothing
here decides what is JSON; and no placeholder can be forged, because it carries a random number of
this request.
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


# MERGED api.body.long_string
# `LongStringReader`: one long string of a JSON text, checked and decoded piece by piece.
#
# Whoever sends a recording as JSON sends 99.9 % of the body in one string. It never stands in
# memory:
# each piece is freed of its escapes, checked as the JSON string it has to be, and decoded as the
# base64 it may be.

_CUT_OFF = re.compile(
    rb"""\\u(?:[0-9a-fA-F]{0,3}           # an escape of fewer than four digits
            |[dD][89abAB][0-9a-fA-F]{2}   # or the first half of a surrogate pair,
             (?:\\u[0-9a-fA-F]{0,3})?     # and some of its second half
         )\Z""",
    re.VERBOSE,
)
_LONGEST_CUT = len(rb"\ud83d\ude0")


class LongStringReader:
    """Raw content in by `feed`, each piece without a lone backslash at its end; then `finish`.

    Both raise `UsageError` where the content is no JSON string, and what `UploadWriter.write`
    raises. What is no base64 is told by `base64.problem`.
    """

    def __init__(self, base64: Base64Decoder) -> None:
        self.base64 = base64
        self._cut_off = b""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def feed(self, raw: bytes) -> None:
        """Take the next piece of what stands between the quotes."""
        raw = self._cut_off + raw
        end = _cut_off(raw)
        self._cut_off = raw[end:]
        self._take(raw[:end])

    def finish(self) -> None:
        """Take the end, which may be half an escape or half a character after all."""
        self._take(self._cut_off)
        self._json(b"", final=True)
        self.base64.finish()

    def _take(self, raw: bytes) -> None:
        plain = b"\\" not in raw and not self.base64.problem
        self.base64.feed(raw if plain else self._json(raw))
        if plain and self.base64.problem:  # else all of it is base64's alphabet, and so JSON, too
            self._json(raw)

    def _json(self, raw: bytes, *, final: bool = False) -> bytes:
        """What the standard library reads in `raw`, as UTF-8. Raises `UsageError`."""
        try:
            text: str = json.loads(f'"{self._utf8.decode(raw, final)}"')
            return text.encode()
        except json.JSONDecodeError as error:
            raise not_json("The body", f"a long string in it has an {_noun(error.msg)}") from error
        except UnicodeError as error:
            raise not_json("The body", "a long string in it is not UTF-8") from error


def _cut_off(raw: bytes) -> int:
    """Where the escape begins that `raw` ends in the middle of, or the end."""
    if b"\\" not in raw[-_LONGEST_CUT:]:
        return len(raw)
    # The tail begins outside of a run of backslashes: in there, none of them would tell what it is.
    start = len(raw[:-_LONGEST_CUT].rstrip(b"\\"))
    pairs_masked = raw[start:].replace(rb"\\", b"..")
    cut = _CUT_OFF.search(pairs_masked)
    return start + cut.start() if cut else len(raw)


def _noun(message: str) -> str:
    """`Invalid control character at` as part of a sentence."""
    return message.removesuffix(" at").lower()


HOIST_BYTES = 64 * 1024
"""Raw content above which a string is taken out. Also the most that is looked at in one step."""

MOST_LONG = 8
"""Long strings in one body: each may hold a file open."""


class JsonScanner:
    """Bytes in by `feed`; after `finish`, `skeleton` is whole. `long` has each long string.

    Both raise `UsageError`, `BodyTooLargeError` for a skeleton beyond `TEXT_BYTES`, and what
    `LongStringReader` raises.
    """

    def __init__(
        self, new_long: Callable[[], LongStringReader], *, hoist_bytes: int = HOIST_BYTES
    ) -> None:
        self.long: dict[str, LongStringReader] = {}
        self._new_long = new_long
        self._hoist_bytes = hoist_bytes
        self._nonce = secrets.token_hex(16)
        self.skeleton = bytearray()
        self._inside = False  # of a string
        self._short = bytearray()  # its raw content, as long as it is short
        self._open: LongStringReader | None = None  # its content, once it is long
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

    def _begin_long(self) -> LongStringReader:
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
