"""Questions about spoken digits, in many words, so that the model depends on none of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, TypeAlias

from training.digits.tekken import CONTROLS, VOCABULARY
from voxgate.answers.instructions import SUMMARY, extraction

if TYPE_CHECKING:
    from numpy.random import Generator

    from training.digits.stages import Stage
    from training.digits.tekken import Words

Form: TypeAlias = Literal["data", "words", "count"]
"""An answer: `{"digits":[3,1,4]}`, `three one four`, or `3`."""

DATA = (
    "Extract the digits as JSON by this schema: {schema}",
    "Answer with JSON that this schema allows, and nothing else:\n{schema}",
    "Fill in this JSON schema with what is said in the recording.\n\n{schema}",
    "Return the data of the recording as one JSON object. Its JSON schema:\n{schema}",
    "{schema}\nGive the digits as an object of this schema.",
    "Reply only with JSON. The schema is {schema}",
    "What is said, as JSON: {schema}",
    "Give the digits as JSON.",
    "Write the digits as a JSON object.",
    "List the spoken digits in JSON, in order.",
    'Answer as {"digits": [...]}.',
    'Put the digits in a list called "digits".',
    "JSON, please: which digits do you hear?",
    "Convert the recording to data.",
    "As JSON",
)

WORDS = (
    "Which digits are said?",
    "What is said?",
    "What do you hear?",
    "What did the speaker say?",
    "Repeat what is said in this recording.",
    "Please write down the digits in words.",
    "Which numbers does the speaker say, in order?",
    "Tell me the digits.",
    "Read the digits back to me.",
    "Write down every word that you hear.",
    SUMMARY,
    "Summarize the recording.",
    "Give a short summary of what is said.",
    "What is this recording about?",
    "Name the digits in their order.",
)

COUNT = (
    "How many digits are said?",
    "How many words are there?",
    "Count the digits.",
    "How many numbers does the speaker say?",
    "What is the number of spoken digits?",
    "How many digits do you hear? Answer with a number.",
    "Tell me how many digits are in the recording.",
    "Count what is said.",
)

ODD = 0.3
"""Share of the questions with tokens around them, or in their place, that mean nothing here."""


def draw(words: Words, stage: Stage, random: Generator) -> tuple[list[int], Form]:
    """Draw a question, as token ids, and the form of its answer."""
    others = 1 - stage.data
    forms: list[Form] = ["data", "words", "count"]
    form: Form = random.choice(forms, p=[stage.data, 0.75 * others, 0.25 * others])
    question = words.encode(_text(form, stage, random))
    if random.random() >= ODD:
        return question, form
    odd = random.integers(CONTROLS, VOCABULARY, int(random.integers(1, 60))).tolist()
    if form != "count" and random.random() < 0.5:
        return odd, form  # any answer is as good, and its beginning decides how it goes on
    return ([*odd, *question] if random.random() < 0.5 else [*question, *odd]), form


def _text(form: Form, stage: Stage, random: Generator) -> str:
    if form == "words":
        return str(random.choice(WORDS))
    if form == "count":
        return str(random.choice(COUNT))
    schema = _schema(random)
    if random.random() < stage.own:
        return extraction(schema)
    return str(random.choice(DATA)).replace("{schema}", schema)


def _schema(random: Generator) -> str:
    """Draw one of the ways to write the schema of an object with the list `digits`."""
    items: dict[str, object] = {"type": "integer"}
    if random.random() < 0.7:
        items |= {"minimum": 0, "maximum": 9}
    digits: dict[str, object] = {"type": "array", "items": items}
    if random.random() < 0.2:
        digits["description"] = "the digits in the order in which they are said"
    schema: dict[str, object] = {"type": "object", "properties": {"digits": digits}}
    if random.random() < 0.8:
        schema["required"] = ["digits"]
    if random.random() < 0.7:
        schema["additionalProperties"] = False
    if random.random() < 0.2:
        schema = {"title": "Digits", **schema}
    compact = random.random() < 0.6
    return json.dumps(
        schema,
        separators=(",", ":") if compact else None,
        sort_keys=bool(random.random() < 0.2),
    )
