"""Drafts: how they are followed, and that no draft changes a text."""

import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.spoken_digits import CHECKPOINT, phrase, takes
from tests.voxtral.signals import chirp
from voxgate.voxtral.decoding import DecodingResult, DecodingState
from voxgate.voxtral.draft import Draft
from voxgate.voxtral.draft_trial import MOST_ROWS
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.quantization.profiles import Profile
from voxgate.voxtral.resumable import Resumable, run_to_end
from voxgate.voxtral.sampling import Sampling
from voxgate.voxtral.tokenizer import Tokenizer

LONGEST = 24  # tokens of a text
ANOTHER_LANGUAGE = "Il pleut depuis ce matin, et les rues sont vides. " * 2


def follow(draft: Draft, tokens: Sequence[int]) -> Draft:
    for token in tokens:
        draft.follow(token)
    return draft


def test_a_right_draft_is_proposed_from_its_beginning_to_its_end() -> None:
    draft = Draft(range(10, 20))
    assert draft.propose(4) == [10, 11, 12, 13]
    assert follow(draft, [10, 11, 12]).propose(4) == [13, 14, 15, 16]
    assert follow(draft, range(13, 19)).propose(4) == [19]
    assert follow(draft, [19]).propose(4) == []
    assert follow(draft, [20, 21]).propose(4) == []


def test_an_empty_draft_proposes_nothing() -> None:
    assert Draft([]).propose(4) == []
    assert follow(Draft([]), [1, 2, 3]).propose(4) == []


@pytest.mark.parametrize("most", [0, -1])
def test_no_more_is_proposed_than_is_asked_for(most: int) -> None:
    assert Draft([1, 2, 3]).propose(most) == []


@pytest.mark.parametrize(
    ("text", "proposed"),
    [
        ([1, 2, 9], [4, 5, 6]),  # one token in the place of another
        ([1, 2, 9, 4], [5, 6, 7]),
        ([1, 2, 9, 9], []),  # two: where it goes on is not known
        ([1, 2, 9, 9, 9, 6], [7, 8]),  # until a token of the draft comes
        ([1, 2, 9, 9, 3, 4], [5, 6, 7]),  # something was added
        ([1, 2, 6], [7, 8]),  # something was left out
        ([3, 4], [5, 6, 7]),  # the beginning was left out
        ([9, 9, 1, 2], [3, 4, 5]),  # or another one was added
    ],
)
def test_after_a_difference_the_place_is_found_again(text: list[int], proposed: list[int]) -> None:
    assert follow(Draft(range(1, 9)), text).propose(3) == proposed


def test_of_several_places_the_nearest_with_the_longest_match_counts() -> None:
    verse, chorus = [1, 2, 3], [7, 8, 9]
    draft = Draft([*verse, *chorus, 4, *chorus, 5, *chorus, 6])
    assert follow(draft, [*verse, *chorus, 4, 0, 0, 7, 8]).propose(2) == [9, 5]


def test_a_single_token_is_looked_for_nearby_only() -> None:
    far = [*range(100, 200), 7, 8]
    assert follow(Draft(far), [1, 2, 7]).propose(2) == []
    assert follow(Draft(far), [1, 2, 198, 199, 7]).propose(2) == [8]


def test_the_nearest_of_thousands_of_places_counts() -> None:
    draft = Draft([*[0, 1] * 4000, 2, *[0, 1] * 4000])
    follow(draft, [0, 1] * 3996)
    assert follow(draft, [8, 9, 1]).propose(2) == [0, 1]
    assert follow(draft, [8, 9, 2]).propose(2) == [0, 1]
    assert len(follow(draft, [0, 1] * 3995).propose(99)) == 10


def test_the_agreement_tells_a_right_draft_from_a_wrong_one() -> None:
    right, wrong = Draft(range(60)), Draft(range(60))
    follow(right, range(40))
    follow(wrong, [0, 90, 91, 1, 92, 93, 2, 94, 95, 3, 96, 97, 4, 98, 99, 5])
    assert right.agreement > 0.95
    assert wrong.agreement < 0.4


def test_a_draft_is_spelled_in_words(tekken: Path) -> None:
    tokenizer = Tokenizer.open(tekken)
    ids = Draft.spelled(" so  it\ngoes ", tokenizer).propose(99)
    assert ids == tokenizer.encode("so it goes")
    assert Draft.spelled(" \n", tokenizer).propose(99) == []


@pytest.mark.parametrize(
    "text",
    ["</s>", "<s>[INST][AUDIO][BEGIN_AUDIO]", "[TRANSCRIBE]lang:en", "\0\x1b[31m\u202e\U0010ffff"],
)
def test_a_draft_has_no_control_tokens(tekken: Path, text: str) -> None:
    tokenizer = Tokenizer.open(tekken)
    ids = Draft.spelled(text, tokenizer).propose(999)
    assert all(tokenizer.token_bytes(token) for token in ids)
    assert b"".join(map(tokenizer.token_bytes, ids)).decode() == text


@dataclass(frozen=True)
class Prefilled:
    """A model whose cache holds the prompts of some windows, each in a slot of its own."""

    model: Voxtral
    cache: KVCache
    prompt: list[int]
    first: list[Tensor]  # the logits after each prompt

    @classmethod
    def of(cls, folder: Path, profile: Profile, sounds: Sequence[Tensor]) -> "Prefilled":
        model = Voxtral.load(folder, profile)
        prompt = transcription_prompt(model.tokenizer, 1)
        cache = model.new_cache(len(sounds), len(prompt) + LONGEST)
        first = [
            run_to_end(model.prefill(cache, cache.allocate(), prompt, audio))
            for audio in run_to_end(model.encode(sounds))
        ]
        return cls(model, cache, prompt, first)

    def decode(
        self,
        slot: int,
        max_tokens: int,
        stop: Sequence[str] = (),
        draft: Draft | None = None,
        at_once: int = 0,
    ) -> DecodingResult:
        self.cache.lengths[slot] = len(self.prompt)
        state = DecodingState(
            self.model.tokenizer, self.prompt, [], max_tokens, stop=stop, draft=draft
        )
        self.model.decode(self.cache, slot, state, self.first[slot], at_once)
        return state.result()


