"""A written word as it is spoken: "$43,000" becomes "forty-three thousand dollars".

The decoder can follow letters through the sound, but not digits and symbols. Numbers are spelled by
num2words, in about fifty languages. In another language they stay as they are written.
"""

from __future__ import annotations

import re
from decimal import Decimal

from num2words import num2words

CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
SYMBOLS = "".join(CURRENCIES)
# fmt: off
COMMA_DECIMALS = frozenset((
    "az", "be", "bg", "ca", "cs", "da", "de", "el", "es", "et", "fi", "fr", "hr", "hu", "id", "is",
    "it", "lt", "lv", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "tr", "uk", "vi",
))
# fmt: on
"""The languages that write 1.234,5 rather than 1,234.5."""

MARKS = {  # the words for @ . / - and %, and what stands between hours and minutes
    "en": ("at", "dot", "slash", "dash", "percent", ""),
    "de": ("at", "Punkt", "Schrägstrich", "Bindestrich", "Prozent", "Uhr"),
    "fr": ("arobase", "point", "slash", "tiret", "pour cent", "heures"),
    "es": ("arroba", "punto", "barra", "guion", "por ciento", ""),
    "it": ("chiocciola", "punto", "barra", "trattino", "per cento", "e"),
    "pt": ("arroba", "ponto", "barra", "hífen", "por cento", "e"),
    "nl": ("apenstaartje", "punt", "slash", "streepje", "procent", "uur"),
}
_AT, _DOT, _SLASH, _DASH, _PERCENT, _HOURS = range(6)

LONGEST_NUMBER = 6  # digits without separators; longer ones are read digit by digit
LARGEST_NUMBER = 10**9  # num2words' Amharic never ends for larger ones
_DIGITS = r"\d+(?:[.,\u00a0\u202f']\d+)*"
_HYPHENED = re.compile(rf"-?({_DIGITS})-?")
_MONEY = re.compile(rf"([{SYMBOLS}])({_DIGITS})|({_DIGITS})([{SYMBOLS}])")
_PERCENTAGE = re.compile(rf"({_DIGITS})%")
_TIME = re.compile(r"(\d{1,2})[:h](\d{2})")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th|er|ère|e|ème|º|ª)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:https?://)?((?:[^\s@/]+@)?(?:[a-z0-9-]+\.)+[a-z]{2,}(?:[/?#]\S*)?)", re.IGNORECASE
)
_SEPARATORS = {"@": _AT, ".": _DOT, "/": _SLASH, "-": _DASH}


def spoken(word: str, language: str) -> str:
    """Return a word, without punctuation around it, as it is spoken in a language (ISO 639-1).

    A word without digits that is no address is returned as it is, and so is a number in a language
    that num2words does not know. Symbols are left out in languages that `MARKS` lacks.
    """
    if match := _ADDRESS.fullmatch(word):
        return _address(match[1], language)
    if not any(map(str.isdigit, word)):
        return word
    return _special_number(word, language) or _with_numbers(word, language)


def _special_number(word: str, language: str) -> str | None:
    """Return an amount of money, a share, a time of day or an ordinal; None for anything else."""
    if match := _MONEY.fullmatch(word):
        return _money(match[2] or match[3], match[1] or match[4], language)
    if match := _PERCENTAGE.fullmatch(word):
        return f"{_number(match[1], language)} {_mark(_PERCENT, language)}".rstrip()
    if match := _TIME.fullmatch(word):
        return _time(match[1], match[2], language)
    if match := _ORDINAL.fullmatch(word):
        return _words(Decimal(match[1]), language, to="ordinal")
    return None


def _address(address: str, language: str) -> str:
    parts = re.split(r"([@./-])", address)
    words = (
        _mark(_SEPARATORS[part], language) if part in _SEPARATORS else _with_numbers(part, language)
        for part in parts
        if part
    )
    return " ".join(filter(None, words))


def _with_numbers(word: str, language: str) -> str:
    """Return a word with its numbers as words of their own: `GPT-4` is "GPT four"."""
    spelled = _HYPHENED.sub(lambda match: f" {_number(match[1], language)} ", word)
    return " ".join(spelled.split())


def _money(digits: str, symbol: str, language: str) -> str | None:
    """Return an amount with its currency; cents only where there are any."""
    amount = _value(digits, language)
    if amount is None:
        return None
    text = _words(
        amount, language, to="currency", currency=CURRENCIES[symbol], separator=" |"
    ) or _words(amount, language)
    if text is None:
        return None
    whole, _, cents = text.partition("|")
    return " ".join((whole if amount == int(amount) else f"{whole} {cents}").split())


def _time(hours: str, minutes: str, language: str) -> str:
    between = _mark(_HOURS, language)
    late = "" if int(minutes) == 0 else _number(minutes.lstrip("0"), language)
    if not between and not late:
        between = "o'clock" if language == "en" else ""
    return " ".join(f"{_number(hours.lstrip('0') or '0', language)} {between} {late}".split())


def _number(digits: str, language: str) -> str:
    """Return a number in words: a year, a count, or digit by digit; as written without words."""
    value = _value(digits, language)
    if value is None:
        return digits
    if digits.isdecimal() and (
        len(digits) > LONGEST_NUMBER or (digits[0] == "0" and digits != "0")
    ):
        each = [_words(Decimal(digit), language) for digit in digits]
        return " ".join(word for word in each if word) or digits
    is_year = digits.isdecimal() and len(digits) == 4 and language in MARKS
    return _words(value, language, to="year" if is_year else "cardinal") or digits


def _value(digits: str, language: str) -> Decimal | None:
    """Return the number, by the language's separators of thousands and decimals."""
    thousands, decimal = (".", ",") if language in COMMA_DECIMALS else (",", ".")
    for space in ("\u00a0", "\u202f", "'", thousands):
        digits = digits.replace(space, "")
    whole, _, rest = digits.partition(decimal)
    if not (whole.isdecimal() and (rest.isdecimal() or not rest)):
        return None  # such as a version, 1.2.3
    return Decimal(f"{whole}.{rest}" if rest else whole)


def _words(value: Decimal, language: str, **form: str) -> str | None:
    """Return num2words' spelling; None where it has none for the language or the number."""
    if value > LARGEST_NUMBER:
        return None
    number = int(value) if form.get("to") in {"ordinal", "year"} else value
    try:
        text: str = num2words(number, lang=language, **form)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # num2words raises any of these for what a language lacks
    return text


def _mark(index: int, language: str) -> str:
    return MARKS[language][index] if language in MARKS else ""
