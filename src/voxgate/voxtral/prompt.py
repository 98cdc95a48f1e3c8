"""The prompts for a transcription and for a conversation (voxtral-model.md A.5)."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from pydantic_extra_types.language_code import LanguageAlpha2

from voxgate.answers.values import PARAGRAPH, TextPart
from voxgate.errors import UsageError
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.answers.values import Message
    from voxgate.voxtral.tokenizer import Tokenizer

TOKENS_PER_CHUNK = ENCODER_POSITIONS // FRAMES_PER_TOKEN  # 375: one for each 80 ms of 30 s


def transcription_prompt(
    tokenizer: Tokenizer, chunks: int, language: str | None = None
) -> list[int]:
    """`<s> [INST] [BEGIN_AUDIO] [AUDIO]… [/INST] lang:xx [TRANSCRIBE]`, as token ids.

    Without a language the tag is left out: the model detects the language, and does not report it.
    Raises `UsageError` (`unsupported_language`) for a code that is not in ISO 639-1.
    """
    return [
        tokenizer.bos,
        tokenizer.inst,
        tokenizer.begin_audio,
        *[tokenizer.audio] * (TOKENS_PER_CHUNK * chunks),
        tokenizer.end_inst,
        *(tokenizer.encode(f"lang:{_check_language(language)}") if language is not None else ()),
        tokenizer.transcribe,
    ]


def conversation_prompt(
    tokenizer: Tokenizer, messages: Sequence[Message], chunks: Sequence[int]
) -> list[int]:
    """`<s> [INST] … [/INST] … </s> [INST] … [/INST]`, as token ids.

    A user's message is its texts and `[BEGIN_AUDIO] [AUDIO]…` for each sound, in order. `chunks`
    are those of 30 s of each sound of the conversation, in order. As in the reference, messages of
    one side that follow each other are one, and so are texts, with an empty line between them. Text
    never becomes control tokens.
    """
    counts = iter(chunks)
    ids = [tokenizer.bos]
    for role, turn in groupby(messages, key=lambda message: message.role):
        content = list[int]()
        parts = [part for message in turn for part in message.parts]
        for is_text, run in groupby(parts, key=lambda part: isinstance(part, TextPart)):
            if is_text:
                text = PARAGRAPH.join(p.text for p in run if isinstance(p, TextPart) and p.text)
                content += tokenizer.encode(text if role == "user" else text.rstrip(" "))
            else:
                for _ in run:
                    content += [tokenizer.begin_audio]
                    content += [tokenizer.audio] * (TOKENS_PER_CHUNK * next(counts))
        if role == "user":
            ids += [tokenizer.inst, *content, tokenizer.end_inst]
        else:
            ids += [*content, tokenizer.eos]
    return ids


def _check_language(language: str) -> str:
    code = language.lower()
    try:
        _language_codes().validate_python(code)
    except ValidationError:
        raise UsageError(
            f"'{language[:40]}' is not a language code of two letters (ISO 639-1). Use, for "
            f"instance, en for English or fr for French, or leave it out.",
            code="unsupported_language",
        ) from None
    return code


@cache
def _language_codes() -> TypeAdapter[LanguageAlpha2]:
    """Return the reference's own check of a code."""
    return TypeAdapter(LanguageAlpha2)
