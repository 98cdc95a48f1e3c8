"""Masks against those of a matcher on mistral-common's own tokenizer, and the text they allow."""

import json
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import llguidance
import numpy as np
import pytest
import torch
from mistral_common.guidance.tokenizer import from_mistral_tokenizer
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from tests.failures import raises
from voxgate.answers.schema import SPACING, checked_schema, grammar_limits
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.tokenizer import Tokenizer

NOTES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 20},
        "kind": {"enum": ["call", "réunion", "会議 🎧"]},
        "when": {"type": "string", "format": "date"},
        "tasks": {"type": "array", "items": {"$ref": "#/$defs/task"}, "maxItems": 2},
    },
    "required": ["title", "kind", "tasks"],
    "additionalProperties": False,
    "$defs": {
        "task": {
            "type": "object",
            "properties": {"who": {"type": "string", "maxLength": 5}, "hours": {"type": "integer"}},
            "required": ["who"],
            "additionalProperties": False,
        }
    },
}
NOTE: dict[str, Any] = {
    "title": "ça — 会議 🎧",
    "kind": "会議 🎧",
    "when": "2024-02-29",
    "tasks": [{"who": "é"}],
}
EOS = 2


@pytest.fixture(scope="module")
def tokenizer(full_tekken: Path) -> Tokenizer:
    return Tokenizer.open(full_tekken)


@pytest.fixture(scope="module")
def shared(tokenizer: Tokenizer) -> GuidanceTokenizer:
    return GuidanceTokenizer(tokenizer)


@pytest.fixture(scope="module")
def library(full_tekken: Path) -> Any:
    return from_mistral_tokenizer(MistralTokenizer.from_file(str(full_tekken)))


def independent(library: Any, text: str) -> Any:
    compiled = llguidance.LLMatcher.grammar_from_json_schema(text, overrides=SPACING)
    return llguidance.LLMatcher(library, compiled, limits=grammar_limits())


def walk(guidance: Guidance, dice: random.Random, most: int = 400) -> list[int]:
    """Choose at random among what is allowed until the answer is finished."""
    tokens = list[int]()
    while not guidance.finished and len(tokens) < most:
        tokens.append(int(dice.choice(guidance.mask().nonzero()[:, 0].tolist())))
        guidance.accept(tokens[-1])
        guidance.prepare()
    return tokens


def test_masks_equal_the_independent_ones_and_the_answer_is_valid(
    tokenizer: Tokenizer, shared: GuidanceTokenizer, library: Any
) -> None:
    number = secrets.randbits(32)
    print(f"seed {number}")
    dice, text = random.Random(number), checked_schema(NOTES, "it")
    for _ in range(5):
        guidance, matcher, tokens = Guidance(shared, text), independent(library, text), list[int]()
        while not guidance.finished:
            mask = guidance.mask()
            bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
            assert mask.dtype == torch.bool
            assert mask.device.type == "cpu"
            assert np.array_equal(
                mask.numpy(), np.unpackbits(bits, bitorder="little")[: tokenizer.vocabulary]
            )
            assert not mask[[t for t in tokenizer.control_tokens if t != EOS]].any()
            tokens.append(int(dice.choice(mask.nonzero()[:, 0].tolist())))
            guidance.accept(tokens[-1])
            assert matcher.consume_token(tokens[-1])
        answer = json.loads(tokenizer.decode(tokens))
        assert list(answer) == [name for name in NOTES["properties"] if name in answer]
        assert answer["kind"] in NOTES["properties"]["kind"]["enum"]


def test_a_text_is_allowed_as_the_tokenizer_writes_it(
    tokenizer: Tokenizer, shared: GuidanceTokenizer
) -> None:
    for spaces in ((",", ":"), (", ", ": ")):
        guidance = Guidance(shared, checked_schema(NOTES, "it"))
        for token in tokenizer.encode(json.dumps(NOTE, ensure_ascii=False, separators=spaces)):
            assert guidance.mask()[token]
            guidance.accept(token)
        assert guidance.finished


