"""Exchanges: a prompt and its answer, of a transcription, a question about sound, or about text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.digits.tekken import Control

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.random import Generator

    from training.digits.questions import Form
    from training.digits.tekken import Words

IGNORED = -100
"""The target that cross entropy ignores."""


@dataclass(frozen=True)
class Piece:
    """Token ids, and the number of the digit that they say or decide on, from 1, or IGNORED."""

    ids: list[int]
    ordinal: int = IGNORED


@dataclass(frozen=True)
class Exchange:
    """The pieces of a prompt and of its answer, which ends with END."""

    prompt: list[Piece]
    answer: list[Piece]


def transcription(
    words: Words, digits: Sequence[int], audio_tokens: int, *, english: bool
) -> Exchange:
    """The transcription prompt, and the digits in words."""
    prompt = words.prompt(audio_tokens, english=english)
    return Exchange([Piece(prompt)], [*_spoken(words, digits), _end(digits)])


def about_sound(
    words: Words, digits: Sequence[int], audio_tokens: int, question: list[int], form: Form
) -> Exchange:
    """A question after a sound."""
    begin = [Control.BEGIN, Control.INSTRUCTION, Control.BEGIN_AUDIO]
    sound = [*map(int, begin), *[int(Control.AUDIO)] * audio_tokens]
    asked = [*question, int(Control.INSTRUCTION_END)]
    return Exchange([Piece(sound), Piece(asked)], _answer(words, digits, form))


def about_text(
    words: Words, digits: Sequence[int], random: Generator, question: list[int], form: Form
) -> Exchange:
    """A question about a text: the digits in words, with or without the times of its lines."""
    text = list(_lines(words, digits, random))
    asked, between = Piece(question), Piece(words.encode("\n\n"))
    parts = [*text, between, asked] if random.random() < 0.5 else [asked, between, *text]
    return Exchange(_without_sound(parts), _answer(words, digits, form))


def about_transcript(
    words: Words, digits: Sequence[int], random: Generator, question: list[int], form: Form
) -> Exchange:
    """A question about a transcript as Voxgate writes it (`voxgate.pipeline.question_words`)."""
    seconds = int(random.integers(1, 3600))
    parts = [
        Piece(words.encode(f"Transcript of a recording of {_clock(seconds)}:\n\n")),
        *(_paragraphs(words, digits, seconds, random)),
        Piece(words.encode("\n\n(End of the transcript.)\n\n")),
        Piece(question),
    ]
    return Exchange(_without_sound(parts), _answer(words, digits, form))


def _without_sound(parts: list[Piece]) -> list[Piece]:
    begin = Piece([int(Control.BEGIN), int(Control.INSTRUCTION)])
    return [begin, *parts, Piece([int(Control.INSTRUCTION_END)])]


def _answer(words: Words, digits: Sequence[int], form: Form) -> list[Piece]:
    if form == "data":
        return [*_data(words, digits), _end(digits)]
    if form == "count":
        return [Piece(words.encode(str(len(digits)))), Piece([int(Control.END)])]
    if not digits:
        return [Piece(words.encode("none"), 1), Piece([int(Control.END)])]
    return [*_spoken(words, digits), _end(digits)]


def _spoken(words: Words, digits: Sequence[int]) -> Iterable[Piece]:
    for number, digit in enumerate(digits, 1):
        yield Piece(words.word(digit, first=number == 1), number)


def _data(words: Words, digits: Sequence[int]) -> Iterable[Piece]:
    """`{"digits":[3,1,4]}`: a comma decides that there is one more digit."""
    yield Piece(words.encode('{"digits":['), 1)
    for number, digit in enumerate(digits, 1):
        if number > 1:
            yield Piece(words.encode(","), number)
        yield Piece(words.encode(str(digit)), number)
    yield Piece(words.encode("]}"), len(digits) + 1)


def _end(digits: Sequence[int]) -> Piece:
    return Piece([int(Control.END)], len(digits) + 1)


def _lines(words: Words, digits: Sequence[int], random: Generator) -> Iterable[Piece]:
    """The digits in words, in one line or several, each with its time or none."""
    stamped = random.random() < 0.5
    seconds = 0
    for number, digit in enumerate(digits, 1):
        new_line = number == 1 or random.random() < 0.2
        if new_line:
            line = "\n" if number > 1 else ""
            stamp = f"[00:{seconds // 60:02}:{seconds % 60:02}]" if stamped else ""
            if line or stamp:
                yield Piece(words.encode(line + stamp))
            seconds += int(random.integers(1, 60))
        yield Piece(words.word(digit, first=new_line and not stamped), number)


def _paragraphs(
    words: Words, digits: Sequence[int], seconds: int, random: Generator
) -> Iterable[Piece]:
    """The digits in words, in paragraphs of up to eight that begin with their time."""
    if not digits:
        yield Piece(words.encode("(Nobody speaks in this recording.)"))
    at, left = 0, 0
    for number, digit in enumerate(digits, 1):
        if not left:
            left = int(random.integers(1, 9))
            yield Piece(words.encode(("\n\n" if number > 1 else "") + f"[{_clock(at)}]"))
            at = int(random.integers(at, seconds + 1))
        yield Piece(words.word(digit, first=False), number)
        left -= 1


def _clock(seconds: int) -> str:
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
