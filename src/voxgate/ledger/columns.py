"""Column types: times in UTC, and text that strangers wrote.

A stranger's text never breaks a write. It is clipped to the column's length, and what some database
refuses or cuts at (NUL, lone surrogates) becomes U+FFFD. This is the one place where that is done.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, String
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

REPLACEMENT = "\ufffd"


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def storable(text: str, length: int) -> str:
    """The text as every database takes it, `length` characters at most."""
    clipped = text[:length]  # first: the rest may be megabytes
    whole = clipped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", REPLACEMENT)


class UtcColumn(TypeDecorator[datetime]):
    """A moment. SQLite keeps it as text without a zone, which is UTC here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        if value is None:
            return None
        moment: datetime = value
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


class TextColumn(TypeDecorator[str]):
    """Text of a limited length, whoever wrote it."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """As every database takes it."""
        return None if value is None else storable(value, self.length)


class JsonColumn(TypeDecorator[Any]):
    """A value of JSON whose texts have a limited length each, whoever wrote them."""

    impl = JSON
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """As every database takes it."""
        return self._storable(value)

    def _storable(self, value: Any) -> Any:
        if isinstance(value, str):
            return storable(value, self.length)
        if isinstance(value, dict):
            return {name: self._storable(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._storable(part) for part in value]
        return value
