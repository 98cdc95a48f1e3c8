"""What is encrypted is read again with its secret, as that of its generation and key alone."""

from __future__ import annotations

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.errors import UsageError
from voxgate.ledger.transcript_cipher import TranscriptCipher, check_secret

ONE, TWO = secrets.token_bytes(32), secrets.token_bytes(32)
TEXT = "Marmalade sandwiches at noon."


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_back(text: str) -> None:
    cipher = TranscriptCipher([ONE])
    sealed = cipher.seal(text, "gen-1", "key")
    assert cipher.unseal(sealed, "gen-1", "key") == text


def test_a_text_encrypted_twice_is_never_the_same() -> None:
    cipher = TranscriptCipher([ONE])
    sealed = {cipher.seal(TEXT, "gen-1", "key") for _ in range(20)}
    assert len(sealed) == 20
    assert not any(TEXT.encode()[:8] in each for each in sealed)


@pytest.mark.parametrize(
    ("generation", "key"), [("gen-2", "key"), ("gen-1", "other"), ("gen-1\0k", "ey"), ("", "")]
)
def test_it_is_no_text_of_another_generation_or_key(generation: str, key: str) -> None:
    cipher = TranscriptCipher([ONE])
    assert cipher.unseal(cipher.seal(TEXT, "gen-1", "key"), generation, key) is None


def test_what_was_changed_is_no_text() -> None:
    cipher = TranscriptCipher([ONE])
    sealed = cipher.seal(TEXT, "gen-1", "key")
    for place in range(len(sealed)):
        spoilt = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        assert cipher.unseal(spoilt, "gen-1", "key") is None
    for length in range(len(sealed)):
        assert cipher.unseal(sealed[:length], "gen-1", "key") is None


def test_older_secrets_still_decrypt() -> None:
    old = TranscriptCipher([ONE]).seal(TEXT, "gen-1", "key")
    rotated = TranscriptCipher([TWO, ONE])
    assert rotated.unseal(old, "gen-1", "key") == TEXT
    new = rotated.seal(TEXT, "gen-1", "key")
    assert TranscriptCipher([TWO]).unseal(new, "gen-1", "key") == TEXT
    assert TranscriptCipher([TWO]).unseal(old, "gen-1", "key") is None
    assert TranscriptCipher([]).unseal(old, "gen-1", "key") is None


def test_without_a_secret_no_key_keeps_transcripts() -> None:
    with pytest.raises(UsageError, match="openssl rand -base64 32"):
        check_secret(30, ())
    check_secret(None, ())
    check_secret(30, (ONE,))
