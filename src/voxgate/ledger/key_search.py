"""Which key a person means, who has its name, its label, some of its hash, or the key itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.key import KEY_PREFIX, MAX_KEY_NAME_CHARACTERS, hash_of, label_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.ledger.key import Key

_BEGINNING = re.compile(r"[0-9a-f]{6,64}")


def find_key(identifier: str, keys: Sequence[Key]) -> Key:
    """Return the one valid key that matches, else the one that was created last of the revoked.

    A whole hash is that of its key alone, whatever others are named. Raises `VoxgateError`
    (`not_found`) where none matches, and `UsageError` where several do.
    """
    exact = [key for key in keys if key.hash == identifier.lower()]
    matching = exact or [key for key in keys if _matches(identifier, key)]
    valid = [key for key in matching if key.revoked_at is None]
    if len(valid) > 1:
        several = ", ".join(f"'{key.name}' ({key.label}, hash {key.hash[:16]})" for key in valid)
        raise UsageError(
            f"'{_without_secret(identifier)}' matches several keys: {several}. Give more digits of "
            f"one hash."
        )
    if not matching:
        raise VoxgateError(
            f"No key is called '{_without_secret(identifier)}'. `voxgate keys list` lists them "
            f"all.",
            code="not_found",
        )
    return (valid or matching)[-1]


def find_valid_key(identifier: str, keys: Sequence[Key]) -> Key:
    """Return the one valid key that matches. Raises as `find_key`, and for a revoked key."""
    key = find_key(identifier, keys)
    if key.revoked_at is not None:
        raise UsageError(
            f"The key '{key.name}' ({key.label}) is already revoked, since "
            f"{key.revoked_at:%Y-%m-%d %H:%M} UTC. Nothing was changed."
        )
    return key


def _matches(identifier: str, key: Key) -> bool:
    if identifier.startswith(KEY_PREFIX):
        return key.label == identifier or key.hash == hash_of(identifier)
    digits = identifier.lower()
    is_beginning = _BEGINNING.fullmatch(digits) is not None
    return key.name == identifier or (is_beginning and key.hash.startswith(digits))


def _without_secret(identifier: str) -> str:
    """Return the identifier for a message: clipped, and a secret as its label."""
    if identifier.startswith(KEY_PREFIX) and len(identifier) > len(label_of(identifier)):
        return label_of(identifier)
    return identifier[:MAX_KEY_NAME_CHARACTERS]
