"""`TranscriptCipher`: encrypts the transcripts that are kept, and decrypts them.

AES-256-GCM, by the library `cryptography`. A text is bound to its generation and its key: moved to
another row, it does not decrypt. A nonce is 96 random bits, which is safe for 2**32 texts of one
secret (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION: Final = b"\x01"
"""The first byte of what is sealed. The nonce follows, then the encrypted text with its tag."""

NONCE_BYTES: Final = 12

OPENSSL_COMMAND: Final = "openssl rand -base64 32"
"""The command that prints a secret."""


class TranscriptCipher:
    """Encrypts with the operator's first secret, and decrypts with any. Each has 32 bytes."""

    def __init__(self, operator_secrets: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(secret) for secret in operator_secrets]

    def seal(self, text: str, generation: str, key_hash: str) -> bytes:
        """Return the encrypted text of a generation of a key. There must be a secret."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        data = text.encode("utf-8", "surrogatepass")
        sealed = self._ciphers[0].encrypt(nonce, data, _bound_to(generation, key_hash))
        return VERSION + nonce + sealed

    def unseal(self, sealed: bytes, generation: str, key_hash: str) -> str | None:
        """Return the text, or None where no secret decrypts it as that of this generation."""
        start = len(VERSION) + NONCE_BYTES
        version, nonce = sealed[: len(VERSION)], sealed[len(VERSION) : start]
        for cipher in self._ciphers if version == VERSION else ():
            try:
                data = cipher.decrypt(nonce, sealed[start:], _bound_to(generation, key_hash))
            except (InvalidTag, ValueError):  # changed, of another secret, or cut off
                continue
            return data.decode("utf-8", "surrogatepass")
        return None


def check_secret(keep_transcripts_days: int | None, operator_secrets: Sequence[bytes]) -> None:
    """Raise `UsageError` where transcripts are to be kept, and nothing can encrypt them."""
    if keep_transcripts_days is not None and not operator_secrets:
        raise UsageError(
            f"Transcripts are kept encrypted or not at all, and there is no secret for it: set "
            f"VOXGATE_TRANSCRIPT_KEY to what `{OPENSSL_COMMAND}` prints, for the server and for "
            f"`voxgate keys` alike, or keep no transcripts."
        )


def _bound_to(generation: str, key_hash: str) -> bytes:
    """Return what is authenticated with the text, and not encrypted."""
    return f"voxgate transcript\0{generation}\0{key_hash}".encode()