def test_characters_may_be_cut_anywhere_between_tokens(
    tokenizer: Tokenizer, shared: GuidanceTokenizer
) -> None:
    single = {tokenizer.token_bytes(t): t for t in range(1000, tokenizer.vocabulary)}
    guidance = Guidance(shared, checked_schema(NOTES, "it"))
    tokens = tokenizer.encode('{"title": "')
    tokens += [single[bytes([byte])] for byte in f'{NOTE["title"]}"'.encode()]
    for token in tokens:
        assert guidance.mask()[token]
        guidance.accept(token)
    tokens += walk(guidance, random.Random(1))
    assert json.loads(tokenizer.decode(tokens))["title"] == NOTE["title"]

    guidance = Guidance(shared, checked_schema({"type": "string"}, "it"))
    guidance.accept(single[b'"'])
    guidance.accept(single[b"\xc3"])  # the first half of a character: no quote may follow
    assert not guidance.mask()[single[b'"']]
    assert guidance.mask()[single[b"\xa9"]]


def test_the_end_is_allowed_once_the_value_is_complete_and_not_before(
    tokenizer: Tokenizer, shared: GuidanceTokenizer
) -> None:
    guidance = Guidance(shared, checked_schema({"type": "integer", "minimum": 10}, "it"))
    (one,) = tokenizer.encode("1")
    assert not guidance.mask()[EOS]
    guidance.accept(one)
    assert not guidance.mask()[EOS]
    guidance.accept(one)
    assert guidance.mask()[EOS]
    assert guidance.mask()[one]
    finished = [guidance.finished]  # a digit may follow
    guidance.accept(EOS)
    finished.append(guidance.finished)
    assert finished == [False, True]

    guidance = Guidance(shared, checked_schema({"type": "object", "maxProperties": 0}, "it"))
    for token in tokenizer.encode("{}"):
        guidance.accept(token)
    assert guidance.finished  # nothing can follow but the end
    assert guidance.mask().nonzero()[:, 0].tolist() == [EOS]


@pytest.mark.parametrize("token", [0, 1, EOS, 3, 24, 999])
def test_a_token_that_is_not_allowed_is_refused(shared: GuidanceTokenizer, token: int) -> None:
    guidance = Guidance(shared, checked_schema(NOTES, "it"))
    before = guidance.mask()
    with raises("engine_refused", match=f"token {token} "):
        guidance.accept(token)
    assert torch.equal(guidance.mask(), before)


def test_a_text_that_names_a_control_token_is_text(
    tokenizer: Tokenizer, shared: GuidanceTokenizer
) -> None:
    for name in ("</s>", "[INST]", "<2>", "<s>"):
        guidance = Guidance(shared, checked_schema({"const": name}, "it"))
        tokens = walk(guidance, random.Random(1))
        assert json.loads(tokenizer.decode(tokens)) == name
        assert not set(tokens) & set(tokenizer.control_tokens)


def test_a_schema_that_becomes_too_complex_is_the_callers_error(
    tokenizer: Tokenizer, shared: GuidanceTokenizer
) -> None:
    many = [f".*{letter}.{{{300 + 7 * index}}}x" for index, letter in enumerate("abcdefghijklmnop")]
    text = checked_schema({"anyOf": [{"type": "string", "pattern": each} for each in many]}, "it")
    guidance = Guidance(shared, text)
    with raises("unsupported_schema", match="too complex"):
        for token in tokenizer.encode('"' + "abcdefghijklmnop" * 20):
            guidance.accept(token)


def test_many_sequences_share_a_tokenizer(shared: GuidanceTokenizer) -> None:
    text = checked_schema(NOTES, "it")
    alone = [walk(Guidance(shared, text), random.Random(i)) for i in range(12)]
    with ThreadPoolExecutor(6) as threads:
        together = list(
            threads.map(lambda i: walk(Guidance(shared, text), random.Random(i)), range(12))
        )
    assert together == alone
    assert len({tuple(tokens) for tokens in alone}) == 12


def test_no_answer_loops_in_white_space(tokenizer: Tokenizer, shared: GuidanceTokenizer) -> None:
    """With white space preferred wherever it is allowed, an answer still goes on."""
    schema = {"type": "array", "items": {"type": "integer", "maximum": 9, "minimum": 0}}
    guidance, dice = Guidance(shared, checked_schema(schema, "it")), random.Random(3)
    spaces = torch.tensor(
        [not tokenizer.token_bytes(t).strip() and t >= 1000 for t in range(tokenizer.vocabulary)]
    )
    text = ""
    for _ in range(60):
        allowed = guidance.mask()
        preferred = allowed & spaces if (allowed & spaces).any() else allowed
        token = int(dice.choice(preferred.nonzero()[:, 0].tolist()))
        if token == EOS:
            break
        guidance.accept(token)
        text += tokenizer.decode([token])
        if guidance.finished:
            break
    assert "  " not in text
    assert text.count(" ") <= text.count(",")
