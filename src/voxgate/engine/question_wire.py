"""The wire format of a question: a JSON object in ASCII, in a header of the route `/answer`.

The body of the request has the sounds of the question, one after another. Decoding is strict, as in
`protocol`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from voxgate.answers.values import Message, Question, Role, SoundPart, TextPart
from voxgate.engine.protocol import MALFORMED, Wire, WireOptions, to_json, without_unset
from voxgate.errors import UsageError
from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from voxgate.answers.values import Part

QUESTION_HEADER = "voxgate-question"
MAX_QUESTION = 2**19  # characters of its texts and its schema: escaped, they fit in a head


def encode_question(question: Question) -> str:
    """Return the question as JSON in ASCII, for a header.

    A lone surrogate, which is no text, is replaced as in every output. Raises `UsageError`
    (`context_exceeded`) for more text than a header holds.
    """
    parts = [part for each in question.messages for part in each.parts]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    length = sum(map(len, texts)) + len(question.schema or "")
    if length > MAX_QUESTION:
        raise UsageError(
            f"This question has {length} characters, and may have {MAX_QUESTION}. Shorten it.",
            code="context_exceeded",
        )
    messages = [
        {"role": each.role, "parts": [_wire_part(part) for part in each.parts]}
        for each in question.messages
    ]
    fields: dict[str, object] = {
        "messages": messages,
        "options": without_unset(question.options),
        "schema": question.schema,
    }
    return to_json(fields).decode("ascii")


def decode_question(header: str) -> Question:
    """Invert `encode_question`. Raises `UsageError`, which names the field, for anything else."""
    try:
        wire = msgspec.json.decode(header, type=_WireQuestion)
    except MALFORMED as error:
        raise UsageError(
            f"The question of this call is malformed: {error}. It is a JSON object in the header "
            f"{QUESTION_HEADER}, with the fields of `Question`."
        ) from error
    messages = tuple(
        Message(each.role, tuple(part.to_part() for part in each.parts)) for each in wire.messages
    )
    return Question(messages, wire.options.to_options(), wire.schema)


def _wire_part(part: Part) -> dict[str, object]:
    if isinstance(part, SoundPart):
        return {"type": "sound", "samples": part.samples}
    return {"type": "text", "text": encodable(part.text), "may_be_cut": part.may_be_cut}


# --- the question as msgspec decodes it ----------------------------------------------------------


class _WireText(Wire, tag_field="type", tag="text"):
    text: str
    may_be_cut: bool = False

    def to_part(self) -> TextPart:
        return TextPart(self.text, self.may_be_cut)


class _WireSound(Wire, tag_field="type", tag="sound"):
    samples: Annotated[int, Meta(ge=1)]

    def to_part(self) -> SoundPart:
        return SoundPart(self.samples)


class _WireMessage(Wire):
    role: Role
    parts: Annotated[tuple[_WireText | _WireSound, ...], Meta(min_length=1)]


class _WireQuestion(Wire):
    messages: Annotated[tuple[_WireMessage, ...], Meta(min_length=1)]
    options: WireOptions
    schema: str | None = None
