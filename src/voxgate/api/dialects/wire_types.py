"""What the fields of requests are made of: the base of wire models, types, and their validation.

The text of forms is converted to numbers and booleans, and a single value to a list. Unknown fields
are kept, for warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from voxgate.api.body.strict_json import parse_json
from voxgate.errors import UsageError
from voxgate.remote.recording_url import MAX_URL_CHARACTERS
from voxgate.validation import plain_reason

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_list(value: Any) -> Any:
    """Return a single value as a list. Some clients write a list into a form as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return parse_json(value.encode())
        except UsageError:
            return [value]  # a text that begins with a bracket
    return [value] if isinstance(value, (str, int, float)) else value


def split_list(value: Any) -> Any:
    """Return a text as a list, divided at its commas; Mistral's documentation writes words so."""
    listed = to_list(value)
    if isinstance(value, str) and listed == [value]:
        return [part.strip() for part in value.split(",")]
    return listed


M = TypeVar("M", bound=BaseModel)

WireText: TypeAlias = Annotated[str, Field(max_length=65_536)]
WireName: TypeAlias = Annotated[str, Field(min_length=1, max_length=256)]
WireUrl: TypeAlias = Annotated[str, Field(max_length=MAX_URL_CHARACTERS)]
WireTexts: TypeAlias = Annotated[list[WireText], BeforeValidator(to_list), Field(max_length=1000)]
WireVocabulary: TypeAlias = Annotated[
    list[WireText], BeforeValidator(split_list), Field(max_length=10_000)
]
WireLanguage: TypeAlias = Annotated[str, Field(max_length=35)]
WirePenalty: TypeAlias = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class WireModel(BaseModel):
    """A request, or a part of one. Unknown fields are kept, and errors show no values."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    @property
    def unknown(self) -> list[str]:
        """The names of unknown fields that are not null."""
        return sorted(name for name, value in (self.model_extra or {}).items() if value is not None)


def validated(model: type[M], fields: Mapping[str, Any], within: str = "") -> M:
    """Validate the fields of a request. Null and an empty text mean that a field was left out.

    `within` is the field that they are in. Raises `UsageError`, which names the first invalid one.
    """
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return validated_with_nulls(model, given, within)


def validated_with_nulls(model: type[M], fields: Mapping[str, Any], within: str = "") -> M:
    """Validate the fields of a request in which null and an empty text are values.

    `within` is the field that they are in. Raises `UsageError`, which names the first invalid one.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = [within] * bool(within) + [str(part) for part in first["loc"]]
        raise UsageError(_sentence(place, first)) from None


def _sentence(place: list[str], error: Any) -> str:
    name = ".".join(place)[:200]
    if error["type"] == "missing":
        return f"The request has no '{name}'. Add it; /docs shows what a request holds."
    if error["type"] == "extra_forbidden":
        return f"There is no field '{name}' here. Correct its name, or leave it out."
    if error["type"] == "model_type":
        return f"'{name}' should be an object. Correct it, or leave it out."
    return f"'{name}' {plain_reason(str(error['msg']))}. Correct it, or leave it out."
