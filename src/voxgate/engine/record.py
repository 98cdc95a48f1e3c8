"""`StrictRecord`: a JSON object from the other side of a socket, read strictly."""

from __future__ import annotations

import json
import math
import sys
from typing import NoReturn


class MalformedError(ValueError):
    """What is wrong with a record, for the end of a sentence."""


class StrictRecord:
    """A JSON object whose fields are taken once each, by type; nothing may be left over.

    Every method raises `MalformedError`, whose text names the field.
    """

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"expected an object, found {_kind(value)}")
        self._fields = dict(value)

    @classmethod
    def parse(cls, text: str | bytes) -> StrictRecord:
        """The record that is the whole of `text`. NaN and Infinity are not JSON, and refused."""
        try:
            return cls(json.loads(text, parse_constant=_refuse))
        except RecursionError as error:
            raise MalformedError("nested too deeply") from error
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise MalformedError(f"not JSON ({error})") from error

    def text(self, name: str) -> str:
        """A string that must be there."""
        value = self._take(name)
        if not isinstance(value, str):
            raise MalformedError(f"'{name}' must be a string, not {_kind(value)}")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A string; null or absent is None."""
        return None if self._absent(name) else self.text(name)

    def flag(self, name: str) -> bool:
        """A boolean that must be there."""
        value = self._take(name)
        if not isinstance(value, bool):
            raise MalformedError(f"'{name}' must be true or false, not {_kind(value)}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; absent is empty."""
        value = self._fields.pop(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise MalformedError(f"'{name}' must be a list of strings")
        return tuple(value)

    def count(self, name: str, most: float = math.inf) -> int:
        """A whole number in [0, `most`] that must be there."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise MalformedError(f"'{name}' must be a whole number from 0 on")
        if value > most:
            raise MalformedError(f"'{name}' is out of range: it is larger than {most}")
        return value

    def count_or_none(self, name: str, most: float = math.inf) -> int | None:
        """A whole number in [0, `most`]; null or absent is None."""
        return None if self._absent(name) else self.count(name, most)

    def number(self, name: str, least: float = 0.0, most: float = math.inf) -> float:
        """A finite number in [`least`, `most`] that must be there."""
        value = self._take(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise MalformedError(f"'{name}' must be a number, not {_kind(value)}")
        if not least <= value <= most or abs(value) > sys.float_info.max:
            raise MalformedError(f"'{name}' is out of range: {value!r}")
        return float(value)

    def number_or_none(self, name: str, least: float = 0.0, most: float = math.inf) -> float | None:
        """A finite number in [`least`, `most`]; null or absent is None."""
        return None if self._absent(name) else self.number(name, least, most)

    def records(self, name: str) -> list[StrictRecord]:
        """A list of objects; absent is empty."""
        value = self._fields.pop(name, [])
        if not isinstance(value, list):
            raise MalformedError(f"'{name}' must be a list, not {_kind(value)}")
        return [StrictRecord(item) for item in value]

    def close(self) -> None:
        """Raise when a field was not taken: what is not understood is not passed over."""
        if self._fields:
            raise MalformedError(f"'{next(iter(self._fields))}' is not known here")

    def _absent(self, name: str) -> bool:
        if self._fields.get(name) is not None:
            return False
        self._fields.pop(name, None)
        return True

    def _take(self, name: str) -> object:
        if name not in self._fields:
            raise MalformedError(f"'{name}' is missing")
        value: object = self._fields.pop(name)
        return value


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    return "null" if value is None else kinds.get(type(value), "a number")


def _refuse(constant: str) -> NoReturn:
    raise MalformedError(f"not JSON ({constant})")
