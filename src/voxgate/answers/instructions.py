"""The texts that a model is asked beside a recording. They are all here, in plain English.

A model hears the recording or reads its words, so a text says "recording" for both. Whatever its
own language, an answer is in the recording's: who reads a summary mostly knows the language that
was spoken, and names and terms stay as they were said.
"""

from __future__ import annotations

import json

IN_ITS_LANGUAGE = "in the language of the recording"

SUMMARY = (
    f"Summarise this recording {IN_ITS_LANGUAGE}. Begin with one sentence that says what it is "
    "about. Then say in short sentences what was said, in its order: the subjects, the decisions, "
    "and what somebody is to do. Say only what was said."
)
"""What asks for a summary of a recording."""


def extraction(schema: str, description: str = "") -> str:
    """Return what asks for a recording's data.

    `schema` is the text of the JSON schema that the answer is to follow: its names and descriptions
    say what is wanted. `description` says more of it, where the caller does.
    """
    compact = json.dumps(json.loads(schema), ensure_ascii=False, separators=(",", ":"))
    wanted = f" {description.strip()}" if description.strip() else ""
    return (
        f"Extract data from this recording.{wanted} Answer with one JSON value by the JSON schema "
        f"below, and with nothing else. Write texts {IN_ITS_LANGUAGE}, unless the schema asks for "
        f"another one. Use only what was said: where the schema allows it, leave out what was not, "
        f"or write null or an empty list.\n\n{compact}"
    )
