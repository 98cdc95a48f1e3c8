"""`Key`: what is stored of an API key, and the rules for its fields."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict

from voxgate.errors import UsageError
from voxgate.ledger.columns import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from voxgate.ledger.budget import Budget
    from voxgate.ledger.periods import Reset

KEY_PREFIX = "sk-vg-"
FILE_MARK = "file:"
"""Before the path of a file, it is the creator of the keys that this file lists."""

HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
MAX_KEY_NAME_CHARACTERS = 100
MAX_REQUESTS_PER_MINUTE = 10_000
MAX_RECORDINGS = 10_000
MAX_ALLOWED_MODELS = 100
MAX_KEPT_DAYS = 3650
MAX_LABELS = 10
MAX_LABEL_CHARACTERS = 50

State: TypeAlias = Literal["valid", "disabled", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class Key:
    """What is stored of a key. Times are UTC."""

    hash: str
    """The SHA-256 of the secret: 64 lower-case hexadecimal digits."""

    name: str
    label: str
    """The beginning and end of the secret, to recognise it by: `sk-vg-0e6...1c96`."""

    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    management: bool = False
    """Whether it manages keys and reads everybody's activity, instead of transcribing."""

    disabled: bool = False
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    allowed_models: tuple[str, ...] | None = None
    """The models that it may ask for; None: all."""

    requests_per_minute: int | None = None
    max_recordings: int | None = None
    """How many recordings it may have under way at once."""

    creator: str | None = None
    external_user: str | None = None
    keep_transcripts_days: int | None = None
    """For how many days its transcripts are kept, encrypted; None: not at all."""

    labels: tuple[str, ...] = ()
    """What it is grouped by, as `team=news`; its own `label` is another thing."""

    budget: Budget | None = None
    """What it may spend, as of the reading; None: it has no limit."""

    @property
    def file(self) -> str | None:
        """The path of the file that lists it, and that alone changes it."""
        creator = self.creator or ""
        return creator.removeprefix(FILE_MARK) if creator.startswith(FILE_MARK) else None

    @property
    def in_file(self) -> bool:
        """Whether a file lists it."""
        return self.file is not None

    @property
    def state(self) -> State:
        """Whether it works now, or why it does not."""
        if self.revoked_at:
            return "revoked"
        if self.disabled:
            return "disabled"
        return "expired" if self.expires_at and self.expires_at <= utc_now() else "valid"


class Limits(TypedDict, total=False):
    """The limits of a budget: those of one call are set, or None removes them."""

    limit_nanodollars: int | None
    limit_samples: int | None
    reset: Reset | None


class KeyFields(Limits, total=False):
    """What can be chosen of a key besides its name, and changed later."""

    disabled: bool
    expires_at: datetime | None
    allowed_models: Sequence[str] | None
    requests_per_minute: int | None
    max_recordings: int | None
    keep_transcripts_days: int | None
    labels: Sequence[str]


class NewKeyFields(KeyFields, total=False):
    """What can be chosen of a new key besides its name."""

    management: bool
    creator: str | None
    external_user: str | None


class KeyChanges(KeyFields, total=False):
    """What can be changed of a key."""

    name: str


def new_secret() -> str:
    """Return a new key: 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return the hash by which a key is stored."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def label_of(secret: str) -> str:
    """Return what of a key may be shown."""
    return f"{secret[: len(KEY_PREFIX) + 3]}...{secret[-4:]}"


def how_to_change(key_hash: str, options: str, effect: str, *, in_file: bool) -> str:
    """Return the sentence that tells a caller how the operator changes this key.

    `in_file` says that a file lists it: the file alone changes it.
    """
    if in_file:
        return "The server's voxgate.toml lists it, and is where to change that."
    return f"`voxgate keys edit {key_hash[:12]} {options}` on the server {effect}."


def check_name(name: str) -> None:
    """Raise `UsageError` for a malformed name."""
    if (
        not 1 <= len(name) <= MAX_KEY_NAME_CHARACTERS
        or not name.isprintable()
        or name != name.strip()
    ):
        raise UsageError(
            f"A key's name has 1 to {MAX_KEY_NAME_CHARACTERS} printable characters and no space at "
            f"either end. Choose a name that tells who will use the key."
        )
    if name.startswith(KEY_PREFIX):
        raise UsageError(
            f"A name that begins with '{KEY_PREFIX}' looks like a key. Choose another."
        )
    if HASH.fullmatch(name.lower()):
        raise UsageError("A name of 64 hexadecimal digits looks like a key's hash. Choose another.")


def check_fields(fields: NewKeyFields | KeyChanges, *, management: bool, limited: bool) -> None:
    """Raise `UsageError` for fields that are out of range or contradict each other.

    `limited` says whether the key has a limit of dollars or minutes with these fields.
    """
    expires_at = fields.get("expires_at")
    if expires_at and expires_at <= utc_now():
        raise UsageError(
            f"The key would be expired from the start: {expires_at:%Y-%m-%d %H:%M} UTC is past. "
            f"Choose a later expiry; `disabled` stops a key that exists."
        )
    _check_range("requests a minute", fields.get("requests_per_minute"), MAX_REQUESTS_PER_MINUTE)
    _check_range("recordings at once", fields.get("max_recordings"), MAX_RECORDINGS)
    days = fields.get("keep_transcripts_days")
    if days is not None and not 1 <= days <= MAX_KEPT_DAYS:
        raise UsageError(
            f"A key keeps its transcripts for 1 to {MAX_KEPT_DAYS:,} days, not {days}. Correct the "
            f"number."
        )
    _check_labels(fields.get("labels", ()))
    models = fields.get("allowed_models")
    if models is not None and not (1 <= len(models) <= MAX_ALLOWED_MODELS and all(models)):
        raise UsageError(
            f"A key allows 1 to {MAX_ALLOWED_MODELS} models by their names, or, without a list, "
            f"all. Correct the list."
        )
    if fields.get("reset") and not limited:
        raise UsageError(
            "A period without a limit limits nothing. Add a limit of dollars or minutes, or leave "
            "out the reset."
        )
    spends = limited or models or fields.get("requests_per_minute") or fields.get("max_recordings")
    if management and (spends or days):
        raise UsageError(
            "A management key does not transcribe, so it has no limits, rates, models or "
            "transcripts. Leave them out, or create another key for transcribing."
        )


def _check_range(what: str, value: int | None, most: int) -> None:
    if value is not None and not 1 <= value <= most:
        raise UsageError(f"A key may have 1 to {most:,} {what}, not {value}. Correct the number.")


def _check_labels(labels: Sequence[str]) -> None:
    if len(labels) > MAX_LABELS or len({*labels}) < len(labels):
        raise UsageError(
            f"A key has up to {MAX_LABELS} labels, each once. Leave some out, or correct them."
        )
    for label in labels:
        plain = label.isprintable() and label == label.strip() and "," not in label
        if not (plain and 1 <= len(label) <= MAX_LABEL_CHARACTERS):
            raise UsageError(
                f"A label has 1 to {MAX_LABEL_CHARACTERS} printable characters, no comma, and no "
                f"space at either end, as team=news. Correct {label[:MAX_LABEL_CHARACTERS]!r}."
            )
