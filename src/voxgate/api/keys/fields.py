"""What a request says of a key: OpenRouter's fields (openrouter-api.md 5.2) and our own."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from voxgate.ledger.amounts import MAX_DOLLARS, MAX_MINUTES, nanodollars_of, samples_of
from voxgate.ledger.columns import parse_utc
from voxgate.ledger.key import (
    MAX_ALLOWED_MODELS,
    MAX_KEPT_DAYS,
    MAX_KEY_NAME_CHARACTERS,
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_RECORDINGS,
    MAX_REQUESTS_PER_MINUTE,
)
from voxgate.ledger.periods import Reset  # noqa: TC001 (pydantic evaluates it)

if TYPE_CHECKING:
    from voxgate.ledger.key import KeyChanges, NewKeyFields

WORKSPACE_ID: Literal["00000000-0000-4000-8000-000000000000"] = (
    "00000000-0000-4000-8000-000000000000"
)
"""The one workspace of a server, which OpenRouter's clients expect every key to have."""


def _utc(value: Any) -> datetime:
    """Return the time that a text states; a number is no time."""
    try:
        return parse_utc(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("should be a time as 2027-01-01T00:00:00Z") from None


UtcTime: TypeAlias = Annotated[datetime, BeforeValidator(_utc)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_KEY_NAME_CHARACTERS)]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS)]
Dollars: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=MAX_DOLLARS, allow_inf_nan=False)]
Minutes: TypeAlias = Annotated[float, Field(strict=True, ge=0, le=MAX_MINUTES, allow_inf_nan=False)]


def _drop_defaults(schema: dict[str, Any]) -> None:
    """Remove the defaults from a JSON schema: a field that is left out is not the same as null."""
    for field in schema["properties"].values():
        field.pop("default", None)


class KeyModel(BaseModel):
    """An object without other fields than its own: a limit that is misspelt must not be dropped."""

    model_config = ConfigDict(
        extra="forbid", hide_input_in_errors=True, json_schema_extra=_drop_defaults
    )


class OwnFields(KeyModel):
    """What OpenRouter's keys do not have. Null removes it."""

    limit_minutes: Minutes | None = Field(
        default=None, description="Minutes of sound, in the same period as `limit`."
    )
    allowed_models: (
        Annotated[list[Text], Field(min_length=1, max_length=MAX_ALLOWED_MODELS)] | None
    ) = Field(default=None, description="The models that it may ask for; all without.")
    requests_per_minute: (
        Annotated[int, Field(strict=True, ge=1, le=MAX_REQUESTS_PER_MINUTE)] | None
    ) = None
    max_recordings: Annotated[int, Field(strict=True, ge=1, le=MAX_RECORDINGS)] | None = Field(
        default=None, description="How many recordings it may have under way at once."
    )
    keep_transcripts_days: Annotated[int, Field(strict=True, ge=1, le=MAX_KEPT_DAYS)] | None = (
        Field(
            default=None,
            description="For how many days its transcripts are kept, encrypted, for "
            "`GET /generation/content`; none is kept without, and null forgets those that are.",
        )
    )
    labels: Annotated[list[Label], Field(max_length=MAX_LABELS)] = Field(
        default=[], description="What keys are grouped by, as `team=news`."
    )


class External(KeyModel):
    """Whom the key is for, at the caller's own service."""

    user: Text


class KeyChange(KeyModel):
    """What may be changed of a key: fields that are left out stay, null removes a limit."""

    name: Name = Field(default="", description="Unique among the keys that are not deleted.")
    disabled: Annotated[bool, Field(strict=True)] = False
    limit: Dollars | None = Field(default=None, description="US dollars.")
    limit_reset: Reset | None = Field(
        default=None, description="When the limits reset, at 00:00 UTC; weeks begin on Monday."
    )
    expires_at: UtcTime | None = None
    include_byok_in_limit: Literal[False] = Field(
        default=False,
        description="Callers bring no keys of providers, so nothing is to be included.",
    )
    workspace_id: Literal["00000000-0000-4000-8000-000000000000"] = WORKSPACE_ID
    voxgate: OwnFields = Field(default_factory=OwnFields)


class NewKey(KeyChange):
    """What is chosen of a new key."""

    name: Name
    creator_user_id: Text | None = None
    external: External | None = None


def changes(asked: KeyChange) -> KeyChanges:
    """Return the fields that a request gives, as the ledger has them."""
    own = asked.voxgate
    given: dict[str, Any] = {
        **_given(asked, name="name", disabled="disabled", expires_at="expires_at"),
        **_given(asked, limit="limit_nanodollars", limit_reset="reset"),
        **_given(own, limit_minutes="limit_samples", allowed_models="allowed_models"),
        **_given(own, requests_per_minute="requests_per_minute", max_recordings="max_recordings"),
        **_given(own, keep_transcripts_days="keep_transcripts_days", labels="labels"),
    }
    for column, count in (("limit_nanodollars", nanodollars_of), ("limit_samples", samples_of)):
        if given.get(column) is not None:
            given[column] = count(Decimal(str(given[column])))
    return cast("KeyChanges", given)


def new_fields(asked: NewKey) -> NewKeyFields:
    """Return the fields of a new key besides its name, as the ledger has them."""
    given = {name: value for name, value in changes(asked).items() if name != "name"}
    user = asked.external.user if asked.external else None
    fields = {**given, "creator": asked.creator_user_id, "external_user": user}
    return cast("NewKeyFields", fields)


def _given(model: BaseModel, **columns: str) -> dict[str, Any]:
    """Return the fields that a request gives, null included, by the ledger's names."""
    return {
        column: getattr(model, name)
        for name, column in columns.items()
        if name in model.model_fields_set
    }
