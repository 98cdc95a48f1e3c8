"""`UrlencodedBody`: a form without a recording, as clients send it with the URL of one."""

from __future__ import annotations

from urllib.parse import parse_qsl

from voxgate.api.body.form_fields import MAX_FIELDS, nest_fields, too_many_fields
from voxgate.api.body.request_body import RAW_HINT, TEXT_BYTES, RequestBody
from voxgate.errors import UsageError, VoxgateError

FIELD_BYTES = 64 * 1024  # of one field: unquoting is slow, and cannot be interrupted within a field


class UrlencodedBody:
    """A `BodyParser` for urlencoded forms. The caller feeds at most `max_bytes`.

    `feed` and `finish` raise `UsageError` and `VoxgateError` (`payload_too_large`).
    """

    max_bytes = TEXT_BYTES
    slice_bytes = 32 * 1024

    def __init__(self) -> None:
        self._pairs: list[tuple[str, str]] = []
        self._rest = b""  # the incomplete last field

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        *complete, self._rest = (self._rest + data).split(b"&")
        _check_length(self._rest)
        self._add(complete)

    def arriving(self) -> None:
        """None: there is no recording."""

    def finish(self) -> RequestBody:
        """Return the parsed body."""
        self._add([self._rest])
        return RequestBody(nest_fields(self._pairs), None, "urlencoded")

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""
        return _larger("The form", TEXT_BYTES)

    def close(self) -> None:
        """Do nothing: there is no recording to delete."""

    def _add(self, fields: list[bytes]) -> None:
        fields = [field for field in fields if field]
        if len(self._pairs) + len(fields) > MAX_FIELDS:
            raise too_many_fields()
        for field in fields:
            _check_length(field)
            self._pairs += parse_pairs(field, "The form", RAW_HINT)


def parse_pairs(fields: bytes, where: str, hint: str) -> list[tuple[str, str]]:
    """Return names and values of urlencoded fields.

    Raises `UsageError`: a sentence about `where` they were, and `hint`.
    """
    try:
        text = fields.decode()
        return parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is not UTF-8. Send its text as UTF-8. {hint}.") from error
    except ValueError as error:
        raise UsageError(
            f"{where} is not urlencoded: each field is name=value, with '&' between two. {hint}."
        ) from error


def _check_length(field: bytes) -> None:
    if len(field) > FIELD_BYTES:
        raise _larger("A field of the form", FIELD_BYTES)


def _larger(what: str, limit: int) -> VoxgateError:
    return VoxgateError(
        f"{what} is larger than {limit // 1024} KiB, its limit. {RAW_HINT}; or send it in a "
        f"multipart form or in JSON.",
        code="payload_too_large",
    )
