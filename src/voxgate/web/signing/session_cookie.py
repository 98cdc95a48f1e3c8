"""`SessionCookie`: who signed in, as a signed cookie that names a key and never holds it.

The cookie has the hash of a key, a random id of the session and the time, signed with a secret of
the home. It ends after `SESSION_S`, and the key is looked up anew for each request: one that is
revoked, disabled or expired shows nothing more.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeTimedSerializer

from voxgate.errors import SettingsError
from voxgate.ledger.key import HASH

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.settings import Settings

SESSION_S = 8 * 3600
SECRET_FILE = "sign-in.secret"  # noqa: S105 (the name of a file)
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Session:
    """What a cookie says: whose key, and which sign-in."""

    key_hash: str
    id: str


class SessionCookie:
    """Signs and reads the cookies of one installation."""

    def __init__(self, *signing: bytes) -> None:
        """The first of at least one secret signs; the others read what they signed."""
        self.signing, self._secret = signing, signing[0]
        self._serializer = URLSafeTimedSerializer([*reversed(signing)], salt="voxgate session")
        # A browser keeps one jar for all ports of a host: two servers there must not share a name.
        # Of the oldest secret, so that a new one before it leaves everybody signed in.
        self.name = f"voxgate_{hashlib.sha256(signing[-1]).hexdigest()[:12]}"

    @classmethod
    def of(cls, settings: Settings) -> SessionCookie:
        """Return that of an installation: of its setting, else of a file in its home.

        The file is created at the first use. Raises `SettingsError`.
        """
        chosen = settings.page_secret or (_read_or_create(settings.home / SECRET_FILE),)
        return cls(*chosen)

    def issue(self, key_hash: str) -> str:
        """Return the value of a new session's cookie."""
        return str(self._serializer.dumps([key_hash, secrets.token_urlsafe(16)]))

    def read(self, value: str | None) -> Session | None:
        """Return the session in a cookie; None for one that is forged, old or malformed."""
        if not value:
            return None
        try:
            key_hash, id_ = self._serializer.loads(value, max_age=SESSION_S)
        except (BadData, ValueError, TypeError):
            return None
        if not (isinstance(key_hash, str) and isinstance(id_, str) and HASH.fullmatch(key_hash)):
            return None
        return Session(key_hash, id_)

    def csrf_token(self, session: Session | None) -> str:
        """Return what a form of this session must send; without one, of a page that is open."""
        subject = f"csrf {session.id if session else 'open'}"
        return hmac.new(self._secret, subject.encode(), hashlib.sha256).hexdigest()

    def is_session_token(self, token: str, session: Session | None) -> bool:
        """Return whether this is the token of a session, in a time that tells nothing of it."""
        return hmac.compare_digest(token.encode(), self.csrf_token(session).encode())


def _read_or_create(path: Path) -> bytes:
    """Return the secret in a file. The first process to link its draft decides what it is."""
    try:
        with suppress(FileNotFoundError):
            return _whole(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
        return _whole(path)
    except OSError as error:
        raise SettingsError(
            f"{path}, the secret of the pages' cookies, cannot be used: "
            f"{error.strerror or error}. Make it readable and its folder writable."
        ) from error


def _whole(path: Path) -> bytes:
    secret = path.read_bytes()
    if len(secret) != SECRET_BYTES:
        raise SettingsError(
            f"{path}, the secret of the pages' cookies, has {len(secret)} bytes instead of "
            f"{SECRET_BYTES}. Delete it: who is signed in must do so again."
        )
    return secret
