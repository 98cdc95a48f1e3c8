"""`ChatBody`: a JSON object whose messages have recordings, parsed while it arrives.

A recording is the base64 in `input_audio.data` of a part, or in `input_audio` itself, and may
follow the head of a data URL. All of them go into unnamed files, the long ones while they arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from voxgate.api.body.json_body import drop_long
from voxgate.api.body.json_scanner import LONG_BYTES, MAX_LONG_STRINGS, JsonScanner
from voxgate.api.body.reader import ParsingReader
from voxgate.api.body.recording_decoders import RecordingDecoders
from voxgate.api.body.request_body import (
    JSON_TYPE,
    TEXT_BYTES,
    body_too_large,
    recording_too_large,
)
from voxgate.api.body.strict_json import check_encoding, parse_json
from voxgate.api.body.upload import AUDIO_FIELD
from voxgate.api.chat.long_text import DataUrlDecoder, LongText
from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.api.body.reader import BodyParser
    from voxgate.api.body.request_body import ContentType, Upload
    from voxgate.settings import Settings

MAX_RECORDINGS = MAX_LONG_STRINGS
"""Recordings in one conversation: each has an open file."""

CHAT_TEXT_BYTES = TEXT_BYTES + MAX_RECORDINGS * LONG_BYTES
"""The limit on all of a body but the long recordings: short ones count as text."""

NAME = AUDIO_FIELD.split("'")[1]

Place: TypeAlias = tuple[int, int]
"""Where a part is: the index of its message, and its own in that message's content."""


@dataclass(slots=True)
class ChatRequestBody:
    """The body of one request. The caller closes the uploads.

    `fields` is the JSON object without the recordings, which `uploads` has by their places.
    `dropped` has the paths of strings that were removed for their length.
    """

    fields: dict[str, Any]
    uploads: dict[Place, Upload] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)

    def close(self) -> None:
        """Delete the recordings. May be called again."""
        for upload in self.uploads.values():
            upload.close()


def too_many_recordings() -> UsageError:
    """Return the error for more than `MAX_RECORDINGS`."""
    return UsageError(f"The messages have more than {MAX_RECORDINGS} recordings. Send fewer.")


class ChatBody:
    """A `BodyParser` for conversations.

    `feed` and `finish` raise `UsageError`, `VoxgateError` (`payload_too_large`) and
    `SpoolFullError`. The limit on recordings is one on all of a body together.
    """

    slice_bytes = LONG_BYTES

    def __init__(self, settings: Settings) -> None:
        # Base64 is 4/3 of a recording, and twice that where every character is an escaped '/'.
        self.max_bytes = 8 * (settings.max_upload_bytes // 3 + 1) + CHAT_TEXT_BYTES
        self._settings = settings
        self._decoders = RecordingDecoders(settings, DataUrlDecoder)
        self._taken = 0  # bytes of the recordings that are no longer among them
        self._scanner = JsonScanner(self._new_long_string, text_bytes=CHAT_TEXT_BYTES)

    def feed(self, data: bytes) -> None:
        """Parse the next bytes."""
        self._scanner.feed(data)
        self._check_size()

    def arriving(self) -> None:
        """None: a question is whole before it is asked."""

    def finish(self) -> ChatRequestBody:
        """Return the parsed body."""
        self._scanner.finish()
        long_strings = self._scanner.long_strings
        fields = parse_json(self._scanner.skeleton, whole=not long_strings)
        if not isinstance(fields, dict):
            raise UsageError('The body must be an object, as {"model": "...", "messages": [...]}.')
        found = ChatRequestBody(fields)
        try:
            for place, part in _parts(fields):
                if upload := self._upload(place, part):
                    found.uploads[place] = upload
                if len(found.uploads) > MAX_RECORDINGS:
                    raise too_many_recordings()
            self._restore_texts(fields)
        except BaseException:
            found.close()
            raise
        found.dropped += drop_long(fields, "", long_strings) if long_strings else ()
        return found

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""
        return body_too_large(self.max_bytes, self._settings.max_upload_bytes)

    def close(self) -> None:
        """Delete all recordings that `finish` has not returned. May be called again."""
        self._decoders.close()

    def _new_long_string(self) -> LongText:
        check_encoding(self._scanner.skeleton)  # else the NULs of UTF-16 are control characters
        return LongText(self._decoders.new())

    def _check_size(self) -> None:
        limit = self._settings.max_upload_bytes
        if self._taken + self._decoders.size > limit:
            raise recording_too_large(limit)

    def _upload(self, place: Place, part: dict[str, Any]) -> Upload | None:
        """Remove the base64 of a part, and return its recording; None where it has none."""
        audio, name = part["input_audio"], f"messages.{place[0]}.content.{place[1]}.input_audio"
        if isinstance(audio, dict) and isinstance(audio.get("data"), str):
            text, name = audio.pop("data"), f"{name}.data"
        elif isinstance(audio, str) and not audio.startswith(("http://", "https://")):
            text, part["input_audio"] = audio, {}
        else:
            return None
        decoder = self._decoders.finished(text, self._scanner.long_strings.pop(text, None))
        self._check_size()
        if decoder.problem:
            raise UsageError(decoder.problem.replace(NAME, name, 1))
        writer = self._decoders.take(decoder)
        self._taken += writer.size
        return writer.upload(media_type=decoder.media_type)

    def _restore_texts(self, fields: dict[str, Any]) -> None:
        """Put the long texts of messages back into their places."""
        for holder, key in _texts(fields):
            reader = self._scanner.long_strings.get(holder[key])
            if isinstance(reader, LongText) and reader.text is not None:
                del self._scanner.long_strings[holder[key]]
                holder[key] = reader.text.decode()


class ChatBodyReader(ParsingReader[ChatRequestBody]):
    """The body of a request for an answer: JSON alone."""

    def _new_parser(self, content_type: ContentType) -> BodyParser[ChatRequestBody]:
        if content_type.kind() != "json":
            raise VoxgateError(
                f"The body's content type is {content_type.media_type[:80]!r}. Send the messages "
                f"as {JSON_TYPE}, with recordings in base64.",
                code="unsupported_media_type",
            )
        return ChatBody(self._settings)


def _contents(fields: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    messages = fields.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            yield index, message


def _parts(fields: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the parts with sound, and their places."""
    for index, message in _contents(fields):
        content = message.get("content")
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(part, dict) or part.get("type") != "input_audio":
                continue
            if "input_audio" in part:
                yield (index, place), part


def _texts(fields: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield the objects that have a text of a message, each with the key of the text."""
    for _, message in _contents(fields):
        content = message.get("content")
        if isinstance(content, str):
            yield message, "content"
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part, "text"
