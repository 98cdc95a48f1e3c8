"""Arrays of tables in the file, such as `[[prices]]`: each table is checked by a model of pydantic.

It is imported only where there are such tables: pydantic takes 0.1 s.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    ValidationInfo,
)

from voxgate.configuration.names import unknown_field
from voxgate.configuration.positions import Position
from voxgate.errors import SettingsError
from voxgate.validation import plain_reason, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from pydantic_core import ErrorDetails

    from voxgate.configuration.file import ConfigFile


class Table(BaseModel):
    """A table without other names than its own: a limit that is misspelt would limit nothing."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


def _decimal(value: Any, info: ValidationInfo) -> Decimal:
    number = Decimal("NaN")
    if isinstance(value, (int, Decimal, str)) and not isinstance(value, bool):
        with suppress(InvalidOperation):
            number = Decimal(value)
    if not number.is_finite():
        raise ValueError(
            f"'{info.field_name}' must be a number, as 5, 0.5 or \"0.5\", and is {shown(value)}."
        )
    return number


EXACT = BeforeValidator(_decimal)
"""Of a `Decimal` that is not strict: the number is taken as it is written, also in quotes."""


def _number(value: Any, info: ValidationInfo) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, Decimal))
        or not Decimal(value).is_finite()
    ):
        raise ValueError(
            f"'{info.field_name}' must be a number, as 5 or 0.5, and is {shown(value)}."
        )
    return float(value)


NUMBER = BeforeValidator(_number)
"""Of a `float`: the file's numbers with a point are `Decimal`s."""

T = TypeVar("T", bound=Table)


def read_tables(
    model: type[T],
    name: str,
    file: ConfigFile,
    settings: Collection[str],
    faults: list[SettingsError],
) -> list[tuple[int, T]]:
    """Return the tables `[[name]]` that are right, each with its index; add all faults.

    `settings` are the names of settings, one of which may have slipped into a table.
    """
    rows = file.table.get(name, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        faults.append(
            SettingsError(
                f"{file.place(name)}: '{name}' must be tables. Begin each with a line [[{name}]], "
                f"which has two brackets on either side."
            )
        )
        return []
    found: list[tuple[int, T]] = []
    for index, row in enumerate(rows):
        try:
            found.append((index, model.model_validate(row)))
        except ValidationError as error:
            faults += _faults(error, model, (name, index), file, settings)
    return found


def _faults(
    error: ValidationError,
    model: type[Table],
    table: tuple[str, int],
    file: ConfigFile,
    settings: Collection[str],
) -> list[SettingsError]:
    """Return what is wrong with a table, from its first line to its last."""
    end = Position(sys.maxsize, 0)
    found = sorted(error.errors(), key=lambda each: file.positions.get((*table, *each["loc"]), end))
    name = table[0]
    return [
        unknown_field(str(each["loc"][0]), place, name, model.model_fields, settings)
        if each["type"] == "extra_forbidden"
        else _fault(each, name, place)
        for each, place in ((each, file.place(*table, *each["loc"])) for each in found)
    ]


def _fault(error: ErrorDetails, name: str, place: str) -> SettingsError:
    field = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "missing":
        return SettingsError(f"{place}: this [[{name}]] has no '{field}'. Add it.")
    if error["type"] == "value_error":  # of a validator of ours, whose message is a sentence
        return SettingsError(f"{place}: {error['ctx']['error']}")
    reason = plain_reason(error["msg"])
    return SettingsError(f"{place}: '{field}' {reason}, and is {shown(error['input'])}.")
