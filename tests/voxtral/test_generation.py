"""When a text is finished, and what it then is, token by token."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from voxgate.errors import UsageError
from voxgate.voxtral.decoding import DecodingResult, TextDraft
from voxgate.voxtral.tokenizer import Tokenizer

END, PAD = 2, 11


@pytest.fixture(scope="module")
def tokenizer(tekken: Path) -> Tokenizer:
    return Tokenizer.open(tekken)


def in_bytes(text: str) -> list[int]:
    """Ids that cut a text into its single bytes."""
    return [1000 + byte for byte in text.encode()]


def write(draft: TextDraft, ids: list[int]) -> DecodingResult:
    """Give ids until no more are wanted; every one before must have been."""
    for place, token in enumerate(ids):
        if not draft.push(token, -0.5 * place):
            break
    return draft.generation()


@pytest.mark.parametrize("end", [END, PAD])
def test_an_end_token_ends_it_and_is_no_part_of_it(tokenizer: Tokenizer, end: int) -> None:
    ids = in_bytes("Good morning")
    generation = write(TextDraft(tokenizer, 30.0), [*ids, end, *in_bytes("never")])
    assert generation.token_ids == tuple(ids)
    assert generation.logprobs == tuple(-0.5 * place for place in range(len(ids)))
    assert (generation.text, generation.finish) == ("Good morning", "end")


def test_it_may_be_empty(tokenizer: Tokenizer) -> None:
    generation = write(TextDraft(tokenizer, 30.0), [END])
    assert generation == DecodingResult((), (), "", "end")
    assert generation.confidence is None


def test_confidence_is_the_mean_probability(tokenizer: Tokenizer) -> None:
    assert DecodingResult((5, 6), (-0.25, -0.75), "", "end").confidence == pytest.approx(0.60653066)


def test_no_other_control_token_ends_it(tokenizer: Tokenizer) -> None:
    ids = [*in_bytes("a"), 1, 3, 4, 24, 25, 34, 999, *in_bytes("b")]
    generation = write(TextDraft(tokenizer, 30.0), [*ids, END])
    assert generation.token_ids == tuple(ids)
    assert generation.text == "ab"


def test_max_tokens_end_it_with_the_last_character_replaced(tokenizer: Tokenizer) -> None:
    generation = write(TextDraft(tokenizer, 30.0, max_tokens=4), in_bytes("ab🎧"))
    assert generation.token_ids == tuple(in_bytes("ab🎧")[:4])
    assert (generation.text, generation.finish) == ("ab�", "length")


@pytest.mark.parametrize(("seconds", "cap"), [(0.01, 33), (1.0, 46), (30.0, 452), (600.0, 8432)])
def test_more_than_can_be_said_in_the_time_is_a_runaway(
    tokenizer: Tokenizer, seconds: float, cap: int
) -> None:
    assert TextDraft(tokenizer, seconds).limit == cap
    assert TextDraft(tokenizer, seconds, max_tokens=10_000).limit == cap
    generation = write(TextDraft(tokenizer, seconds), in_bytes("la " * 3000))
    assert len(generation.token_ids) == cap
    assert generation.finish == "runaway"


def test_an_end_at_the_limit_is_an_end(tokenizer: Tokenizer) -> None:
    draft = TextDraft(tokenizer, 30.0, max_tokens=3)
    assert write(draft, [*in_bytes("ab"), END]).finish == "end"


@pytest.mark.parametrize(
    ("stop", "text", "taken"),
    [
        (["c d"], "ab ", 6),
        (["d", "b"], "a", 2),
        (["de", "cd", "x"], "ab c ", 7),
        (["ab c def"], "", 8),
        ([" "], "ab", 3),
        (["é"], "ab c def", 10),
    ],
)
def test_a_stop_string_ends_it_wherever_its_tokens_are_cut(
    tokenizer: Tokenizer, stop: list[str], text: str, taken: int
) -> None:
    """Generated is `ab c defé…`, a byte a token; the text ends before the stop string."""
    generation = write(TextDraft(tokenizer, 30.0, stop=stop), [*in_bytes("ab c defé and on"), END])
    assert (generation.text, generation.finish) == (text, "stop")
    assert len(generation.token_ids) == len(generation.logprobs) == taken


def test_a_stop_string_that_does_not_come_changes_nothing(tokenizer: Tokenizer) -> None:
    draft = TextDraft(tokenizer, 30.0, stop=["xyz", "abab"])
    assert write(draft, [*in_bytes("aba bab"), END]).text == "aba bab"


def test_a_stop_string_is_found_in_what_comes_last(tokenizer: Tokenizer) -> None:
    """`lan` is held back until it cannot become a language tag."""
    generation = write(TextDraft(tokenizer, 30.0, stop=["an"]), [*in_bytes("lan"), END])
    assert (generation.text, generation.finish) == ("l", "stop")


def test_a_language_tag_is_no_text(tokenizer: Tokenizer) -> None:
    draft = TextDraft(tokenizer, 30.0, stop=["lang"])
    assert write(draft, [*in_bytes("lang:en Hello"), END]).text == " Hello"


@pytest.mark.parametrize("most", [0, -1, True, False])
def test_max_tokens_that_mean_nothing_are_refused(tokenizer: Tokenizer, most: int) -> None:
    with pytest.raises(UsageError, match="'max_tokens'"):
        TextDraft(tokenizer, 30.0, max_tokens=most)


@pytest.mark.parametrize("stop", ["word", [""], ["a", ""], [None], [3]])
def test_stop_strings_that_mean_nothing_are_refused(tokenizer: Tokenizer, stop: Any) -> None:
    with pytest.raises(UsageError, match="'stop'"):
        TextDraft(tokenizer, 30.0, stop=stop)


def test_an_unfinished_text_is_not_given_out(tokenizer: Tokenizer) -> None:
    draft = TextDraft(tokenizer, 30.0)
    draft.push(in_bytes("a")[0], 0.0)
    with pytest.raises(ValueError, match="not finished"):
        draft.generation()


@pytest.mark.parametrize(
    ("stops", "text", "settled"),
    [
        ((), "one two", "one two"),
        (("two",), "one t", "one "),
        (("two",), "one tw", "one "),
        (("two",), "one tx", "one tx"),
        (("two", "tw"), "one t", "one "),
        (("e t", "two"), "one t", "on"),
        (("aab",), "xaaa", "xa"),
        (("aab",), "xaaab", "xa"),
        (("two",), "one two", "one "),
        (("o",), "n", "n"),
    ],
)
def test_what_is_settled_is_never_taken_back(
    tokenizer: Tokenizer, stops: tuple[str, ...], text: str, settled: str
) -> None:
    draft = TextDraft(tokenizer, 30.0, stop=stops)
    seen = [""]
    for token in in_bytes(text):
        draft.push(token, 0.0)
        seen.append(draft.settled)
    assert seen[-1] == settled
    assert all(later.startswith(earlier) for earlier, later in pairwise(seen))
    draft.push(END, 0.0)
    assert draft.generation().text.startswith(settled)
