"""`KeyForm`: the fields of a key as a person writes them, and what is wrong, beside its field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from voxgate.errors import UsageError
from voxgate.ledger.amounts import dollars_of, read_dollars, read_minutes
from voxgate.ledger.columns import parse_utc
from voxgate.ledger.key import check_fields, check_name
from voxgate.ledger.periods import read_reset
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from voxgate.ledger.key import Key, KeyChanges, NewKeyFields

MOST_USER_CHARACTERS = 256
MINUTE_SAMPLES = 60 * SAMPLES_PER_S


class _Field(NamedTuple):
    """How a text becomes a field of the ledger; an empty one is no limit."""

    column: str
    read: Callable[[str], Any]
    expected: str
    empty: Any = None


def _parts(text: str) -> list[str]:
    """Return what stands between commas and on lines, each once."""
    parts = (part.strip() for line in text.splitlines() for part in line.split(","))
    return list(dict.fromkeys(part for part in parts if part))


_FIELDS = {
    "limit": _Field("limit_nanodollars", read_dollars, "dollars, as 5.00"),
    "minutes": _Field("limit_samples", read_minutes, "minutes of sound, as 600"),
    "reset": _Field("reset", read_reset, "daily, weekly or monthly"),
    "expires": _Field("expires_at", parse_utc, "a time, as 2027-01-01T00:00"),
    "rate": _Field("requests_per_minute", int, "a whole number"),
    "recordings": _Field("max_recordings", int, "a whole number"),
    "keep": _Field("keep_transcripts_days", int, "a whole number of days"),
    "models": _Field("allowed_models", lambda text: _parts(text) or None, "names of models"),
    "labels": _Field("labels", _parts, "labels", []),
}
TEXTS = ("name", *_FIELDS, "user")
"""The names of the form's fields, besides `management`."""


@dataclass(slots=True)
class KeyForm:
    """A form, filled in. `faults` has a sentence for each field that is wrong."""

    texts: dict[str, str]
    management: bool = False
    faults: dict[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> KeyForm:
        """Return the form of a new key."""
        return cls(dict.fromkeys(TEXTS, ""))

    @classmethod
    def of_key(cls, key: Key) -> KeyForm:
        """Return the form of a key as it is."""
        budget = key.budget
        money = budget.limit_nanodollars if budget else None
        sound = budget.limit_samples if budget else None
        texts = {
            "name": key.name,
            "limit": "" if money is None else f"{dollars_of(money):f}",
            "minutes": "" if sound is None else f"{sound / MINUTE_SAMPLES:.10g}",
            "reset": (budget.reset or "") if budget else "",
            "expires": f"{key.expires_at:%Y-%m-%dT%H:%M}" if key.expires_at else "",
            "rate": str(key.requests_per_minute or ""),
            "recordings": str(key.max_recordings or ""),
            "keep": str(key.keep_transcripts_days or ""),
            "models": "\n".join(key.allowed_models or ()),
            "labels": ", ".join(key.labels),
            "user": key.external_user or "",
        }
        return cls(texts, key.management)

    @classmethod
    def sent(cls, fields: Mapping[str, str]) -> KeyForm:
        """Return a form that was sent."""
        texts = {name: fields.get(name, "").strip() for name in TEXTS}
        return cls(texts, "management" in fields)

    def new_fields(self) -> NewKeyFields:
        """Return the fields of a new key besides its name, and note what is wrong."""
        read = self._read(_FIELDS)
        given = {name: value for name, value in read.items() if value not in (None, [])}
        if user := self.texts["user"]:
            given["external_user"] = user
            if len(user) > MOST_USER_CHARACTERS or not user.isprintable():
                self.faults["user"] = (
                    f"This has 1 to {MOST_USER_CHARACTERS} printable characters. Correct it."
                )
        if self.management:
            limited = "limit_nanodollars" in given or "limit_samples" in given
            self._check("management", given, management=True, limited=limited)
        return cast("NewKeyFields", given | {"management": self.management})

    def changes(self, key: Key) -> KeyChanges:
        """Return what the form changes of a key, and note what is wrong with that."""
        before = KeyForm.of_key(key).texts
        changed = self._read([name for name in _FIELDS if self.texts[name] != before[name]])
        if self.texts["name"] != key.name:
            changed["name"] = self.texts["name"]
        return cast("KeyChanges", changed)

    def _read(self, names: Iterable[str]) -> dict[str, Any]:
        """Return these fields; an empty one is None, or no labels."""
        try:
            check_name(self.texts["name"])
        except UsageError as error:
            self.faults["name"] = error.sentence
        limited = bool(self.texts["limit"] or self.texts["minutes"])
        found: dict[str, Any] = {}
        for name in names:
            text, each = self.texts[name], _FIELDS[name]
            try:
                value = each.read(text) if text else each.empty
            except ValueError:
                self.faults[name] = f"'{text[:100]}' must be {each.expected}, or empty. Correct it."
                continue
            found[each.column] = value
            if value is not None:
                self._check(name, {each.column: value}, limited=limited)
        return found

    def _check(
        self,
        name: str,
        fields: dict[str, Any],
        *,
        management: bool = False,
        limited: bool = False,
    ) -> None:
        """Note beside a field why the ledger would refuse it."""
        try:
            check_fields(cast("NewKeyFields", fields), management=management, limited=limited)
        except UsageError as error:
            self.faults.setdefault(name, error.sentence)
