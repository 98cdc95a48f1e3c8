"""`JsonBody`: a JSON object with a recording in `input_audio.data`, read as it arrives.

For every body, however it is cut into chunks, the outcome is that of `json.loads` and
`base64.b64decode(data, validate=True)`, or a `UsageError`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.body.json_scanner import HOIST_BYTES, JsonScanner, LongStringReader
from voxgate.api.body.request_body import TEXT_BYTES, RequestBody, Upload
from voxgate.api.body.strict_json import check_encoding, parse_json
from voxgate.api.body.upload import Base64Decoder, UploadWriter
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from voxgate.settings import Settings


class JsonBody:
    """Bytes in by `feed`, the value from `finish`; `close` afterwards in any case.

    Both raise `UsageError`, `BodyTooLargeError` and `SpoolFullError`.
    """

    slice_bytes = HOIST_BYTES

    def __init__(self, settings: Settings, *, hoist_bytes: int = HOIST_BYTES) -> None:
        # Base64 takes 4/3 of the recording, and twice that where every character is an escaped '/'.
        self.most_bytes = 8 * (settings.max_upload_bytes // 3 + 1) + TEXT_BYTES
        self._settings = settings
        self._spools: list[Base64Decoder] = []
        self._scanner = JsonScanner(self._new_long, hoist_bytes=hoist_bytes)

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._scanner.feed(data)

    def finish(self) -> RequestBody:
        """What the body held. The upload is the caller's to close."""
        self._scanner.finish()
        fields = parse_json(self._scanner.skeleton, whole=not self._scanner.long)
        if not isinstance(fields, dict):
            raise UsageError(f"The body must be an object, not {_kind(fields)}.")
        upload = self._upload(fields)
        dropped = _drop(fields, "", self._scanner.long) if self._scanner.long else ()
        return RequestBody(fields, upload, "json", list(dropped))

    def close(self) -> None:
        """Free the disk of everything that `finish` did not give away. May be called again."""
        for spool in self._spools:
            spool.intake.close()
        self._spools.clear()

    def _new_spool(self) -> Base64Decoder:
        self._spools.append(Base64Decoder(UploadWriter(self._settings)))
        return self._spools[-1]

    def _new_long(self) -> LongStringReader:
        check_encoding(self._scanner.skeleton)  # else each NUL of UTF-16 is a control character
        return LongStringReader(self._new_spool())

    def _upload(self, fields: dict[str, Any]) -> Upload | None:
        """Take `input_audio.data` out, if it is a string: what else it may be is judged later."""
        audio = fields.get("input_audio")
        if isinstance(audio, str) and audio in self._scanner.long:
            raise UsageError(
                "'input_audio' must be an object, not a string: "
                '{"data": "<base64>", "format": "wav"}.'
            )
        if not isinstance(audio, dict) or not isinstance(audio.get("data"), str):
            return None
        data = audio.pop("data")
        if long := self._scanner.long.pop(data, None):
            spool = long.base64
        else:
            spool = self._new_spool()
            spool.feed(data.encode())
            spool.finish()
        if spool.problem:
            raise UsageError(spool.problem)
        self._spools.remove(spool)
        return spool.intake.upload()


def _drop(value: Any, path: str, placeholders: Container[str]) -> Iterator[str]:
    """Take every placeholder out of `value`; the paths where they stood."""
    if isinstance(value, dict):
        for key, item in list(value.items()):
            name = f"{path}.{key}" if path else key
            if key in placeholders:
                name = f"{path}.(a long name)" if path else "(a long name)"
            elif isinstance(item, (dict, list)):
                yield from _drop(item, name, placeholders)
                continue
            elif item not in placeholders:
                continue
            del value[key]
            yield name
    else:
        kept = []
        for place, item in enumerate(value):
            if isinstance(item, (dict, list)):
                yield from _drop(item, f"{path}[{place}]", placeholders)
            elif item in placeholders:
                yield f"{path}[{place}]"
                continue
            kept.append(item)
        value[:] = kept


def _kind(value: Any) -> str:
    kinds = {list: "a list", str: "a string", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
