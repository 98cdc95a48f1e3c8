"""Column types: times in UTC, and untrusted text.

Untrusted text never makes a write fail. It is clipped to the column's length, and characters that
some databases refuse or truncate at (NUL, lone surrogates) become U+FFFD. Only this module does so.
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
    """Return the current time in UTC."""
    return datetime.now(UTC)


def parse_utc(text: str) -> datetime:
    """Return the time that a text in ISO 8601 states, which is UTC where it has no zone.

    Raises `ValueError`, also for a time that the years from 1 to 9999 do not have.
    """
    moment = datetime.fromisoformat(text)
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def storable_text(text: str, length: int) -> str:
    """Return the text in a form that every database accepts, at most `length` characters long."""
    clipped = text[:length]  # before anything else: the rest may be megabytes
    if clipped.isascii() and "\0" not in clipped:
        return clipped
    decoded = clipped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return decoded.replace("\0", REPLACEMENT)


class UtcColumn(TypeDecorator[datetime]):
    """A time. SQLite stores it as text without a time zone, always in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert the time to UTC."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the time with UTC as its time zone."""
        if value is None:
            return None
        time: datetime = value
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


class TextColumn(TypeDecorator[str]):
    """Untrusted text, clipped to a length in characters."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the text in a form that every database accepts."""
        return None if value is None else storable_text(value, self.length)


class JsonColumn(TypeDecorator[Any]):
    """A JSON value with untrusted strings, each clipped to a length in characters."""

    impl = JSON
    cache_ok = True

    def __init__(self, length: int, *, none_as_null: bool = False) -> None:
        super().__init__(none_as_null=none_as_null)
        self.length = length

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the value with every string in a form that every database accepts."""
        return self._storable_value(value)

    def _storable_value(self, value: Any) -> Any:
        if isinstance(value, str):
            return storable_text(value, self.length)
        if isinstance(value, dict):
            return {name: self._storable_value(part) for name, part in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._storable_value(part) for part in value]
        return value
