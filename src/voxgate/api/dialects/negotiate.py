"""`ParsedRequest`, and `negotiate`, which fits it to what the model can do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxgate.api.dialects.model_request import ModelRequest
from voxgate.audio.channels import SoundChoice
from voxgate.errors import UsageError
from voxgate.models.capabilities import OF_TRANSCRIPTS
from voxgate.pipeline.budget import accept_options
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.api.dialects.response_format import DataRequest
    from voxgate.api.dialects.streaming import EventDialect
    from voxgate.api.dialects.wire import OutputFormat
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.models.capabilities import Capabilities
    from voxgate.remote.recording_url import RecordingUrl
    from voxgate.transcript.values import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest(ModelRequest):
    """A transcription request in canonical values."""

    format: OutputFormat
    words: bool
    word_segments: bool = False  # each segment of a response is a word
    events: EventDialect | None = None  # None: one response at the end
    url: RecordingUrl | None = None  # of a recording that is not in the body
    file_id: str | None = None  # of a recording that is kept here
    pcm: PcmDeclaration | None = None
    choice: SoundChoice = field(default_factory=SoundChoice)
    whole: bool = True  # False: what follows the end of the text need not be decoded
    data: DataRequest | None = None  # what is wanted beside the text
    answers: bool = False  # whether a model is wanted that could give it
    speakers: str | None = None  # the name of a field that asks who speaks
    vocabulary: tuple[str, ...] = ()  # names of the fields that the options' vocabulary was in
    misplaced: tuple[str, ...] = ()  # names in the query of a request with its fields in the body

    def asks_the_same(self, other: ParsedRequest) -> bool:
        """Return whether both are the same request but for fields that have no effect."""
        return replace(self, unused=(), vocabulary=()) == replace(other, unused=(), vocabulary=())

    @property
    def answer_options(self) -> Options:
        """The options for the data: those of sampling, and the most tokens."""
        return self.options.without(*OF_TRANSCRIPTS, "stop")

    @property
    def times(self) -> bool:
        """Whether the response has times."""
        return self.format not in {"json", "text", "language_json"}

    @property
    def streamed(self) -> bool:
        """Whether its response is a stream of events."""
        return self.events is not None

    def fitted(self, capabilities: Capabilities) -> ParsedRequest:
        """Return the request as a model fulfils it: see `negotiate`."""
        return negotiate(self, capabilities)

    def _hints(self) -> tuple[Notice, ...]:
        return (*super(ParsedRequest, self)._hints(), *map(_misplaced_notice, self.misplaced))


def negotiate(parsed: ParsedRequest, capabilities: Capabilities) -> ParsedRequest:
    """Return the request with the options that its model honours; the others are `unused`.

    Raises `UsageError` (`unsupported_language`) and `UsageError` (`unsupported_option`) for an
    option that the model must fulfil and cannot, and `UsageError` (`unsupported_option`) for the
    first unused field where the caller requires all.
    """
    if parsed.speakers and not capabilities.speakers:
        raise UsageError(
            f"{parsed.model} cannot fulfil '{parsed.speakers}': it does not tell speakers apart. "
            f"Leave it out; where each speaker has a channel, 'channels=split' tells them apart.",
            code="unsupported_option",
        )
    parsed.choice.check(parsed.options)
    accepted = accept_options(parsed.model, capabilities, parsed.options)
    return parsed.honoured(accepted, {"vocabulary": parsed.vocabulary})


def _misplaced_notice(name: str) -> Notice:
    return Notice(
        "unused_option",
        f"'{name[:100]}' in the address was not used: the fields of this request are in its body. "
        f"Put it there.",
    )
