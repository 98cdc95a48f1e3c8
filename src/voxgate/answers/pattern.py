r"""Regular expressions of schemas, so that every reader of a schema agrees about an answer.

A schema's patterns are JavaScript's; Python reads `\s` and `.` otherwise, and Rust, in which
llguidance is written, some more. `portable_pattern` keeps what all three read alike, and replaces
a class of characters by the characters that are in it for all of them. Text that matches the result
matches the pattern, whoever reads it.
"""

from __future__ import annotations

import re

LARGEST_REPEAT = 1_000
"""The largest number in `{…}`: larger ones take long to compile."""

CONTROLS = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f]")
"""What JSON has no short escape for. Answers have no long ones, and llguidance passes it over."""

_TOKEN = re.compile(
    r"""(?P<escape>\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[pP]\{[A-Za-z_=]+\}|.|$))
      | (?P<group>\(\?(?:P?<(?![=!])\w*>|.|$))
      | (?P<repeat>(?:[*+?]|\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\})\??(?P<again>[*+?{]?))
      | (?P<open>\[\^?)
      | (?P<plain>.)""",
    re.VERBOSE | re.DOTALL,
)
_SPACE = r"\t\n\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_ANY_SPACE = _SPACE + r"\x0b\x1c-\x1f\u0085\ufeff"
_WORD, _ANY_WORD = r"A-Za-z0-9_", r"\p{L}\p{N}\p{M}_"

_NARROW = {  # what is in the class for every reader
    "d": "0-9",
    "w": _WORD,
    "s": _SPACE,
    "D": r"\P{Nd}",
    "W": f"[^{_ANY_WORD}]",
    "S": f"[^{_ANY_SPACE}]",
}
_WIDE = {  # what is in the class for any reader
    "d": r"\p{Nd}",
    "w": _ANY_WORD,
    "s": _ANY_SPACE,
    "D": "[^0-9]",
    "W": f"[^{_WORD}]",
    "S": f"[^{_SPACE}]",
}
_CHARACTER = r"[^\n\r\u2028\u2029]"  # `.`
_SAME = frozenset("tnrf")  # escapes that mean the same to all


def portable_pattern(pattern: str) -> str:
    """Return a pattern for llguidance that matches nothing which the given one does not match.

    Raises `ValueError` with the reason, a clause, for what some reader does not know or reads
    otherwise.
    """
    if CONTROLS.search(pattern):
        raise ValueError("a control character is never in an answer")
    parts, at = list[str](), 0
    while at < len(pattern):
        token = _token(pattern, at)
        at = token.end()
        if token["escape"]:
            parts.append(_escape(token["escape"], _NARROW, in_class=False))
        elif token["group"]:
            parts.append(_group(token["group"]))
        elif token["repeat"]:
            parts.append(_repeat(token))
        elif token["open"]:
            body, at = _class(pattern, at, negated=token["open"] == "[^")
            parts += (token["open"], body, "]")
        elif token["plain"] in "{}]":
            raise ValueError(f"'{token['plain']}' stands alone there: write \\{token['plain']}")
        else:
            parts.append(_CHARACTER if token["plain"] == "." else token["plain"])
    return "".join(parts)


def _token(pattern: str, at: int) -> re.Match[str]:
    return next(_TOKEN.finditer(pattern, at))  # there is always one: `plain` is any character


def _escape(text: str, classes: dict[str, str], *, in_class: bool) -> str:
    name = text[1:2]
    if name in classes:
        return classes[name] if in_class or name == "D" else _bracketed(classes[name])
    coded = len(text) > 2 and name in ("x", "u")
    if coded and CONTROLS.match(text.encode().decode("unicode_escape")):
        raise ValueError(f"'{text}' is a control character, which is never in an answer")
    if len(text) > 2 or name in _SAME:
        return text
    if name == "b" and in_class:
        return r"\x08"
    if not name or name.isalnum():
        raise ValueError(f"'{text}' is not known there")
    return name if name in "<>" or not name.isascii() else text


def _bracketed(body: str) -> str:
    return body if body.startswith("[") else f"[{body}]"


def _group(text: str) -> str:
    if text == "(?:":
        return text
    if text.endswith(">"):
        return "("  # its name has no use here
    raise ValueError(f"'{text}' is not known there: neither look-arounds nor flags are")


def _repeat(token: re.Match[str]) -> str:
    if token["again"]:
        raise ValueError(f"'{token['repeat']}' repeats what is repeated")
    for number in (token["least"], token["most"]):
        if number and int(number[:9]) > LARGEST_REPEAT:
            raise ValueError(f"'{token['repeat']}' has more than {LARGEST_REPEAT} repetitions")
    return token["repeat"]


def _class(pattern: str, at: int, *, negated: bool) -> tuple[str, int]:
    """Return the body of the class that starts there, and the position after its end."""
    classes, parts = (_WIDE if negated else _NARROW), list[str]()
    while at < len(pattern):
        character = pattern[at]
        if character == "]":
            if not parts:
                raise ValueError("a class of characters is empty")
            return "".join(parts), at + 1
        if character == "[" or pattern[at : at + 2] in ("&&", "--", "~~"):
            raise ValueError(
                f"'{pattern[at : at + 2]}' is in a class of characters: write \\{character}"
            )
        if character == "\\":
            token = _token(pattern, at)
            parts.append(_escape(token["escape"], classes, in_class=True))
            at = token.end()
        else:
            parts.append(rf"\{character}" if character in "^&~" else character)
            at += 1
    raise ValueError("a class of characters has no end")
