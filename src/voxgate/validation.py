"""What is wrong with a value, and the value itself, in plain words.

Pydantic checks the fields of requests, and for typer the options of commands. Its messages are for
those who write the models.
"""

from __future__ import annotations

from typing import Any

SHOWN_CHARACTERS = 100

_PLAIN = {
    "Field required": "is required",
    "Value error, ": "",
    "Input ": "",
    "String should": "should",
    "List should": "should",
    " after validation": "",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    ", unable to interpret input": "",
    ", got a number with a fractional part": "",
    "a valid integer": "a whole number",
    "a valid number": "a number",
    "a valid boolean": "true or false",
    "a valid string": "a text",
    "a valid list": "a list",
    "a valid dictionary": "an object",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
}


def plain_reason(message: str) -> str:
    """Return pydantic's message as the rest of a sentence whose subject is the value's name."""
    for words, plain in _PLAIN.items():
        message = message.replace(words, plain)
    return message[:1].lower() + message[1:]


def shown(value: Any) -> str:
    """Return a value for a sentence, as its file has it; a table or a list is named as such."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, (str, int)) else str(value)
    return text[:SHOWN_CHARACTERS]
