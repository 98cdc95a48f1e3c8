"""`conversation`: the messages of a request as the turns of a conversation.

The model knows turns of a user and of itself alone, beginning and ending with a user's. So a
system's text begins the first turn, and messages of one side that follow each other are one turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.answers.values import TextPart
from voxgate.api.chat.body import MAX_RECORDINGS, too_many_recordings
from voxgate.api.chat.parsed_chat import ChatTurn, NamedSound
from voxgate.api.dialects.parse import HEADERLESS_FORMATS
from voxgate.errors import UsageError
from voxgate.remote.recording_url import RecordingUrl

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from voxgate.answers.values import Role
    from voxgate.api.chat.body import Place
    from voxgate.api.chat.wire import ChatMessage, ChatPart

SYSTEM_ROLES = ("system", "developer")

HEADERLESS = "pcm"
"""The format of samples without a header: `HEADERLESS_FORMATS`."""

CALLS = ("tool_calls", "function_call", "audio")
"""What an assistant's message may have beside its content, and no model here has."""


def conversation(
    messages: Sequence[ChatMessage], uploads: Collection[Place]
) -> tuple[ChatTurn, ...]:
    """Return the turns. `uploads` are the places of the recordings that are in the body.

    Raises `UsageError` (`unsupported_option`) for parts and messages that no model here reads, and
    `UsageError` for no question.
    """
    said = [(each.role, _Parts(index, each, uploads).read()) for index, each in enumerate(messages)]
    system = [part for role, parts in said if role in SYSTEM_ROLES for part in parts]
    turns: list[tuple[Role, list[TextPart | NamedSound]]] = []
    for role, parts in said:
        if role == "system" or role == "developer" or not parts:  # noqa: PLR1714 (for its type)
            continue
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    _check_order([role for role, _ in turns])
    if sum(isinstance(part, NamedSound) for _, parts in turns for part in parts) > MAX_RECORDINGS:
        raise too_many_recordings()
    turns[0][1][:0] = system
    return tuple(ChatTurn(role, tuple(parts)) for role, parts in turns)


def unknown_in(messages: Iterable[ChatMessage]) -> Iterator[str]:
    """Yield the names of fields of messages and parts that have no effect, each once."""
    names = dict[str, None]()
    for message in messages:
        extra = message.model_extra or {}
        names |= {f"messages.{name}": None for name in message.unknown if extra[name]}
        for part in message.content or ():
            names |= {f"messages.content.{name}": None for name in part.unknown}
            if part.input_audio:
                audio = part.input_audio.unknown
                names |= {f"messages.content.input_audio.{name}": None for name in audio}
    yield from names


def _check_order(roles: Sequence[Role]) -> None:
    if not roles:
        raise UsageError(
            "The messages have neither a text nor a recording. Put a question into the last one, "
            "or a recording."
        )
    if roles[0] != "user":
        raise UsageError(
            "The first message, but for a system's, must be the user's. Leave out the assistant's "
            "before it."
        )
    if roles[-1] != "user":
        raise UsageError(
            "The last message must be the user's: the model answers it, and goes on with no "
            "message of its own.",
            code="unsupported_option",
        )


class _Parts:
    """The parts of one message."""

    def __init__(self, index: int, message: ChatMessage, uploads: Collection[Place]) -> None:
        self._index, self._message, self._uploads = index, message, uploads
        self._name = f"messages.{index}"

    def read(self) -> list[TextPart | NamedSound]:
        """Return them in order, without empty texts."""
        message, extra = self._message, self._message.model_extra or {}
        if called := next((name for name in CALLS if extra.get(name)), None):
            raise _unsupported(f"{self._name}.{called}", "no model here calls tools or speaks")
        if message.prefix:
            raise _unsupported(
                f"{self._name}.prefix", "an answer begins with no words of the caller's"
            )
        read = (self._part(at, part) for at, part in enumerate(message.content or ()))
        return [part for part in read if part != TextPart("")]

    def _part(self, at: int, part: ChatPart) -> TextPart | NamedSound:
        name = f"{self._name}.content.{at}"
        if part.type == "text":
            if part.text is None:
                raise UsageError(f"'{name}.text' is missing. Add it, or leave out the part.")
            return TextPart(part.text)
        if part.type not in ("input_audio", "file"):
            raise _unsupported(
                f"{name}' of the type '{part.type[:60]}",
                "a message has parts of the types 'text', 'input_audio' and 'file'",
            )
        if self._message.role != "user":
            raise _unsupported(name, "only a user's message has recordings")
        return self._sound(name, (self._index, at), part)

    def _sound(self, name: str, place: Place, part: ChatPart) -> NamedSound:
        audio = part.input_audio
        format_ = (audio.format or "").lower() if audio else ""
        if format_ != HEADERLESS and format_.startswith((HEADERLESS, "raw")):
            raise _unsupported(
                f"{name}.input_audio.format",
                "samples without a header are read as 'pcm', s16le mono at 16 kHz, and as no other",
            )
        file = part.file
        if file and (file.model_extra or {}).get("file_data"):
            raise _unsupported(f"{name}.file.file_data", "send a recording as 'input_audio'")
        given: dict[str, str | None] = {
            "data": "" if place in self._uploads else None,
            "url": audio.url if audio else None,
            "file_id": part.file_id or (file.file_id if file else None),
        }
        sources = [source for source, value in given.items() if value is not None]
        if len(sources) != 1:
            raise UsageError(
                f"'{name}' must have one recording: 'input_audio' with 'data' (base64) or 'url', "
                f"or 'file_id'. It has {len(sources)}."
            )
        url = given["url"]
        return NamedSound(
            place,
            None if url is None else RecordingUrl.parse(url),
            given["file_id"],
            HEADERLESS_FORMATS if format_ == HEADERLESS else None,
        )


def _unsupported(name: str, why: str) -> UsageError:
    return UsageError(f"'{name}' is not taken: {why}. Leave it out.", code="unsupported_option")
