"""Texts of others in a terminal or a log: what they may not have there is escaped."""

HARMLESS = "\u00a0\u202f\u3000\u200c\u200d"
"""Spaces and joiners, which are not printable to Python."""


def printable(text: str) -> str:
    """Return the text with control characters and line breaks escaped, as Python writes them."""
    return "".join(
        character
        if character.isprintable() or character in HARMLESS
        else character.encode("unicode_escape").decode()
        for character in text
    )
