"""What of the caller's vocabulary and prompt comes before the text."""

from __future__ import annotations

import pytest
from faster_whisper.tokenizer import Tokenizer
from tokenizers import Tokenizer as TokenizerFile

from tests.whisper.weights import whisper_folder
from voxgate.whisper.context import MAX_CONTEXT_TOKENS, build_context


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    file = TokenizerFile.from_file(str(whisper_folder() / "tokenizer.json"))
    return Tokenizer(file, multilingual=True, task="transcribe", language="en")


def test_nothing_is_before_the_text_unless_it_is_given(tokenizer: Tokenizer) -> None:
    context = build_context(tokenizer, (), " \n")
    assert context.tokens == ()
    assert not context.is_echoed_by("")
    assert not context.is_echoed_by("Hello.")


def test_vocabulary_comes_before_the_prompt(tokenizer: Tokenizer) -> None:
    context = build_context(tokenizer, ("Voxgate", " Ada Lovelace "), "A talk.")
    assert tokenizer.decode(list(context.tokens)) == " Voxgate, Ada Lovelace A talk."
    assert (context.vocabulary_used, context.prompt_is_cut) == (2, False)


def test_the_first_words_and_the_prompts_end_are_used(tokenizer: Tokenizer) -> None:
    words = tuple(f"word{number}" for number in range(10_000))
    prompt = " ".join(map(str, range(20_000)))
    alone = build_context(tokenizer, words, "")
    assert MAX_CONTEXT_TOKENS - 5 < len(alone.tokens) <= MAX_CONTEXT_TOKENS
    assert 0 < alone.vocabulary_used < 200
    both = build_context(tokenizer, words, prompt)
    assert len(both.tokens) <= MAX_CONTEXT_TOKENS
    assert alone.vocabulary_used / 3 < both.vocabulary_used < alone.vocabulary_used
    text = tokenizer.decode(list(both.tokens))
    assert text.startswith(" word0, word1, word2")
    assert text.endswith(" 19998 19999")
    assert both.prompt_is_cut


def test_a_prompt_that_fits_leaves_the_rest_to_the_vocabulary(tokenizer: Tokenizer) -> None:
    words = tuple(f"word{number}" for number in range(10_000))
    context = build_context(tokenizer, words, "A talk of Voxgate.")
    assert not context.prompt_is_cut
    assert len(context.tokens) > MAX_CONTEXT_TOKENS - 5


def test_an_echo_has_no_other_words(tokenizer: Tokenizer) -> None:
    context = build_context(tokenizer, ("Voxgate", "Lovelace"), "A talk by Ada.")
    assert context.is_echoed_by("voxgate, Voxgate. By Ada Lovelace!")
    assert not context.is_echoed_by("A walk by Ada.")
