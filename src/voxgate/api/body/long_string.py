"""`LongString`: one long string of a JSON text, checked and decoded piece by piece.

Whoever sends a recording as JSON sends 99.9 % of the body in one string. It never stands in memory:
each piece is freed of its escapes, checked as the JSON string it has to be, and decoded as the
base64 it may be.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import TYPE_CHECKING

from voxgate.api.body.strict_json import not_json

if TYPE_CHECKING:
    from voxgate.api.body.base64_spool import Base64Spool

_CUT_OFF = re.compile(
    rb"""\\u(?:[0-9a-fA-F]{0,3}           # an escape of fewer than four digits
            |[dD][89abAB][0-9a-fA-F]{2}   # or the first half of a surrogate pair,
             (?:\\u[0-9a-fA-F]{0,3})?     # and some of its second half
         )\Z""",
    re.VERBOSE,
)
_LONGEST_CUT = len(rb"\ud83d\ude0")


class LongString:
    """Raw content in by `feed`, each piece without a lone backslash at its end; then `finish`.

    Both raise `UsageError` where the content is no JSON string, and what `Intake.write` raises.
    What is no base64 is told by `base64.problem`.
    """

    def __init__(self, base64: Base64Spool) -> None:
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
