"""The texts that a model is asked beside a recording."""

from __future__ import annotations

from voxgate.answers.instructions import SUMMARY, extraction

SCHEMA = '{\n  "type": "object",\n  "properties": {"größe": {"type": "number"}}\n}'


def test_an_extraction_has_the_schema_in_as_few_characters_as_possible() -> None:
    text = extraction(SCHEMA)
    assert text.endswith('\n\n{"type":"object","properties":{"größe":{"type":"number"}}}')


def test_a_description_stands_before_the_schema_and_an_empty_one_leaves_no_trace() -> None:
    assert "recording. The caller's sizes. Answer" in extraction(SCHEMA, " The caller's sizes.\n")
    assert extraction(SCHEMA, "  ") == extraction(SCHEMA)


def test_answers_are_in_the_language_of_the_recording() -> None:
    for text in (SUMMARY, extraction(SCHEMA)):
        assert "in the language of the recording" in text
