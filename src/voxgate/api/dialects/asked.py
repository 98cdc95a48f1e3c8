"""`Asked`: what a request wants, without its wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.engine.capabilities import unused
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.api.dialects.request import ResponseFormat
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.transcript.values import Options

MOST_HINTS = 20  # that are named in warnings; the others are counted


@dataclass(frozen=True, slots=True)
class Asked:
    """A transcription request in canonical values.

    What of the `options` the model cannot do is not known before `fulfil` has looked at it.
    """

    model: str
    options: Options
    format: ResponseFormat
    words: bool
    pcm: PcmDeclaration | None = None
    vocabulary: tuple[str, ...] = ()  # fields that the options' vocabulary came in, by name
    unused: tuple[str, ...] = ()  # fields that change nothing, by name
    insists: bool = False  # on every field: then an unused one is a refusal
    session_id: str | None = None
    user: str | None = None

    @property
    def hints(self) -> tuple[Notice, ...]:
        """What the caller is told of the fields that were not used."""
        notices = [unused(self.model, name) for name in self.unused[:MOST_HINTS]]
        if more := len(self.unused) - len(notices):
            notices.append(Notice("unused_option", f"{more} more fields were not used either."))
        return tuple(notices)
