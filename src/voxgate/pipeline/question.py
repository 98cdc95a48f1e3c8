"""What a caller asks: messages with texts and recordings, before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from voxgate.answers.values import TextPart
from voxgate.audio.channels import SoundChoice

if TYPE_CHECKING:
    from voxgate.answers.values import Role
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.transcript.values import Transcript


@dataclass(frozen=True, slots=True)
class RecordingPart:
    """A recording of a message.

    `transcript` is there where the recording was transcribed already: its words are read where its
    sound is longer than the model hears.
    """

    source: AudioInput
    name: str | None = None  # in messages to people
    transcript: Transcript | None = None
    pcm: PcmDeclaration | None = None  # of headerless samples
    choice: SoundChoice = field(default_factory=SoundChoice)  # of its track
    language: str | None = None  # that is spoken: of several tracks, the one in it is meant


AskedPart: TypeAlias = TextPart | RecordingPart


@dataclass(frozen=True, slots=True)
class AskedMessage:
    """What one side of a conversation says, in order."""

    role: Role
    parts: tuple[AskedPart, ...]
