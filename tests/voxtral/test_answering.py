"""Answers against transformers' `generate`, in every profile, and questions that do not fit."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from mistral_common.tokens.tokenizers.audio import Audio
from torch import Tensor

from tests.failures import raises
from tests.voxtral.reference import Reference
from tests.voxtral.signals import RATE, chirp
from voxgate.answers.schema import checked_schema
from voxgate.answers.values import MOST_ANSWER_TOKENS, Message, Part, Question, SoundPart, TextPart
from voxgate.errors import UsageError
from voxgate.transcript.values import Options
from voxgate.voxtral.answering import AnswerState, FittedPrompt, fit_prompt
from voxgate.voxtral.decoder import PIECE_POSITIONS
from voxgate.voxtral.decoding import DecodingResult
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import conversation_prompt
from voxgate.voxtral.quantization.profiles import PROFILES, Profile
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.tokenizer import Tokenizer

Said = str | np.ndarray
TOKENS = 12
CAPACITY = 4096
BFLOAT16_TOLERANCE = 0.1  # of logits, where a product of several rows adds up in another order

SCHEMA = checked_schema(
    {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 4},
            "digits": {"type": "array", "items": {"enum": [1, 2, 3]}, "maxItems": 3},
        },
        "required": ["name", "digits"],
        "additionalProperties": False,
    },
    "'schema'",
)

CONVERSATIONS: dict[str, list[list[Said]]] = {  # a user's message, the model's, a user's …
    "text alone": [["What is a phoneme?"]],
    "one sound": [[chirp(3.2), "Summarize this."]],
    "two sounds, one of them quiet": [["Compare", chirp(2.0), 0.02 * chirp(33.0, seed=3)]],
    "several turns": [
        [chirp(1.0), "Listen."],
        ["I did."],
        ["And to this?", chirp(2.5, seed=5)],
        ["Yes."],
        ["What is different?"],
    ],
    "longer than a piece": [["Read: " + "one two three " * 250], ["Yes."], ["Which was first?"]],
}


def conversation(name: str) -> list[list[Said]]:
    """As the reference takes it: representable in 16 bits."""
    return [
        [part if isinstance(part, str) else np.floor(part * 32768) / 32768 for part in said]
        for said in CONVERSATIONS[name]
    ]


def messages_of(said: Sequence[Sequence[Said]]) -> tuple[Message, ...]:
    def part_of(part: Said) -> Part:
        return TextPart(part) if isinstance(part, str) else SoundPart(len(part))

    return tuple(
        Message("assistant" if number % 2 else "user", tuple(map(part_of, parts)))
        for number, parts in enumerate(said)
    )


def sounds_of(said: Sequence[Sequence[Said]]) -> list[np.ndarray]:
    return [part for parts in said for part in parts if not isinstance(part, str)]


def reference_messages(said: Sequence[Sequence[Said]]) -> list[dict[str, Any]]:
    def part_of(part: Said) -> dict[str, Any]:
        if isinstance(part, str):
            return {"type": "text", "text": part}
        return {"type": "audio", "base64": Audio(part, RATE, "wav").to_base64("wav")}

    return [
        {"role": "assistant", "content": parts[0]}
        if number % 2
        else {"role": "user", "content": list(map(part_of, parts))}
        for number, parts in enumerate(said)
    ]


def decode(model: Voxtral, state: AnswerState, *, static: bool = False) -> DecodingResult:
    cache = model.new_cache(1, CAPACITY, static=static)
    slot = cache.allocate()
    logits = run_to_end(model.encode_and_prefill(cache, slot, state))
    while state.choose_next(logits):
        (logits,) = run_to_end(model.step(cache, [slot], [state.last_token]))
    return state.result()


def asked(
    said: Sequence[Sequence[Said]], schema: str | None = None, **options: Any
) -> tuple[Question, list[np.ndarray]]:
    return Question(messages_of(said), Options(**options), schema), sounds_of(said)


class Masks:
    """The same masks for `generate`, which gives all ids so far."""

    def __init__(self, model: Voxtral, schema: str, prompt: int) -> None:
        self.guidance = Guidance(GuidanceTokenizer(model.tokenizer), schema)
        self.seen = prompt

    def __call__(self, ids: Tensor, scores: Tensor) -> Tensor:
        for token in ids[0, self.seen :].tolist():
            self.guidance.accept(token)
        self.seen = ids.shape[1]
        return scores.where(self.guidance.mask(), -torch.inf)


@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_answers_ids_equal_the_references(
    voxtral: Voxtral, reference: Reference, name: str, static: bool
) -> None:
    said = conversation(name)
    prompt, theirs = reference.answer(reference_messages(said), TOKENS)
    state = voxtral.new_answer(*asked(said, max_tokens=TOKENS), CAPACITY)
    assert state.prompt == prompt
    assert state.audio_tokens == prompt.count(24)
    assert list(decode(voxtral, state, static=static).token_ids) == theirs


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_an_answer_by_a_schema_has_the_ids_of_a_masked_reference(
    voxtral: Voxtral, reference: Reference, name: str
) -> None:
    said = conversation(name)
    state = voxtral.new_answer(*asked(said, SCHEMA), CAPACITY)
    masks = Masks(voxtral, SCHEMA, len(state.prompt))
    _, theirs = reference.answer(reference_messages(said), 200, masks)
    result = decode(voxtral, state)
    assert [*result.token_ids, 2] == theirs
    assert result.finish == "end"
    jsonschema.validate(json.loads(result.text), json.loads(SCHEMA))


@pytest.mark.parametrize("native", [True, False], ids=["with what is here", "without kernels"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_prompt_in_pieces_gives_what_its_tokens_give_one_by_one(
    hf_bf16: Path, tmp_path: Path, profile: Profile, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every profile, and so in every kind of attention."""
    if not native:
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)
    model = Voxtral.load(shutil.copytree(hf_bf16, tmp_path / "checkpoint"), profile)
    ids = conversation_prompt(model.tokenizer, messages_of([["one two three " * 250]]), [])
    assert len(ids) > PIECE_POSITIONS + 100
    cache = model.new_cache(2, len(ids) + TOKENS)
    slots = [cache.allocate(), cache.allocate()]
    logits = [run_to_end(model.prefill(cache, slots[0], ids, None))]
    for token in ids:
        (last,) = run_to_end(model.step(cache, [slots[1]], [token]))
    logits.append(last)
    for _ in range(TOKENS):
        assert logits[0].argmax() == logits[1].argmax()
        assert float((logits[0] - logits[1]).abs().max()) <= BFLOAT16_TOLERANCE
        logits = list(run_to_end(model.step(cache, slots, [int(logits[0].argmax())] * 2)))


