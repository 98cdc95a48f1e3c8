"""`AddressSigner`: addresses of kept files that need no key, and hold until they expire.

The signature is an HMAC of the file's id and the expiry, by a secret in the home. So nothing is
stored of an address, it stays valid over a restart, and the server knows its own without a request.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from voxgate.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from voxgate.remote.recording_url import RecordingUrl

SECRET_BYTES = 32
_CONTENT_PATH = re.compile(r".*/files/([0-9a-f-]{36})/content/?")


class AddressSigner:
    """Signs and checks. The secret is created when it is first needed."""

    def __init__(self, secret_file: Path) -> None:
        self._secret_file = secret_file
        self._secret: bytes | None = None

    def query(self, id_: str, expires: int) -> str:
        """Return the query of an address that expires at this time, in seconds of the epoch."""
        return urlencode({"expires": expires, "signature": self._signature(id_, f"{expires}")})

    def is_signed(self, id_: str, query: Mapping[str, str]) -> bool:
        """Return whether this server has signed the query for the file.

        Raises `UsageError` (`url_refused`) where it has, and the time is over.
        """
        expires, signature = query.get("expires", ""), query.get("signature", "")
        expected = self._signature(id_, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
            return False
        if int(expires) <= time.time():
            raise UsageError(
                "The signed address of the file has expired. Get a new one from the file's '/url'.",
                code="url_refused",
            )
        return True

    def signed_file(self, url: RecordingUrl) -> str | None:
        """Return the id of the file whose address this is, or None where it is not one of ours.

        Raises what `is_signed` raises.
        """
        named = self.named_file(url)
        return named if named and self.is_signed(named, dict(url.url.params)) else None

    @staticmethod
    def named_file(url: RecordingUrl) -> str | None:
        """Return the id of the file in an address that is like ours, whether or not we signed it.

        The server's name in it does not matter: proxies change it.
        """
        path = _CONTENT_PATH.fullmatch(url.url.path)
        return path[1] if path else None

    def _signature(self, id_: str, expires: str) -> str:
        self._secret = self._secret or _read_or_create(self._secret_file)
        message = f"{id_} {expires}".encode("utf-8", "replace")
        return hmac.digest(self._secret, message, "sha256").hex()


def _read_or_create(path: Path) -> bytes:
    """Return the secret. Of several processes that create it at once, one wins.

    Raises `LedgerError` where the home cannot be used, and for a secret that is cut off.
    """
    try:
        if not path.exists():
            _create(path)
        secret = path.read_bytes()
    except OSError as error:
        raise LedgerError(
            f"The secret {path} cannot be used: {error.strerror}. Make it readable for this user."
        ) from error
    if len(secret) != SECRET_BYTES:
        raise LedgerError(f"The secret {path} is damaged. Delete it: a new one is created.")
    return secret


def _create(path: Path) -> None:
    """Create the secret, complete or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600, exist_ok=False)
    try:
        draft.write_bytes(secrets.token_bytes(SECRET_BYTES))
        os.link(draft, path)
    except FileExistsError:
        pass  # another process was first: its secret is everybody's
    finally:
        draft.unlink()
