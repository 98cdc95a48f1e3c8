"""`JsonBody`: a JSON object with a recording in `input_audio.data`, parsed while it arrives.

For every body, and for all divisions into chunks, the result is that of `json.loads` and
`base64.b64decode(data, validate=True)`, or a `UsageError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.body.json_scanner import LONG_BYTES, JsonScanner, LongStringReader
from voxgate.api.body.recording_decoders import RecordingDecoders
from voxgate.api.body.request_body import TEXT_BYTES, RequestBody, Upload, body_too_large
from voxgate.api.body.strict_json import check_encoding, parse_json
from voxgate.api.body.upload import Base64Decoder
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings


class JsonBody:
    """A `BodyParser` for JSON.

    `feed` and `finish` raise `UsageError`, `VoxgateError` (`payload_too_large`) and
    `SpoolFullError`.
    """

    slice_bytes = LONG_BYTES

    def __init__(self, settings: Settings, *, long_bytes: int = LONG_BYTES) -> None:
        # Base64 is 4/3 of the recording, and twice that where every character is an escaped '/'.
        self.max_bytes = 8 * (settings.max_upload_bytes // 3 + 1) + TEXT_BYTES
        self._settings = settings
        self._decoders = RecordingDecoders(settings, Base64Decoder)
        self._scanner = JsonScanner(self._new_long_string, long_bytes=long_bytes)

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        self._scanner.feed(data)

    def arriving(self) -> None:
        """None: its fields may follow the recording, whose text may still turn out to be none."""

    def finish(self) -> RequestBody:
        """Return the parsed body. The caller closes the upload."""
        self._scanner.finish()
        fields = parse_json(self._scanner.skeleton, whole=not self._scanner.long_strings)
        if not isinstance(fields, dict):
            raise UsageError(f"The body must be an object, not {_kind(fields)}.")
        upload = self._upload(fields)
        dropped = (
            drop_long(fields, "", self._scanner.long_strings) if self._scanner.long_strings else ()
        )
        return RequestBody(fields, upload, "json", list(dropped))

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""
        return body_too_large(self.max_bytes, self._settings.max_upload_bytes)

    def close(self) -> None:
        """Delete all recordings that `finish` has not returned. May be called again."""
        self._decoders.close()

    def _new_long_string(self) -> LongStringReader:
        # Otherwise the NULs of UTF-16 would be reported as control characters.
        check_encoding(self._scanner.skeleton)
        return LongStringReader(self._decoders.new())

    def _upload(self, fields: dict[str, Any]) -> Upload | None:
        """Remove `input_audio.data` and return its upload; None where it is not a string."""
        audio = fields.get("input_audio")
        if isinstance(audio, str) and audio in self._scanner.long_strings:
            raise UsageError(
                "'input_audio' must be an object, not a string: "
                '{"data": "<base64>", "format": "wav"}.'
            )
        if not isinstance(audio, dict) or not isinstance(audio.get("data"), str):
            return None
        data = audio.pop("data")
        decoder = self._decoders.finished(data, self._scanner.long_strings.pop(data, None))
        if decoder.problem:
            raise UsageError(decoder.problem)
        return self._decoders.take(decoder).upload()


def drop_long(value: Any, path: str, placeholders: Container[str]) -> Iterator[str]:
    """Remove every placeholder from `value`, and yield the paths of the removed ones.

    They are removed as the paths are read.
    """
    if isinstance(value, dict):
        for key, item in list(value.items()):
            name = f"{path}.{key}" if path else key
            if key in placeholders:
                name = f"{path}.(a long name)" if path else "(a long name)"
            elif isinstance(item, (dict, list)):
                yield from drop_long(item, name, placeholders)
                continue
            elif item not in placeholders:
                continue
            del value[key]
            yield name
    else:
        remaining = []
        for index, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from drop_long(item, f"{path}[{index}]", placeholders)
            elif item in placeholders:
                yield f"{path}[{index}]"
                continue
            remaining.append(item)
        value[:] = remaining


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