def test_sounds_are_as_loud_as_they_are_alone(voxtral: Voxtral) -> None:
    """Each has its own loudest frame: a quiet one is not lost beside a loud one."""
    quiet = 0.001 * chirp(2.0)
    alone, beside = (
        run_to_end(voxtral.encode(sounds))[-1] for sounds in ([quiet], [chirp(2.0), quiet])
    )
    assert float((alone - beside).abs().max()) <= 1e-5


@pytest.fixture(scope="module")
def tokenizer(tekken: Path) -> Tokenizer:
    return Tokenizer.open(tekken)


def state_of(tokenizer: Tokenizer, *parts: Part, **options: Any) -> AnswerState:
    question = Question((Message("user", parts),), Options(**options))
    return AnswerState(tokenizer, question, [], CAPACITY, guidance)


def guidance(_schema: str) -> Guidance:
    raise NotImplementedError  # no question here has a schema


def write(state: AnswerState, text: str) -> DecodingResult:
    """Append a text, a byte a token, and the end token, until it is finished."""
    for token in [*(1000 + byte for byte in text.encode()), 2]:
        if not state.append(token, 0.0):
            break
    return state.result()


def test_an_answer_is_what_the_model_wrote(tokenizer: Tokenizer) -> None:
    """With spaces at its ends, and what would be a language tag before a transcript."""
    result = write(state_of(tokenizer, TextPart("Which?")), "lang:en is the tag \n")
    assert (result.text, result.finish) == ("lang:en is the tag \n", "end")


def test_an_answer_ends_at_a_stop_string_or_its_limit(tokenizer: Tokenizer) -> None:
    stopped = write(state_of(tokenizer, TextPart("a"), stop=("two",)), "one two three")
    assert (stopped.text, stopped.finish) == ("one ", "stop")
    cut = write(state_of(tokenizer, TextPart("a"), max_tokens=5), "one two three")
    assert (cut.text, cut.finish) == ("one t", "length")


def test_json_that_is_complete_at_the_limit_is_not_cut(voxtral: Voxtral) -> None:
    question, sounds = asked([["a"]], '{"type":"array","items":{"type":"null"},"maxItems":0}')
    sized = voxtral.new_answer(question, sounds, CAPACITY)
    size = len(decode(voxtral, sized).token_ids)
    for limit, finish in ((size, "end"), (size - 1, "length")):
        limited = replace(question, options=Options(max_tokens=limit))
        result = decode(voxtral, voxtral.new_answer(limited, sounds, CAPACITY))
        assert (len(result.token_ids), result.finish) == (limit, finish)


