"""The prompt that asks for a transcript (voxtral-model.md A.5)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from pydantic_extra_types.language_code import LanguageAlpha2

from voxgate.errors import UnsupportedLanguageError
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN

if TYPE_CHECKING:
    from voxgate.voxtral.tokenizer import Tokenizer

TOKENS_PER_CHUNK = ENCODER_POSITIONS // FRAMES_PER_TOKEN  # 375: one for each 80 ms of 30 s


def transcription_prompt(
    tokenizer: Tokenizer, chunks: int, language: str | None = None
) -> list[int]:
    """`<s> [INST] [BEGIN_AUDIO] [AUDIO]… [/INST] lang:xx [TRANSCRIBE]`, as ids.

    Without a language the tag is left out and the model finds the language by itself, silently.
    Raises `UnsupportedLanguageError` for a code that is not in ISO 639-1.
    """
    return [
        tokenizer.bos,
        tokenizer.inst,
        tokenizer.begin_audio,
        *[tokenizer.audio] * (TOKENS_PER_CHUNK * chunks),
        tokenizer.end_inst,
        *(tokenizer.encode(f"lang:{_known(language)}") if language is not None else ()),
        tokenizer.transcribe,
    ]


def _known(language: str) -> str:
    code = language.lower()
    try:
        _codes().validate_python(code)
    except ValidationError:
        raise UnsupportedLanguageError(
            f"'{language[:40]}' is no language code of two letters (ISO 639-1). Write for instance "
            f"en for English or fr for French, or leave it out."
        ) from None
    return code


@cache
def _codes() -> TypeAdapter[LanguageAlpha2]:
    """The reference's own check of a code."""
    return TypeAdapter(LanguageAlpha2)
