"""`Base64Spool`: base64 text, decoded into a recording's file as it arrives.

Strict, as `base64.b64decode(text, validate=True)` is: whatever is skipped or guessed here would be
heard as noise. What is wrong is kept as a sentence and not raised, because only who knows which
string this was can say whether it matters.
"""

from __future__ import annotations

import base64
import binascii
import string
from typing import TYPE_CHECKING

import pybase64

if TYPE_CHECKING:
    from voxgate.api.body.intake import Intake

ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
WHAT = "'input_audio.data' is not base64"


class Base64Spool:
    """Text in by `feed` and a last `finish`; bytes out to `intake`; `problem` says what is wrong.

    As long as there is no `problem`, every character that was fed is of base64's alphabet or `=`.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self.problem: str | None = None
        self._start = b""  # enough to tell a data URI
        self._rest = b""  # the last one to four characters: only they may be padded

    def feed(self, text: bytes) -> None:
        """Decode all groups of four but the last. Raises what `Intake.write` raises."""
        if self.problem:
            return
        self._start = (self._start + text[:5])[:5]
        text = self._rest + text
        whole = (len(text) - 1) // 4 * 4 if text else 0
        groups, self._rest = text[:whole], text[whole:]
        try:
            if b"=" in groups or self._rest.translate(None, ALPHABET + b"="):
                raise binascii.Error
            decoded = pybase64.b64decode(groups, validate=True)
        except binascii.Error:
            self._fail(self._why(text))
        else:
            self.intake.write(decoded)

    def finish(self) -> None:
        """Decode the end with the standard library: the rules of padding are its own."""
        if self.problem:
            return
        try:
            self.intake.write(base64.b64decode(self._rest, validate=True))
        except binascii.Error:
            padded = b"=" in self._rest and len(self._rest) == 4
            self._fail(
                f"{WHAT}: its padding ('=') is wrong. Was the text put together from parts?"
                if padded
                else f"{WHAT}: its length is not a multiple of four, so it is cut off or lacks its "
                f"padding ('=')."
            )

    def _fail(self, problem: str) -> None:
        self.problem = problem
        self.intake.close()

    def _why(self, text: bytes) -> str:
        strange = text.translate(None, ALPHABET + b"=")
        if self._start == b"data:":
            return f"{WHAT} but a data URI. Send only what follows 'base64,'."
        if b"\n" in strange or b"\r" in strange:
            return f"{WHAT} in one piece: it has line breaks. Encode it with `base64 -w0`."
        if strange and not strange.translate(None, b"-_"):
            return f"{WHAT} of the standard alphabet: write '+' and '/' instead of '-' and '_'."
        if strange:
            return f"{WHAT}: it has characters other than A-Z, a-z, 0-9, '+', '/' and '='."
        return f"{WHAT}: something follows its padding ('='). Encode the recording as a whole."