def test_a_stop_string_beside_a_schema_is_refused(voxtral: Voxtral) -> None:
    with raises("unsupported_option", match="'stop'"):
        voxtral.new_answer(*asked([["a"]], SCHEMA, stop=("}",)), CAPACITY)


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([], "last message"),
        ([Message("user", (TextPart("a"),)), Message("assistant", (TextPart("b"),))], "last"),
        ([Message("assistant", (SoundPart(9),)), Message("user", (TextPart("b"),))], "sound"),
    ],
)
def test_a_conversation_that_nobody_can_continue_is_refused(
    tokenizer: Tokenizer, messages: list[Message], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        AnswerState(tokenizer, Question(tuple(messages)), [], CAPACITY, guidance)


# --- what fits -----------------------------------------------------------------------------------

LONG = "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich 🎧. " * 20


def fitted(tokenizer: Tokenizer, *parts: Part, **given: Any) -> FittedPrompt:
    capacity, max_tokens = given["capacity"], given.get("max_tokens")
    return fit_prompt(tokenizer, [Message("user", parts)], [], max_tokens, capacity)


def test_without_a_limit_an_answer_has_what_is_left(tokenizer: Tokenizer) -> None:
    prompt = len(fitted(tokenizer, TextPart(LONG), capacity=9999).ids)
    for capacity, tokens in (
        (prompt + 2 * MOST_ANSWER_TOKENS, MOST_ANSWER_TOKENS),
        (prompt + 100, 100),
        (prompt + 1, 1),
    ):
        assert fitted(tokenizer, TextPart(LONG), capacity=capacity).max_tokens == tokens
    with raises("context_exceeded", match=f"{prompt} tokens"):
        fitted(tokenizer, TextPart(LONG), capacity=prompt)


@pytest.mark.parametrize("left_out", [*range(1, 40), 200, 500])
def test_a_text_loses_its_end_at_a_whole_character(tokenizer: Tokenizer, left_out: int) -> None:
    whole = fitted(tokenizer, TextPart(LONG, may_be_cut=True), TextPart("Why?"), capacity=9999)
    capacity = len(whole.ids) - left_out + 30
    parts = TextPart(LONG, may_be_cut=True), TextPart("Why?")
    prompt = fitted(tokenizer, *parts, max_tokens=30, capacity=capacity)
    assert capacity - 6 <= len(prompt.ids) + prompt.max_tokens <= capacity
    kept, _, question = tokenizer.decode(prompt.ids).rpartition("\n\n")
    assert (kept, question) == (LONG[: len(LONG) - prompt.unread], "Why?")
    assert prompt.unread > 0


def test_an_empty_text_that_may_be_cut_fits(tokenizer: Tokenizer) -> None:
    parts = TextPart("", may_be_cut=True), TextPart("Why?")
    assert fitted(tokenizer, *parts, capacity=1024) == fitted(tokenizer, parts[1], capacity=1024)


def test_the_longest_texts_lose_the_most(tokenizer: Tokenizer) -> None:
    texts = ["short ", LONG, LONG + LONG]
    parts = [TextPart(text, may_be_cut=True) for text in texts]
    size = len(tokenizer.encode(LONG))
    prompt = fitted(tokenizer, *parts, max_tokens=100, capacity=2 * size + 100)
    short, medium, long = tokenizer.decode(prompt.ids).split("\n\n")
    assert short == texts[0]
    assert medium == long
    assert 0 < len(LONG) - len(medium) < 90  # the shorter one lost what the other texts need
    assert prompt.unread == len("".join(texts)) - len(short + medium + long)


def test_what_a_caller_wrote_is_never_cut(tokenizer: Tokenizer) -> None:
    for parts in (
        [TextPart(LONG)],
        [TextPart(LONG), TextPart(LONG, may_be_cut=True)],
    ):
        size = len(tokenizer.encode(LONG))
        with raises("context_exceeded", match="Ask with less text or sound") as error:
            fitted(tokenizer, *parts, max_tokens=50, capacity=size + 50)
        assert f"takes {size + 50} here" in error.value.sentence


def test_sounds_that_do_not_fit_are_said(voxtral: Voxtral) -> None:
    with raises("context_exceeded", match="750 of them for its sounds"):
        voxtral.new_answer(*asked([[chirp(31.0)]]), 700)


def test_an_answer_longer_than_the_slot_is_refused(tokenizer: Tokenizer) -> None:
    with raises("context_exceeded", match="'max_tokens'"):
        state_of(tokenizer, TextPart("a"), max_tokens=CAPACITY)


@pytest.mark.parametrize("max_tokens", [0, -1])
def test_invalid_options_are_refused(tokenizer: Tokenizer, max_tokens: int) -> None:
    with pytest.raises(UsageError, match="'max_tokens'"):
        state_of(tokenizer, TextPart("a"), max_tokens=max_tokens)
