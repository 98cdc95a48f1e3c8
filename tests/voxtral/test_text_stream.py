"""Text comes as soon as it is whole, whatever way its bytes are cut; a language tag never does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.voxtral.reference import transformers
from tests.voxtral.vocabulary import TEXTS
from voxgate.voxtral.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer(full_tekken: Path) -> Tokenizer:
    return Tokenizer.open(full_tekken)


@pytest.fixture(scope="module")
def backend(full_tekken: Path) -> Any:
    """transformers' own wrapper, which strips a language tag."""
    return transformers.MistralCommonBackend.from_pretrained(full_tekken.parent)


def in_bytes(text: str | bytes) -> list[int]:
    """Ids that cut a text into its single bytes."""
    data = text.encode() if isinstance(text, str) else text
    return [1000 + byte for byte in data]


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    stream = tokenizer.stream()
    return [*(stream.push(token) for token in ids), stream.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_equals_the_whole_however_characters_are_cut(
    tokenizer: Tokenizer, text: str
) -> None:
    for ids in (tokenizer.encode(text), in_bytes(text)):
        streamed = pieces(tokenizer, ids)
        assert "".join(streamed) == text
        assert "�" not in "".join(streamed)


def test_a_character_comes_with_its_last_byte_and_not_before(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, in_bytes("é🎧.")) == ["", "é", "", "", "", "🎧", ".", ""]


@pytest.mark.parametrize(
    ("data", "streamed"),
    [
        (b"ok\xf0\x9f\x8e", ["o", "k", "", "", "", "�"]),  # an emoji without its end
        (b"\xe4", ["", "�"]),
        (b"\xffok", ["�", "o", "k", ""]),
        (b"\xe4\xbdok", ["", "", "�o", "k", ""]),
        (b"\xc3\xc3\xa9", ["", "�", "é", ""]),
    ],
)
def test_bytes_that_are_no_text_become_one_replacement(
    tokenizer: Tokenizer, data: bytes, streamed: list[str]
) -> None:
    assert pieces(tokenizer, in_bytes(data)) == streamed
    assert tokenizer.decode(in_bytes(data)) == "".join(streamed) == data.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("generated", "text"),
    [
        ("lang:en Good morning", " Good morning"),
        ("lang:enGood morning", "Good morning"),
        ("lang:en", ""),
        ("lang:e", "lang:e"),
        ("lan", "lan"),
        ("language matters", "language matters"),
        ("lang:EN no tag", "lang:EN no tag"),
        ("so lang:en is said", "so lang:en is said"),
        ("lang:enlang:fr twice", "lang:fr twice"),
    ],
)
def test_a_language_tag_at_the_beginning_never_leaks(
    tokenizer: Tokenizer, backend: Any, generated: str, text: str
) -> None:
    ids = tokenizer.encode(generated)
    assert backend.decode(ids, skip_special_tokens=True) == text
    for cut in (ids, in_bytes(generated), [1, 3, 4, *ids]):
        assert tokenizer.decode(cut) == text


def test_text_that_is_no_tag_is_not_held_back(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, in_bytes("lane")) == ["", "", "", "lane", ""]
