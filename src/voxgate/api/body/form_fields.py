"""The fields of a form: the headers of one part, and names to nested values. Pure functions.

OpenAI's and Mistral's clients write a list as `a` repeated or as `a[]`, and an object in an object
as `a[b][c]`. Values are not converted: most of them are text, and the request's model reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from python_multipart.multipart import parse_options_header

from voxgate.api.body.request_body import ContentType, is_binary
from voxgate.errors import UsageError
from voxgate.file_names import base_name, extended_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_FIELD_DEPTH = 8  # names within a name
MAX_FIELDS = 1000  # of one form

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_INNER = re.compile(r"\[([^\[\]]*)\]")

RECORDING_FIELD = "file"  # the field's name in every documented dialect
RECORDING_FIELDS = frozenset(
    {RECORDING_FIELD, "audio_file"}
)  # the latter in whisper-asr-webservice


@dataclass(frozen=True, slots=True)
class FormPart:
    """The headers of one part: the field's name, and its file's name and type, if any."""

    name: str
    has_file_name: bool = False
    file_name: str | None = None
    media_type: str | None = None

    @classmethod
    def parse(cls, headers: Mapping[bytes, bytes]) -> FormPart:
        """Parse a part's headers, whose names are in lower case. Raises `UsageError`."""
        disposition = headers.get(b"content-disposition", b"")
        _, options = parse_options_header(disposition)
        name = _field_name(options.get(b"name", b""))
        _check_encoding(headers.get(b"content-transfer-encoding", b""), name)
        file_name = _file_name(options.get(b"filename"), disposition)
        media_type = headers.get(b"content-type", b"").decode("latin-1")
        return cls(
            name,
            file_name is not None,
            base_name(file_name or ""),
            ContentType.parse(media_type).media_type or None,
        )

    @property
    def is_binary(self) -> bool:
        """Whether the type is audio, video or unspecified bytes."""
        return is_binary(self.media_type or "")

    @property
    def is_recording(self) -> bool:
        """Whether the part is the recording. Raises `UsageError` for one under another name."""
        if self.name in RECORDING_FIELDS:
            return self.has_file_name or self.is_binary
        if self.has_file_name and self.is_binary:
            raise UsageError(
                f"The field {quote_field(self.name)} holds a file. The recording goes into the "
                f"field '{RECORDING_FIELD}'."
            )
        return False


def _field_name(raw: bytes) -> str:
    if not raw:
        raise UsageError(
            "A part of the form has no name. Give each one 'Content-Disposition: form-data; "
            'name="..."\'.'
        )
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError(
            "The name of a form field is not UTF-8. Send the form as UTF-8."
        ) from error


def _check_encoding(raw: bytes, name: str) -> None:
    encoding = raw.decode("latin-1").strip().lower()
    if encoding not in ("", "binary", "8bit", "7bit"):
        raise UsageError(
            f"The form field {quote_field(name)} is encoded as {encoding[:60]!r}. Send its bytes "
            f"as they are, without Content-Transfer-Encoding."
        )


def _file_name(plain: bytes | None, disposition: bytes) -> str | None:
    """Return the file's name. Some clients send non-ASCII names only as RFC 5987 extends them."""
    return plain.decode(errors="replace") if plain is not None else extended_name(disposition)


@dataclass(slots=True)
class _Values:
    """The values of one name, and whether the name marks a list."""

    values: list[Any] = field(default_factory=list)
    is_list: bool = False

    def value(self) -> Any:
        return self.values if self.is_list or len(self.values) > 1 else self.values[0]


_Tree: TypeAlias = "dict[str, _Tree | _Values]"


def nest_fields(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields as one object.

    Raises `UsageError` for an invalid name, for a name that is both a value and an object, and for
    more than 1000 fields.
    """
    tree: _Tree = {}
    for count, (name, value) in enumerate(pairs, start=1):
        if count > MAX_FIELDS:
            raise too_many_fields()
        _insert(tree, name, value)
    return _to_dict(tree)


def field_path(name: str) -> list[str]:
    """Split `a[b][]` into `["a", "b", ""]`. Raises `UsageError`."""
    match = _NAME.fullmatch(name)
    keys = [match[1], *_INNER.findall(match[2])] if match else []
    if not keys or "" in keys[:-1]:
        raise UsageError(
            f"The field name {quote_field(name)} is not understood. Write a, a[] for a list, or "
            f"a[b] for an object; or the whole object as one JSON text."
        )
    if len(keys) > MAX_FIELD_DEPTH:
        raise UsageError(
            f"The field name {quote_field(name)} nests deeper than {MAX_FIELD_DEPTH}. Send a "
            f"flatter form, or the whole object as one JSON text."
        )
    return keys


def quote_field(name: str) -> str:
    """Return a caller's name for use in a message: short, and without control characters."""
    return repr(name if len(name) <= 60 else name[:57] + "...")


def too_many_fields() -> UsageError:
    """Return the error for more than `MAX_FIELDS` fields."""
    return UsageError(f"The request has more than {MAX_FIELDS} fields. Send fewer.")


def _insert(tree: _Tree, name: str, value: Any) -> None:
    keys = field_path(name)
    is_list = keys[-1] == ""
    *objects, last = keys[:-1] if is_list else keys
    for key in objects:
        inner = tree.setdefault(key, {})
        if isinstance(inner, _Values):
            raise _value_and_object(name)
        tree = inner
    leaf = tree.setdefault(last, _Values())
    if not isinstance(leaf, _Values):
        raise _value_and_object(name)
    leaf.values.append(value)
    leaf.is_list |= is_list


def _value_and_object(name: str) -> UsageError:
    return UsageError(
        f"The field {quote_field(name)} contradicts another one: the same name is a value here "
        f"and an object there. Send one of them."
    )


def _to_dict(tree: _Tree) -> dict[str, Any]:
    return {
        key: inner.value() if isinstance(inner, _Values) else _to_dict(inner)
        for key, inner in tree.items()
    }
