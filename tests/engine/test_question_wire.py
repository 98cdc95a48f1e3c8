"""The question of a request, as it travels in a header."""

import json
from typing import Any

import pytest

from tests.failures import raises
from voxgate.answers.values import Message, Question, SoundPart, TextPart
from voxgate.engine.protocol import HEAD_BYTES
from voxgate.engine.question_wire import MAX_QUESTION, decode_question, encode_question
from voxgate.errors import UsageError
from voxgate.transcript.values import Options

ASKED = Message("user", (TextPart("What is said in 東京?"),))


def test_a_question_comes_back_as_it_was() -> None:
    question = Question(
        (
            Message("user", (SoundPart(48_000), TextPart("What is this?"), SoundPart(1))),
            Message("assistant", (TextPart("A bird."),)),
            Message("user", (TextPart("\0 é 🎧 \r\n", may_be_cut=True),)),
        ),
        Options(temperature=0.5, seed=3, max_tokens=20, stop=("\n",)),
        '{"type":"object"}',
    )
    header = encode_question(question)
    assert header.isascii()
    assert header.isprintable()
    assert decode_question(header) == question


def test_what_is_no_text_is_replaced() -> None:
    sent = Question((Message("user", (TextPart("a\ud800b"),)),))
    assert decode_question(encode_question(sent)).messages[0].parts == (TextPart("a�b"),)


def test_the_longest_question_fits_in_a_head() -> None:
    longest = Question((Message("user", (TextPart("é" * MAX_QUESTION),)),))
    assert len(encode_question(longest)) < HEAD_BYTES
    with raises("context_exceeded", match=f"{MAX_QUESTION + 2} characters"):
        encode_question(Question(longest.messages, schema="{}"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "parts": []}]}, "parts"),
        ({"messages": [{"role": "system", "parts": [{"type": "text", "text": "a"}]}]}, "role"),
        ({"messages": [{"role": "user", "parts": [{"type": "sound", "samples": 0}]}]}, "samples"),
        ({"messages": [{"role": "user", "parts": [{"type": "image"}]}]}, "image"),
        ({"options": None}, "options"),
        ({"options": {"temperature": "hot"}}, "temperature"),
        ({"tools": []}, "tools"),
        ({"schema": {}}, "schema"),
    ],
)
def test_anything_else_is_refused_by_its_field(change: dict[str, Any], named: str) -> None:
    fields = json.loads(encode_question(Question((ASKED,)))) | change
    with pytest.raises(UsageError, match=named):
        decode_question(json.dumps(fields))
