"""`Untrusted`: a JSON object of which nothing is taken for granted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Untrusted:
    """An object's members, and where in the answer it stands: "" or "segments[3]".

    Every reader raises a `ServerError` that names the member and what is odd about it. A member
    that is null is taken for a missing one.
    """

    members: Mapping[str, Any]
    place: str = ""

    def has(self, name: str) -> bool:
        """Whether there is anything of that name."""
        return self.members.get(name) is not None

    def text(self, name: str) -> str:
        """A string, which may be empty."""
        value = self._member(name)
        if not isinstance(value, str):
            raise self.odd(name, "is no text")
        return value

    def number(self, name: str) -> float:
        """A finite number."""
        value = self._member(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise self.odd(name, "is no number")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.odd(name, "is no finite number")
        return number

    def objects(self, name: str) -> list[Untrusted]:
        """A list of objects; empty where it is missing."""
        values = self.members.get(name)
        if values is None:
            return []
        if not isinstance(values, list):
            raise self.odd(name, "is no list")
        found = [
            Untrusted(value, f"{self._path(name)}[{index}]")
            for index, value in enumerate(values)
            if isinstance(value, dict)
        ]
        if len(found) < len(values):
            raise self.odd(name, "holds something that is no object")
        return found

    def object(self, name: str) -> Untrusted:
        """An object; an empty one where it is missing."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, dict):
            raise self.odd(name, "is no object")
        return Untrusted(value or {}, self._path(name))

    def odd(self, name: str, what: str) -> ServerError:
        """The one sentence for an answer that is not understood."""
        return ServerError(
            f"The server's answer cannot be used: '{self._path(name)}' {what}. Check that the "
            f"server's version and this one fit each other."
        )

    def _member(self, name: str) -> Any:
        if not self.has(name):
            raise self.odd(name, "is missing")
        return self.members[name]

    def _path(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name
