"""The values of a question and its answer, as a provider takes and gives them.

They are frozen, have slots, and depend on neither numpy nor a wire format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.transcript.values import Delta, Notice, Options, Progress, Structured

if TYPE_CHECKING:
    from collections.abc import Sequence

Role: TypeAlias = Literal["user", "assistant"]
"""Who speaks in a conversation. A system's text is a part of the first user's message: the model
has no other place for it beside sound (voxtral-model.md A.5)."""

Finish: TypeAlias = Literal["stop", "length"]
"""Why an answer ended: it is complete (its end token, or a stop string), or it was cut off by
`max_tokens` or the end of the context. One that was cut off is no valid JSON."""

PARAGRAPH = "\n\n"
"""What stands between texts of a message that follow each other, as in Voxtral's reference."""

MOST_ANSWER_TOKENS = 4096
"""The most tokens of an answer whose caller names no number: some 3000 words."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A text of a message.

    Where a question does not fit into the model's context, the end of a text that `may_be_cut` is
    left out: of a transcript, but never of what a caller wrote.
    """

    text: str
    may_be_cut: bool = False


@dataclass(frozen=True, slots=True)
class SoundPart:
    """A sound of a message: mono at 16 kHz. Its samples come beside the question, in order."""

    samples: int  # at least 1


Part: TypeAlias = TextPart | SoundPart


@dataclass(frozen=True, slots=True)
class Message:
    """What one side says, in order."""

    role: Role
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """A conversation that ends with a user's message, to which the model answers.

    Of the options those of sampling, `max_tokens` and `stop` count. `schema` is the text of a JSON
    schema that `schema.checked_schema` accepted: the answer is a JSON value that it allows.
    """

    messages: tuple[Message, ...]
    options: Options = field(default_factory=Options)
    schema: str | None = None

    @property
    def samples(self) -> int:
        """The samples of all sounds together."""
        return sum(
            part.samples
            for message in self.messages
            for part in message.parts
            if isinstance(part, SoundPart)
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """The last event of an answer."""

    finish: Finish
    prompt_tokens: int  # of the question, with those of its sounds
    tokens: int  # of the answer
    audio_tokens: int = 0  # of the prompt tokens, those of its sounds
    unread: int = 0  # characters of texts that may be cut which did not fit into the context


AnswerEvent: TypeAlias = Delta | Progress | Answered
"""An answer sends any number of Delta and Progress events, then one Answered. The joined deltas are
the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered to a question about recordings and texts.

    By a schema, `text` is a JSON value that the schema allows where `finish` is `stop`, and the
    beginning of one where it is `length`.
    """

    text: str
    finish: Finish
    model: str  # its own name, even if the request used an alias
    duration: float  # seconds of decoded sound of all recordings together
    prompt_tokens: int
    tokens: int  # of the answer
    audio_tokens: int = 0  # of the prompt tokens, those of sound
    notices: tuple[Notice, ...] = ()
    revision: str | None = None  # of the model's checkpoint, if it has one
    profile: str | None = None  # the format of its weights, if there is a choice

    @property
    def structured(self) -> Structured:
        """An answer by a schema as data; what was cut off is none.

        Raises `UsageError` (`unsupported_schema`) for one that few readers of JSON take.
        """
        if self.finish == "length":
            return Structured(None, self.finish)
        try:
            json.dumps(json.loads(self.text), allow_nan=False)
        except (ValueError, RecursionError) as error:
            raise UsageError(
                "The model wrote data that few readers of JSON take: a number with too many "
                "digits, or too many lists in each other. Give the schema's numbers a 'minimum' "
                "and a 'maximum', and let it not refer to itself.",
                code="unsupported_schema",
            ) from error
        return Structured(self.text, self.finish)


def check_stop_of_schema(stop: Sequence[str], schema: str | None) -> None:
    """Raise `UsageError` (`unsupported_option`) for stop strings beside a schema."""
    if stop and schema is not None:
        raise UsageError(
            "'stop' could end an answer before its JSON is complete. Leave it out of a question "
            "with a schema.",
            code="unsupported_option",
        )
