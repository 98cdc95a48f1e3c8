"""The values of events about sound and transcription, checked: the library checks none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from wyoming.asr import Transcribe

from voxgate.api.dialects.negotiate import ParsedRequest
from voxgate.audio.pcm import PcmDeclaration
from voxgate.errors import UsageError
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from wyoming.event import Event, Eventable

    Kind = TypeVar("Kind", bound=Eventable)

ENCODINGS: Final = {1: "u8", 2: "s16le", 3: "s24le", 4: "s32le"}
"""The encoding of samples by their width in bytes."""

MAX_CHARACTERS: Final = 256
"""Of a name: looking up a language by a text of a megabyte would take minutes."""

VOCABULARY_FIELDS: Final = ("transcript_names", "transcript_terms")


def parse_sound(event: Event) -> PcmDeclaration:
    """Return the format of `audio-start` or `audio-chunk`. Raises `UsageError`."""
    numbers = [event.data.get(name) for name in ("rate", "width", "channels")]
    rate, width, channels = (number if type(number) is int else 0 for number in numbers)
    if width not in ENCODINGS:
        raise UsageError(
            f"'{event.type}' needs whole numbers as 'rate', 'width' and 'channels', with "
            f"a width of 1 to 4 bytes."
        )
    return PcmDeclaration(ENCODINGS[width], rate, channels)


def parse_transcribe(event: Event) -> Transcribe:
    """Return what a client asks for. Raises `UsageError`."""
    data = event.data
    for name in ("name", "language"):
        text = data.get(name)
        if text is not None and not (isinstance(text, str) and len(text) <= MAX_CHARACTERS):
            raise UsageError(
                f"'{name}' of 'transcribe' must be a text of at most {MAX_CHARACTERS} characters. "
                f"Correct it, or leave it out."
            )
    for name in VOCABULARY_FIELDS:
        words = data.get(name)
        if words is not None and not _is_texts(words):
            raise UsageError(
                f"'{name}' of 'transcribe' must be a list of texts. Correct it, or leave it out."
            )
    known = {name: data.get(name) for name in ("name", "language", *VOCABULARY_FIELDS)}
    return Transcribe(**known)


def request(asked: Transcribe, sound: PcmDeclaration, default: str) -> ParsedRequest:
    """Return the request for a recording. Raises `UsageError`."""
    given = {name: getattr(asked, name) for name in VOCABULARY_FIELDS}
    words = tuple(word for texts in given.values() for word in texts or () if word.strip())
    return ParsedRequest(
        model=asked.name or default,
        options=Options(language=asked.language, vocabulary=words),
        format="json",
        words=False,
        pcm=sound,
        vocabulary=tuple(name for name, texts in given.items() if texts),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)
