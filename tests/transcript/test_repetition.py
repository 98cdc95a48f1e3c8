"""Loops are found in every script, and what people really say is none."""

from __future__ import annotations

import pytest

from voxgate.transcript.repetition import repeated

GETTYSBURG = (
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, "
    "conceived in Liberty, and dedicated to the proposition that all men are created equal. "
    "Now we are engaged in a great civil war, testing whether that nation, or any nation so "
    "conceived and so dedicated, can long endure. We are met on a great battle-field of that "
    "war. We have come to dedicate a portion of that field, as a final resting place."
)
WEEK = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday "


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("So we went home. " + "Thank you. " * 6, "thank you"),
        ("And then he said, I am, I am, I AM, I am, I am, I am, I am, I am, I am, I", "i am"),
        ("ご視聴ありがとうございました。" * 5, "ご視聴ありがとうございました"),
        ("спасибо " * 8, "спасибо"),
        ("I think that this is what we should do about it. " * 5 + "Well.", None),
    ],
    ids=["at the end", "cut off", "Japanese", "Russian", "a sentence"],
)
def test_what_is_said_again_and_again_is_named(text: str, unit: str | None) -> None:
    found = repeated(text)
    assert found
    assert unit in {None, found}


def test_a_loop_that_changes_each_time_compresses() -> None:
    text = " ".join(
        f"The {color} of the house of the {color} of the house is" for color in "abcdefgh"
    )
    assert repeated(text) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "No, no, no, no, no, no, no, no, no!",
        "Ha ha ha ha ha ha ha ha!",
        "Hahahahahahahahahahahahahahahahahaha".replace("a", "a ")[:38],
        "It costs 1,000,000,000,000,000,000 dollars, www.www.www, and that is all.",
        "Row, row, row your boat, gently down the stream, merrily, merrily, merrily, merrily.",
        " ".join(str(number) for number in range(1, 200)),
        WEEK * 2,
        GETTYSBURG,
    ],
)
def test_what_people_say_is_no_loop(text: str) -> None:
    assert repeated(text) is None