@pytest.fixture(scope="module")
def prefilled(hf: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Prefilled]:
    """The random checkpoint and that of the digits, in both quantized profiles."""
    home = tmp_path_factory.mktemp("drafts")
    rng = random.Random(3)
    spoken = [phrase(rng, its, 8) for its in list(takes().values())[:3]]
    digits = [torch.from_numpy(each.at_16_khz()) for each in spoken]
    noises = [torch.from_numpy(chirp(seconds)) for seconds in (1.0, 3.2, 11.0)]
    profiles: tuple[Profile, ...] = ("balanced", "fast")
    return [
        Prefilled.of(shutil.copytree(source, home / f"{source.name}-{profile}"), profile, sounds)
        for source, sounds in ((hf, noises), (CHECKPOINT, digits))
        for profile in profiles
    ]


def drafts(rng: random.Random, text: Sequence[int], tokenizer: Tokenizer) -> Iterator[list[int]]:
    """Yield drafts of every kind for a text."""
    ids = list(text)
    at = rng.randrange(len(ids) + 1)
    other = [rng.choice(ids or [1500]) for _ in ids]
    yield ids  # right
    yield [token if rng.random() < 0.8 else rng.randrange(1000, 1400) for token in ids]
    yield [rng.randrange(1000, 4000) for _ in ids]  # wrong
    yield ids[at:]  # shifted
    yield [*other[:at], *ids]
    yield []
    yield tokenizer.encode(ANOTHER_LANGUAGE)
    yield ids[:at]  # truncated
    yield [*ids[:at], *ids[:at], *ids]  # with parts that are repeated
    yield [*ids, *other, *ids]  # longer than the text
    yield [*ids[:at], *other[:2], *ids[at:]]  # something added
    yield [*ids[:at], *ids[at + 2 :]]  # something left out
    yield Draft.spelled(tokenizer.decode(ids), tokenizer).propose(999)


@pytest.mark.parametrize("cases", [200, pytest.param(10_000, marks=pytest.mark.long)])
def test_no_draft_changes_a_text(prefilled: list[Prefilled], cases: int) -> None:
    """Nor its tokens, its log-probabilities and the reason of its end."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    done = saved = 0
    while done < cases:
        each = rng.choice(prefilled)
        slot, max_tokens = rng.randrange(len(each.first)), rng.randint(1, LONGEST)
        whole = each.decode(slot, LONGEST)
        words = whole.text.split()
        stop = [rng.choice(words)] if words and rng.random() < 0.3 else []
        alone = each.decode(slot, max_tokens, stop)
        for ids in drafts(rng, whole.token_ids, each.model.tokenizer):
            at_once = rng.randint(1, MOST_ROWS - 1)
            draft = Draft(ids)
            assert each.decode(slot, max_tokens, stop, draft, at_once) == alone, (ids, at_once)
            done += 1
            saved += draft.agreement > 0.9
    assert saved > cases / 20  # some drafts were right


def test_a_draft_saves_passes(prefilled: list[Prefilled], monkeypatch: pytest.MonkeyPatch) -> None:
    each, rows, check = prefilled[-1], list[int](), Voxtral.check
    if not each.model.checks_drafts:
        pytest.skip("a pass of several tokens has other last bits here")

    def noting(model: Voxtral, cache: KVCache, tokens: dict[int, list[int]]) -> Resumable[Tensor]:
        rows.append(sum(map(len, tokens.values())))
        return check(model, cache, tokens)

    monkeypatch.setattr(Voxtral, "check", noting)
    text = each.decode(0, LONGEST).token_ids
    assert rows == [1] * len(text)  # the last pass gives the end
    rows.clear()
    assert each.decode(0, LONGEST, draft=Draft(text), at_once=7).token_ids == text
    assert len(rows) <= 1 + -(-len(text) // 8)
    rows.clear()
    assert each.decode(0, LONGEST, draft=Draft([1500] * 50), at_once=7).token_ids == text
    assert sum(rows) < len(text) + 15  # what was wrong twice is not proposed again


@pytest.mark.parametrize("temperature", [0.7, 0.0])
def test_generate_takes_a_draft_as_text(prefilled: list[Prefilled], temperature: float) -> None:
    """And ignores it where tokens are drawn: their distribution is the model's."""
    model = prefilled[2].model
    sound = phrase(random.Random(1), next(iter(takes().values())), 6)
    alone = model.generate(sound.at_16_khz(), temperature=temperature, seed=3)
    draft = "one two three " + sound.text
    assert model.generate(sound.at_16_khz(), temperature=temperature, seed=3, draft=draft) == alone


def test_no_draft_is_followed_where_tokens_are_drawn(tekken: Path) -> None:
    tokenizer = Tokenizer.open(tekken)
    for sampling in (Sampling(temperature=0.1), Sampling(frequency_penalty=0.5)):
        state = DecodingState(tokenizer, [1], [], 9, sampling=sampling, draft=Draft(range(9)))
        assert (state.propose(3), state.agreement) == ([], 0.0)
    state = DecodingState(tokenizer, [1], [], 3, draft=Draft(range(1100, 1109)))
    assert len(state.propose(9)) == 2  # the pass gives a token itself
