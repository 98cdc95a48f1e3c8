"""The prompt for a transcription (voxtral-model.md A.5)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from pydantic_extra_types.language_code import LanguageAlpha2

from voxgate.errors import UsageError
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN

if TYPE_CHECKING:
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
