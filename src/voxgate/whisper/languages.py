"""The languages of Whisper, in the order of their tokens.

Source: `LANGUAGES` in whisper/tokenizer.py of openai/whisper. The codes are those of ISO 639-1, but
for Hawaiian (`haw`) and Cantonese (`yue`), which have codes of ISO 639-3 only. Javanese is `jw` in
the vocabulary and `jv` here.
"""

from __future__ import annotations

ENGLISH_ONLY = ("en",)
# fmt: off
MULTILINGUAL = (
    "en", "zh", "de", "es", "ru", "ko", "fr", "ja", "pt", "tr", "pl", "ca", "nl", "ar", "sv",
    "it", "id", "hi", "fi", "vi", "he", "uk", "el", "ms", "cs", "ro", "da", "hu", "ta", "no",
    "th", "ur", "hr", "bg", "lt", "la", "mi", "ml", "cy", "sk", "te", "fa", "lv", "bn", "sr",
    "az", "sl", "kn", "et", "mk", "br", "eu", "is", "hy", "ne", "mn", "bs", "kk", "sq", "sw",
    "gl", "mr", "pa", "si", "km", "sn", "yo", "so", "af", "oc", "ka", "be", "tg", "sd", "gu",
    "am", "yi", "lo", "uz", "fo", "ht", "ps", "tk", "nn", "mt", "sa", "lb", "my", "bo", "tl",
    "mg", "as", "tt", "haw", "ln", "ha", "ba", "jv", "su",
)
# fmt: on
WITH_CANTONESE = (*MULTILINGUAL, "yue")

_BY_VOCABULARY = {51864: ENGLISH_ONLY, 51865: MULTILINGUAL, 51866: WITH_CANTONESE}
_TOKENS = {"jv": "jw"}
_CODES = {token: code for code, token in _TOKENS.items()}


def languages_by_vocabulary(tokens: int) -> tuple[str, ...]:
    """Return the codes of the languages of a model whose vocabulary has so many tokens.

    A vocabulary that was extended has the languages of the largest published one that it contains.
    """
    sizes = [size for size in _BY_VOCABULARY if size <= tokens]
    return _BY_VOCABULARY[max(sizes, default=min(_BY_VOCABULARY))]


def token_of(code: str) -> str:
    """Return the name in the vocabulary of a language."""
    return _TOKENS.get(code, code)


def code_of(token: str) -> str:
    """Return the code of a language by its name in the vocabulary."""
    return _CODES.get(token, token)
