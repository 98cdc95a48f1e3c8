"""The committed checkpoint that answers: digits by a schema, and in words.

That of `test_digits` transcribes alone; this one hears held-out recordings, and is asked.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import jiwer
import pytest
import torch
from torch import Tensor

from tests.spoken_digits import ANSWERS, WORDS, Spoken, phrase, takes
from voxgate.answers.instructions import extraction
from voxgate.answers.schema import checked_schema
from voxgate.answers.values import Message, Question, SoundPart, TextPart
from voxgate.transcript.values import Options
from voxgate.voxtral.decoding import DecodingResult, DecodingState
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.resumable import run_to_end

SCHEMA = checked_schema(
    {
        "type": "object",
        "properties": {
            "digits": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 9},
            }
        },
        "required": ["digits"],
        "additionalProperties": False,
    },
    "'schema'",
)
STRINGS = 120
LONGEST = 8  # digits
BATCH = 12
CAPACITY = 1024
ANSWER = Options(max_tokens=60)


@dataclass(frozen=True)
class Heard:
    """A recording, its audio embeddings [375, width], and the digits in it."""

    spoken: Spoken
    audio: Tensor

    @property
    def digits(self) -> list[int]:
        return [WORDS.index(said.word) for said in self.spoken.said]


@pytest.fixture(scope="module")
def model() -> Voxtral:
    return Voxtral.load(ANSWERS, dtype=torch.float32)


@pytest.fixture(scope="module")
def heard(model: Voxtral) -> list[Heard]:
    """As many strings of each speaker and of each length."""
    rng = random.Random(19)
    speakers = list(takes().values())
    strings = [
        phrase(rng, speakers[n % len(speakers)], 1 + n // len(speakers) % LONGEST)
        for n in range(STRINGS)
    ]
    embeddings = run_to_end(model.encode([spoken.at_16_khz() for spoken in strings]))
    return [Heard(spoken, audio) for spoken, audio in zip(strings, embeddings, strict=True)]


def question(spoken: Spoken, text: str, schema: str | None = None) -> Question:
    parts = (SoundPart(len(spoken.at_16_khz())), TextPart(text))
    return Question((Message("user", parts),), ANSWER, schema)


def answers(
    model: Voxtral, heard: Sequence[Heard], text: str, schema: str | None = None
) -> list[DecodingResult]:
    """What the model answers to a question about each recording."""
    states = [
        model.new_answer(question(each.spoken, text, schema), [each.spoken.at_16_khz()], CAPACITY)
        for each in heard
    ]
    return decoded(model, states, [each.audio for each in heard])


def decoded(
    model: Voxtral, states: Sequence[DecodingState], audio: Sequence[Tensor]
) -> list[DecodingResult]:
    """The results of these states, so many at a time."""
    for first in range(0, len(states), BATCH):
        batch = states[first : first + BATCH]
        cache = model.new_cache(len(batch), max(state.max_positions for state in batch))
        live: dict[int, DecodingState] = {}
        for state, embeddings in zip(batch, audio[first : first + BATCH], strict=True):
            slot = cache.allocate()
            if state.choose_next(run_to_end(model.prefill(cache, slot, state.prompt, embeddings))):
                live[slot] = state
        while live:
            tokens = [state.last_token for state in live.values()]
            logits = run_to_end(model.step(cache, list(live), tokens))
            live = {
                slot: state
                for (slot, state), row in zip(live.items(), logits, strict=True)
                if state.choose_next(row)
            }
    return [state.result() for state in states]


def data(digits: Sequence[int]) -> str:
    return '{"digits":' + json.dumps(digits, separators=(",", ":")) + "}"


def share(results: Sequence[DecodingResult], wanted: Iterable[str]) -> float:
    """How many of these are right as a whole."""
    texts = [result.text for result in results]
    return sum(map(str.__eq__, texts, wanted)) / len(texts)


def test_digits_by_a_schema(model: Voxtral, heard: list[Heard]) -> None:
    results = answers(model, heard, extraction(SCHEMA), SCHEMA)
    assert share(results, [data(each.digits) for each in heard]) >= 0.95


def test_transcripts_are_as_good_as_without_answers(model: Voxtral, heard: list[Heard]) -> None:
    some = heard[::3]
    states = [model.new_decoding(each.spoken.at_16_khz()) for each in some]
    results = decoded(model, states, [each.audio for each in some])
    said, texts = [each.spoken.text for each in some], [result.text for result in results]
    assert jiwer.wer(said, texts) <= 0.03


def test_questions_in_other_words(model: Voxtral, heard: list[Heard]) -> None:
    """None of these is one of those that the model was trained on."""
    some = heard[1::5]
    results = answers(model, some, f"Please fill this in from the sound. {SCHEMA}", SCHEMA)
    assert share(results, [data(each.digits) for each in some]) >= 0.9
    results = answers(model, some, "Which digits do you hear in it?")
    assert share(results, [each.spoken.text for each in some]) >= 0.9


def test_the_checkpoint_is_small_and_names_its_licence() -> None:
    assert sum(file.stat().st_size for file in ANSWERS.iterdir() if file.is_file()) <= 8_000_000
    assert "CC BY-SA 4.0" in (ANSWERS / "LICENSE").read_text(encoding="utf-8")
