"""What is wrong with a value, in plain words.

Pydantic checks the fields of requests, and for typer the options of commands. Its messages are for
those who write the models.
"""

from __future__ import annotations

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
