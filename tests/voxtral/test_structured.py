"""Answers by random schemas, against transformers with masks that are computed independently.

The reference is transformers' own `generate` on the same checkpoint, with llguidance's matcher on
mistral-common's tokenizer for it: both read the same schema, and nothing else. Logits that differ
in the last bit would make another choice, so everything is float64. An answer that does not end is
cut off: no decoder is made to end here.
"""

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import llguidance
import numpy as np
import pytest
import torch
from mistral_common.guidance.tokenizer import from_mistral_tokenizer
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tests.answers.random_schemas import draw_schemas
from tests.voxtral.checkpoints import altered
from tests.voxtral.reference import Reference, transformers
from tests.voxtral.signals import chirp
from voxgate.answers.schema import SPACING, grammar_limits
from voxgate.answers.values import Message, SoundPart, TextPart
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import conversation_prompt
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import choose_greedily

DIGITS = Path(__file__).parents[1] / "data" / "voxtral-digits"
SCHEMAS = 100  # with each checkpoint, that is 500 together
SOUNDS = 3
MAX_TOKENS = 24
EOS = 2


class Decoded(NamedTuple):
    ids: list[int]  # without the end token
    finish: str  # stop or length


def accepted_schemas(count: int) -> list[tuple[Any, str]]:
    """So many random schemas, each with its checked text."""
    number = secrets.randbits(32)
    drawn = draw_schemas(4 * count, number)
    print(f"seed {number}: {len(drawn.accepted)} accepted, {drawn.refused} refused")
    return drawn.accepted[:count]


@torch.inference_mode()
def decode(
    model: Voxtral, prompts: Sequence[list[int]], schemas: Sequence[str], audio: Sequence[Any] = ()
) -> list[Decoded]:
    """Answer all prompts in one batch, as an engine does."""
    vocabulary = GuidanceTokenizer(model.tokenizer)
    guidances = [Guidance(vocabulary, schema) for schema in schemas]
    cache = model.new_cache(slots=len(prompts), capacity=len(prompts[0]) + MAX_TOKENS)
    width = model.config.decoder.width
    sounds = run_to_end(model.encode(audio)) if audio else [torch.empty(0, width)] * len(prompts)
    slots = [cache.allocate() for _ in prompts]
    rows = torch.stack(
        [
            run_to_end(model.prefill(cache, slot, prompt, sound))
            for slot, prompt, sound in zip(slots, prompts, sounds, strict=True)
        ]
    )
    answers, running = [Decoded([], "length") for _ in prompts], list(range(len(prompts)))
    for _ in range(MAX_TOKENS):
        choices = choose_greedily(rows, [guidances[index].mask() for index in running])
        going, tokens = [], []
        for index, choice in zip(running, choices, strict=True):
            guidances[index].accept(choice.token)
            if choice.token == EOS:
                answers[index] = answers[index]._replace(finish="stop")
                continue
            answers[index].ids.append(choice.token)
            if guidances[index].finished:
                answers[index] = answers[index]._replace(finish="stop")
                continue
            guidances[index].prepare()
            going.append(index)
            tokens.append(choice.token)
        running = going
        if not running:
            break
        rows = run_to_end(model.step(cache, [slots[index] for index in running], tokens))
    return answers


class Masks(transformers.LogitsProcessor):  # type: ignore[misc]
    """The masks of an independent matcher for each row."""

    def __init__(self, library: Any, schemas: Sequence[str], prompt: int) -> None:
        self._matchers = [
            llguidance.LLMatcher(
                library,
                llguidance.LLMatcher.grammar_from_json_schema(schema, overrides=SPACING),
                limits=grammar_limits(),
            )
            for schema in schemas
        ]
        self._prompt = prompt

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        for row, matcher in enumerate(self._matchers):
            tokens = input_ids[row, self._prompt :].tolist()
            if EOS in tokens:
                continue
            if tokens:
                assert matcher.consume_token(tokens[-1]), matcher.get_error()
            bits = np.unpackbits(
                np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little"
            )
            scores[row, torch.from_numpy(bits[: scores.shape[1]] == 0)] = -torch.inf
        return scores


def reference_ids(
    folder: Path, schemas: Sequence[str], prompts: Sequence[list[int]], **inputs: Any
) -> list[list[int]]:
    """The ids of transformers' `generate`, up to the end token."""
    reference = Reference(folder, torch.float64)
    library = from_mistral_tokenizer(MistralTokenizer.from_file(str(folder / "tekken.json")))
    ids = torch.tensor(prompts)
    found = reference.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=MAX_TOKENS,
        do_sample=False,
        logits_processor=[Masks(library, schemas, ids.shape[1])],
        **inputs,
    )
    added: list[list[int]] = found[:, ids.shape[1] :].tolist()
    return [row[: row.index(EOS)] if EOS in row else row for row in added]


def check(model: Voxtral, schemas: Sequence[Any], answers: Sequence[Decoded]) -> int:
    """Check that every answer that ended is valid, and return how many ended."""
    ended = [each for each in zip(schemas, answers, strict=True) if each[1].finish == "stop"]
    for schema, answer in ended:
        value = json.loads(model.tokenizer.decode(answer.ids))
        jsonschema.Draft202012Validator(schema).validate(value)
    assert all(len(each.ids) == MAX_TOKENS for each in answers if each.finish == "length")
    return len(ended)


def reseed(number: int) -> Any:
    """Return a function that draws all weights anew, in the size that they have."""

    def draw(tensors: dict[str, torch.Tensor]) -> None:
        dice = torch.Generator().manual_seed(number)
        for name, tensor in tensors.items():
            if tensor.dim() > 1 and "embed_positions" not in name:
                tensor.copy_(torch.randn(tensor.shape, generator=dice) * tensor.std())

    return draw


@pytest.mark.parametrize("weights", ["digits", "1", "2", "3", "4"])
def test_answers_are_valid_and_equal_the_references(hf: Path, tmp_path: Path, weights: str) -> None:
    number = secrets.randbits(32)
    print(f"weights {number}")
    folder = DIGITS if weights == "digits" else altered(hf, tmp_path / "model", reseed(number))
    model = Voxtral.load(folder, dtype=torch.float64)
    drawn = accepted_schemas(SCHEMAS)
    schemas, texts = [schema for schema, _ in drawn], [text for _, text in drawn]
    prompts = [
        conversation_prompt(model.tokenizer, [Message("user", (TextPart(f"{index:04d}"),))], [])
        for index in range(SCHEMAS)
    ]
    answers = decode(model, prompts, texts)
    assert check(model, schemas, answers) > SCHEMAS / 2
    for text, answer, expected in zip(
        texts, answers, reference_ids(folder, texts, prompts), strict=True
    ):
        assert answer.ids == expected, text


def test_answers_about_sounds_equal_the_references() -> None:
    model = Voxtral.load(DIGITS, dtype=torch.float64)
    drawn = accepted_schemas(40)[-SOUNDS:]  # the first ones are the simplest
    texts = [text for _, text in drawn]
    sounds = [chirp(2.0 + index) for index in range(SOUNDS)]
    prompts = [
        conversation_prompt(
            model.tokenizer,
            [Message("user", (SoundPart(len(sound)), TextPart(f"{index:04d}")))],
            [1],
        )
        for index, sound in enumerate(sounds)
    ]
    answers = decode(model, prompts, texts, sounds)
    check(model, [schema for schema, _ in drawn], answers)
    reference = Reference(DIGITS)
    features = torch.cat([reference.features(sound) for sound in sounds]).double()
    expected = reference_ids(DIGITS, texts, prompts, input_features=features)
    assert [answer.ids for answer in answers] == expected
