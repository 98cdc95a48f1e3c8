"""The tables `[[keys]]` of the file, in the names and units of `GET /keys`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from voxgate.configuration.tables import EXACT, Table, read_tables
from voxgate.errors import SettingsError, UsageError
from voxgate.ledger.amounts import MAX_DOLLARS, MAX_MINUTES, nanodollars_of, samples_of
from voxgate.ledger.columns import parse_utc, storable_text
from voxgate.ledger.key import (
    FILE_MARK,
    HASH,
    KEY_PREFIX,
    MAX_ALLOWED_MODELS,
    MAX_KEPT_DAYS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_RECORDINGS,
    MAX_REQUESTS_PER_MINUTE,
    Limits,
    check_fields,
    check_name,
    hash_of,
)
from voxgate.ledger.periods import Reset  # noqa: TC001 (pydantic evaluates it)
from voxgate.ledger.schema import NAME_LENGTH
from voxgate.settings import Settings
from voxgate.validation import shown

if TYPE_CHECKING:
    from voxgate.configuration.file import ConfigFile
    from voxgate.ledger.key import NewKeyFields


def _name(value: str) -> str:
    try:
        check_name(value)
    except UsageError as error:
        raise ValueError(error.sentence) from None
    return value


def _hash(value: str) -> str:
    if value.startswith(KEY_PREFIX):
        raise ValueError(
            f"'hash' is a key itself, which must not be in a file. Write its hash, "
            f"{hash_of(value)}, or make another key: anybody who has read the file knows this one."
        )
    if not HASH.fullmatch(value):
        raise ValueError(
            "'hash' must be the SHA-256 of a key, 64 hexadecimal digits in lower case. `voxgate "
            "keys create --name NAME --config` makes a key and writes its table."
        )
    return value


def _moment(value: Any) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    try:
        return parse_utc(value.isoformat() if isinstance(value, datetime) else str(value))
    except ValueError:
        raise ValueError(
            f"'expires_at' must be a day or a time of UTC, as 2027-01-01 or 2027-01-01T12:00:00, "
            f"and is {shown(value)}."
        ) from None


Dollars: TypeAlias = Annotated[Decimal, Field(strict=False, ge=0, le=MAX_DOLLARS), EXACT]
Minutes: TypeAlias = Annotated[Decimal, Field(strict=False, ge=0, le=MAX_MINUTES), EXACT]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
Moment: TypeAlias = Annotated[
    datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string"})
]


class KeyTable(Table):
    """A key of the server, by its hash. It may do everything that nothing here limits."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="Who uses it: 1 to 100 characters, unique among the keys."
    )
    hash: Annotated[str, AfterValidator(_hash)] = Field(
        description="The SHA-256 of the key: `voxgate keys create --name NAME --config` writes it.",
        json_schema_extra={"pattern": f"^{HASH.pattern}$"},
    )
    label: Text | None = Field(
        default=None, description="The beginning and end of the key, to recognise it by."
    )
    limit: Dollars | None = Field(default=None, description="US dollars that it may spend.")
    limit_minutes: Minutes | None = Field(
        default=None, description="Minutes of sound that it may send, in the same period."
    )
    limit_reset: Reset | None = Field(
        default=None, description="When both limits reset, at 00:00 UTC; weeks begin on Monday."
    )
    expires_at: Moment | None = Field(
        default=None, description="From which day or time of UTC on it does not work."
    )
    allowed_models: (
        Annotated[list[Text], Field(min_length=1, max_length=MAX_ALLOWED_MODELS)] | None
    ) = Field(default=None, description="The models that it may ask for; all without.")
    requests_per_minute: Annotated[int, Field(ge=1, le=MAX_REQUESTS_PER_MINUTE)] | None = Field(
        default=None, description="Recordings that it may send in a minute."
    )
    max_recordings: Annotated[int, Field(ge=1, le=MAX_RECORDINGS)] | None = Field(
        default=None, description="Recordings that it may have under way at once."
    )
    keep_transcripts_days: Annotated[int, Field(ge=1, le=MAX_KEPT_DAYS)] | None = Field(
        default=None,
        description="Days for which its transcripts are kept, encrypted; none is kept without.",
    )
    labels: Annotated[list[Label], Field(max_length=MAX_LABELS)] = Field(
        default=[], description="What to group keys by, as team=news."
    )
    management: bool = Field(
        default=False, description="It manages keys by the API, and does not transcribe."
    )
    disabled: bool = Field(default=False, description="It does not work now.")
    external_user: Text | None = Field(
        default=None, description="Whom it is for, at your own service."
    )

    @field_validator("limit_reset")
    @classmethod
    def _check_reset(cls, value: Reset | None, info: ValidationInfo) -> Reset | None:
        unlimited = ("limit", "limit_minutes")
        if all(info.data.get(name, "wrong") is None for name in unlimited):
            try:
                check_fields({"reset": value}, management=False, limited=False)
            except UsageError as error:
                raise ValueError(error.sentence) from None
        return value

    @model_validator(mode="after")
    def _check(self) -> KeyTable:
        limited = self.limit is not None or self.limit_minutes is not None
        rules = cast("NewKeyFields", {**self.limits, **self.columns})
        rules["expires_at"] = None  # the day comes when a key in the file has expired
        try:
            check_fields(rules, management=self.management, limited=limited)
        except UsageError as error:
            raise ValueError(error.sentence) from None
        return self

    @property
    def limits(self) -> Limits:
        """The limits as the ledger counts them."""
        dollars, minutes = self.limit, self.limit_minutes
        return {
            "limit_nanodollars": None if dollars is None else nanodollars_of(dollars),
            "limit_samples": None if minutes is None else samples_of(minutes),
            "reset": self.limit_reset,
        }

    @property
    def columns(self) -> dict[str, Any]:
        """What else the ledger has of a key that a file lists, besides its hash and label."""
        models = self.allowed_models
        return {
            "name": self.name,
            "expires_at": self.expires_at,
            "allowed_models": None if models is None else tuple(models),
            "requests_per_minute": self.requests_per_minute,
            "max_recordings": self.max_recordings,
            "keep_transcripts_days": self.keep_transcripts_days,
            "labels": tuple(self.labels),
            "management": self.management,
            "disabled": self.disabled,
            "external_user": self.external_user,
        }


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key in the file, and where it is there."""

    table: KeyTable
    place: str
    index: int
    """Among all tables of the file, also those that are wrong."""


@dataclass(frozen=True, slots=True)
class KeyList:
    """The keys in a file."""

    file: ConfigFile
    keys: tuple[ListedKey, ...] = ()

    @property
    def mark(self) -> str:
        """What the ledger names as the creator of keys from this file."""
        return storable_text(f"{FILE_MARK}{self.file.path.absolute()}", NAME_LENGTH)

    @classmethod
    def read(cls, file: ConfigFile) -> tuple[KeyList, list[SettingsError]]:
        """Return the keys in a file that are right, and what is wrong with the others."""
        faults: list[SettingsError] = []
        keys: list[ListedKey] = []
        first: dict[str, str] = {}
        settings = [each.name for each in fields(Settings)]
        for index, table in read_tables(KeyTable, "keys", file, settings, faults):
            place = file.place("keys", index)
            for name in ("hash", "name"):
                value = getattr(table, name)
                other = first.setdefault(f"{name} {value}", place)
                if other != place:
                    faults.append(
                        SettingsError(
                            f"{file.place('keys', index, name)}: the key at {other} has the {name} "
                            f"'{value}', too. Remove one of them, or change it."
                        )
                    )
            keys.append(ListedKey(table, place, index))
        return cls(file, tuple(keys)), faults
