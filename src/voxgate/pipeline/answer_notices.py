"""What a caller is told of an answer beside its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.answers.values import TextPart
from voxgate.pipeline.question_words import read_until
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from voxgate.answers.values import Question
    from voxgate.pipeline.answer_plan import AnswerPlan
    from voxgate.pipeline.question_recordings import QuestionRecording


def read_notice(recording: QuestionRecording, plan: AnswerPlan, answerer: str) -> Notice:
    """Return the notice for a recording of which the words were read and the sound not heard."""
    name = recording.name
    writer = recording.transcript.model if recording.transcript else answerer
    if plan.hears_s:
        why = f"{name} makes this question longer than the {plan.hears_s:g} s that {answerer} hears"
    elif plan.hears:
        why = f"{answerer} hears no sound"
    else:
        why = f"{writer} answers no questions"
    return Notice(
        "read_not_heard",
        f"{why}. So {writer} transcribed {name}, and {answerer} read the words: tones and noises "
        f"were not heard.",
    )


def unread_notice(question: Question, unread: int, answerer: str) -> Notice:
    """Return the notice for words that did not fit into the model's context.

    `unread` is the number of their characters.
    """
    parts = (part for message in question.messages for part in message.parts)
    words = [part.text for part in parts if isinstance(part, TextPart) and part.may_be_cut]
    length = sum(map(len, words))
    share = f"{100 * (length - unread) // max(1, length)} % of the words"
    until = f", until about {read_until(words[0], unread)}" if len(words) == 1 else ""
    return Notice(
        "unread_text",
        f"{answerer} read {share}{until}: the rest does not fit into its context. "
        f"Raise VOXGATE_CONTEXT_TOKENS as far as the memory allows, or ask a model with a longer "
        f"context.",
    )


def incomplete_notice(max_tokens: int | None) -> Notice:
    """Return the notice for an answer by a schema that was cut off."""
    why = f"'max_tokens' ({max_tokens})" if max_tokens else "the end of the model's context"
    return Notice(
        "incomplete_answer",
        f"The answer was cut off by {why} and is no complete JSON. Allow more tokens, or ask for "
        f"less.",
    )
