"""What is asked, held against what the model can do: each option is fulfilled, refused or told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.errors import OptionError
from voxgate.models.capabilities import unused_option_notice
from voxgate.pipeline.budget import accept_options
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.api.dialects.wire import ResponseFormat
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.models.capabilities import Capabilities
    from voxgate.transcript.values import Options


# MERGED api.dialects.asked
# `ParsedRequest`: what a request wants, without its wire.

MAX_HINTS = 20  # that are named in warnings; the others are counted


@dataclass(frozen=True, slots=True)
class ParsedRequest:
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
        notices = [unused_option_notice(self.model, name) for name in self.unused[:MAX_HINTS]]
        if more := len(self.unused) - len(notices):
            notices.append(Notice("unused_option", f"{more} more fields were not used either."))
        return tuple(notices)


def negotiate(asked: ParsedRequest, capabilities: Capabilities) -> ParsedRequest:
    """The request with the options that its model honours, the others among `unused`.

    Raises `UnsupportedLanguageError` and `OptionError` for promises that the model cannot keep, and
    `OptionError` for the first unused field of a caller who insists.
    """
    accepted = accept_options(asked.model, capabilities, asked.options)
    unused = accepted.unused
    fields = [n for name in unused for n in (asked.vocabulary if name == "vocabulary" else (name,))]
    fulfilled = replace(asked, options=accepted.options, unused=(*fields, *asked.unused))
    if asked.insists and fulfilled.unused:
        sentence = fulfilled.hints[0].sentence
        raise OptionError(f"{sentence} You asked for no less (require_parameters).")
    return fulfilled
