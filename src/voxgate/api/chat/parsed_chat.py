"""`ParsedChat`: a request for an answer in canonical values, and `fitted`, to its model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.api.dialects.model_request import ModelRequest
from voxgate.pipeline.budget import accept_question
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.answers.values import Role, TextPart
    from voxgate.api.chat.body import Place
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.models.capabilities import Capabilities
    from voxgate.remote.recording_url import RecordingUrl

ChatDialect: TypeAlias = Literal["openai", "mistral", "openrouter"]

SYSTEM_NOTICE = Notice(
    "system_in_question",
    "The system's text is asked as the beginning of the user's first message: beside sound the "
    "model has no other place for it.",
)


@dataclass(frozen=True, slots=True)
class NamedSound:
    """A recording of a message: in the body, at an address, or kept."""

    place: Place
    url: RecordingUrl | None = None
    file_id: str | None = None
    pcm: PcmDeclaration | None = None  # of headerless samples


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """What one side says, in order."""

    role: Role
    parts: tuple[TextPart | NamedSound, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedChat(ModelRequest):
    """A request for an answer."""

    turns: tuple[ChatTurn, ...]
    schema: str | None = None  # of the answer, checked
    dialect: ChatDialect = "openai"
    stream: bool = False
    include_usage: bool = False  # in an event of its own
    has_system: bool = False  # the first text is a system's
    spelled: tuple[tuple[str, str], ...] = ()  # options, and the fields that they came in

    @property
    def streamed(self) -> bool:
        """Whether its response is a stream of events."""
        return self.stream

    @property
    def sounds(self) -> tuple[NamedSound, ...]:
        """Its recordings, in order."""
        return tuple(
            part for turn in self.turns for part in turn.parts if isinstance(part, NamedSound)
        )

    @property
    def is_repeatable(self) -> bool:
        """Whether the same request has the same answer again."""
        return self.options.temperature == 0 or self.options.seed is not None

    @property
    def hints(self) -> tuple[Notice, ...]:
        """The notices about what has no effect, or another one than its name says."""
        told = super(ParsedChat, self).hints
        return (SYSTEM_NOTICE, *told) if self.has_system else told

    def fitted(self, capabilities: Capabilities) -> ParsedChat:
        """Return the request with the options that its model honours; the others are `unused`.

        What a model would transcribe is answered by another one, to which `AnswerPlan` leads.
        Raises `UsageError` (`unsupported_option`) for an option that an answer cannot fulfil.
        """
        if not capabilities.answers:
            return self
        accepted = accept_question(self.model, capabilities, self.options)
        return self.honoured(accepted, {name: (field,) for name, field in self.spelled})
