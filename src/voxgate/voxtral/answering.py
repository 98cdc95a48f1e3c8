"""`AnswerState`: the decoding of an answer to a question about sounds and texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from voxgate.answers.values import MOST_ANSWER_TOKENS, TextPart, check_stop_of_schema
from voxgate.errors import UsageError
from voxgate.voxtral.decoding import DecodingState, check_max_tokens
from voxgate.voxtral.features import count_chunks, prepare_samples
from voxgate.voxtral.prompt import TOKENS_PER_CHUNK, conversation_prompt
from voxgate.voxtral.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np
    from torch import Tensor

    from voxgate.answers.values import Message, Part, Question
    from voxgate.voxtral.guidance import Guidance
    from voxgate.voxtral.tokenizer import Tokenizer

LEAST_SHARE = 4
"""Where a text is cut and the caller names no number, the answer has this part of a small slot."""


class AnswerState(DecodingState):
    """An answer that ends with its end token, at a stop string, or where its slot is full."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        question: Question,
        sounds: Sequence[np.ndarray | Sequence[float] | Tensor],
        capacity: int,
        guidance: Callable[[str], Guidance],
    ) -> None:
        """Fit a question, with the samples of each of its sounds, into a slot of `capacity`.

        `guidance` is called with the question's schema, if it has one. Raises `UsageError` for a
        conversation that does not end with a user's message, for a sound of another's, and for
        values out of range; `UsageError` (`unsupported_option`) for `stop` beside a schema, and
        `UsageError` (`context_exceeded`) where it does not fit even without its texts that may be
        cut.
        """
        _check_conversation(question.messages)
        options = question.options
        check_max_tokens(options.max_tokens)
        check_stop_of_schema(options.stop, question.schema)
        samples = [prepare_samples(sound) for sound in sounds]
        chunks = [count_chunks(sound) for sound in samples]
        self.audio_tokens = TOKENS_PER_CHUNK * sum(chunks)
        fitted = fit_prompt(tokenizer, question.messages, chunks, options.max_tokens, capacity)
        self.unread = fitted.unread
        super().__init__(
            tokenizer,
            fitted.ids,
            samples,
            fitted.max_tokens,
            stop=options.stop,
            sampling=Sampling.from_options(options),
            guidance=None if question.schema is None else guidance(question.schema),
        )


class FittedPrompt(NamedTuple):
    """A prompt that leaves room for its answer."""

    ids: list[int]
    max_tokens: int  # of the answer
    unread: int = 0  # characters of texts that may be cut which are not in the prompt


def fit_prompt(
    tokenizer: Tokenizer,
    messages: Sequence[Message],
    chunks: Sequence[int],
    max_tokens: int | None,
    capacity: int,
) -> FittedPrompt:
    """Return the prompt of a conversation whose sounds have so many chunks, and room for an answer.

    The answer has room for `max_tokens`, or for `MOST_ANSWER_TOKENS` where that is None: fewer
    where no more fit and no text may be cut. Of several texts that may be cut the longest lose
    their ends, so that no one loses more than the others keep. Raises `UsageError`
    (`context_exceeded`) where the rest does not fit.
    """
    room = capacity - (max_tokens or min(MOST_ANSWER_TOKENS, capacity // LEAST_SHARE))
    texts = [tokenizer.encode(text) for text in _texts_to_cut(messages)]
    rest = conversation_prompt(tokenizer, _cut_texts(tokenizer, messages, texts, 0), chunks)
    if not any(texts) and len(rest) < capacity and (max_tokens is None or len(rest) <= room):
        return FittedPrompt(rest, max_tokens or min(MOST_ANSWER_TOKENS, capacity - len(rest)))
    limit = _largest_limit(list(map(len, texts)), room - len(rest))
    while limit > 0:
        cut = _cut_texts(tokenizer, messages, texts, limit)
        ids = conversation_prompt(tokenizer, cut, chunks)
        if len(ids) <= room:
            most = max_tokens or min(MOST_ANSWER_TOKENS, capacity - len(ids))
            return FittedPrompt(ids, most, _characters(messages) - _characters(cut))
        limit -= 1  # a text has other tokens at its ends than it has alone
    audio_tokens = TOKENS_PER_CHUNK * sum(chunks)
    raise _does_not_fit(len(rest), any(texts), audio_tokens, room, capacity)


def _check_conversation(messages: Sequence[Message]) -> None:
    if not messages or messages[-1].role != "user":
        raise UsageError("The last message of a question must be a user's: it is answered.")
    for message in messages:
        if message.role != "user" and not all(isinstance(part, TextPart) for part in message.parts):
            raise UsageError("Only a user's message can have a sound. Send the model's as text.")


def _texts_to_cut(messages: Iterable[Message]) -> list[str]:
    parts = [part for message in messages for part in message.parts]
    return [part.text for part in parts if isinstance(part, TextPart) and part.may_be_cut]


def _characters(messages: Iterable[Message]) -> int:
    return sum(map(len, _texts_to_cut(messages)))


def _largest_limit(lengths: Sequence[int], budget: int) -> int:
    """Return the largest number of tokens for each text with which all are within the budget."""
    left = budget
    for index, length in enumerate(sorted(lengths)):
        share = left // (len(lengths) - index)
        if length > share:
            return share
        left -= length
    return max(lengths, default=0)


def _cut_texts(
    tokenizer: Tokenizer, messages: Iterable[Message], texts: Iterable[Sequence[int]], limit: int
) -> list[Message]:
    """Return the messages with at most so many of the tokens of each text that may be cut.

    `texts` are the tokens of these texts, in order. A text ends with a whole character.
    """
    tokens = iter(texts)

    def cut(part: Part) -> Part:
        if isinstance(part, TextPart) and part.may_be_cut and len(ids := next(tokens)) > limit:
            data = b"".join(map(tokenizer.token_bytes, ids[:limit]))
            return replace(part, text=data.decode("utf-8", "ignore"))
        return part

    return [replace(each, parts=tuple(map(cut, each.parts))) for each in messages]


def _does_not_fit(
    tokens: int, is_cut: bool, audio_tokens: int, room: int, capacity: int
) -> UsageError:
    without = ", without what may be left out of it," if is_cut else ""
    return UsageError(
        f"This question{without} has {tokens} tokens, {audio_tokens} of them for its sounds. "
        f"{max(room, 0)} fit: the model takes {capacity} here for a question and its answer, which "
        f"may have {capacity - room}. Ask with less text or sound, or for a shorter answer with "
        f"'max_tokens'; where VOXGATE_CONTEXT_TOKENS is smaller than the model's context, more can "
        f"be allowed.",
        code="context_exceeded",
    )
