"""The ids of the published vocabulary, and incremental decoding to text."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from mistral_common.tokens.tokenizers.base import SpecialTokenPolicy
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from tests.voxtral import vocabulary
from tests.voxtral.reference import transformers
from tests.voxtral.vocabulary import TEXTS
from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.tokenizer import Tokenizer

CAPITAL = 32_000  # " Capital": a stop token of many other models, and ordinary text here


@pytest.fixture(scope="module")
def tokenizer(full_tekken: Path) -> Tokenizer:
    return Tokenizer.open(full_tekken)


@pytest.fixture(scope="module")
def library(full_tekken: Path) -> Tekkenizer:
    return Tekkenizer.from_file(full_tekken)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("The quick brown fox.", [1784, 7586, 22980, 94137, 1046]),
        ("hello world", [29706, 4304]),
        ("lang:en", [9909, 1058, 1262]),
        ("Venture Capital ist wichtig.", [1086, 105982, 32000, 3444, 46206, 1046]),
    ],
)
def test_ids_are_those_of_the_published_vocabulary(
    tokenizer: Tokenizer, text: str, ids: list[int]
) -> None:
    assert tokenizer.encode(text) == ids
    assert tokenizer.decode(ids) == (text if not text.startswith("lang:") else "")


@pytest.mark.parametrize(
    ("code", "last"),
    [("en", 1262), ("fr", 7064), ("de", 1558), ("zh", 25434), ("pt", 1515), ("hi", 8101)],
)
def test_a_language_tag_is_three_tokens(tokenizer: Tokenizer, code: str, last: int) -> None:
    assert tokenizer.encode(f"lang:{code}") == [9909, 1058, last]


def test_control_tokens_have_their_published_ids(tokenizer: Tokenizer) -> None:
    named = [tokenizer.bos, tokenizer.eos, tokenizer.inst, tokenizer.end_inst, tokenizer.pad]
    assert named == [1, 2, 3, 4, 11]
    assert [tokenizer.audio, tokenizer.begin_audio, tokenizer.transcribe] == [24, 25, 34]
    assert tokenizer.stop_tokens == {2, 11}
    assert tokenizer.vocabulary == 131_072


@pytest.mark.parametrize("text", vocabulary.TEXTS)
def test_text_comes_back_as_it_was_and_is_never_a_control_token(
    tokenizer: Tokenizer, library: Tekkenizer, text: str
) -> None:
    ids = tokenizer.encode(text)
    assert ids == library.encode(text, bos=False, eos=False)
    assert all(token >= 1000 for token in ids)
    assert tokenizer.decode(ids) == text


def test_the_first_256_text_tokens_are_the_bytes(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_bytes(1000 + byte) for byte in range(256)] == [
        bytes([byte]) for byte in range(256)
    ]


def test_the_last_token_is_the_last_that_the_vocabulary_counts(
    tokenizer: Tokenizer, full_tekken: Path
) -> None:
    """The file goes on after it."""
    entries = json.loads(full_tekken.read_text("utf-8"))["vocab"]
    assert len(entries) == 150_000
    assert tokenizer.decode([131_071]) == entries[130_071]["token_str"]
    assert max(max(tokenizer.encode(entry["token_str"] or "")) for entry in entries[-50:]) < 131_072


def test_control_tokens_are_no_text(tokenizer: Tokenizer) -> None:
    ids = [1, 3, 25, 24, 24, 4, 34, *tokenizer.encode("hello"), 11, 2, 999]
    assert tokenizer.decode(ids) == "hello"


def test_decoding_agrees_with_the_library(tokenizer: Tokenizer, library: Tekkenizer) -> None:
    for token in [*range(1256, 131_072, 97), CAPITAL]:
        whole = library.decode([token], special_token_policy=SpecialTokenPolicy.IGNORE)
        assert tokenizer.decode([token]) == whole
    assert tokenizer.decode([CAPITAL]) == " Capital"


def test_another_vocabularys_size_is_refused(hf: Path, full_tekken: Path) -> None:
    with pytest.raises(CheckpointError, match="131072 tokens, and the model 4096"):
        Tokenizer.open(full_tekken, Checkpoint.open(hf).config)


@pytest.mark.parametrize("lacking", ["[AUDIO]", "[BEGIN_AUDIO]", "[TRANSCRIBE]"])
def test_a_vocabulary_without_what_a_prompt_needs_is_refused_by_its_name(
    tmp_path: Path, tekken: Path, lacking: str
) -> None:
    text = tekken.read_text("utf-8").replace(f'"{lacking}"', '"<SPECIAL_0>"')
    (tmp_path / "tekken.json").write_text(text, "utf-8")
    with pytest.raises(CheckpointError) as caught:
        Tokenizer.open(tmp_path / "tekken.json")
    assert lacking in str(caught.value)


def test_an_audio_token_elsewhere_is_another_models(hf: Path, tmp_path: Path, tekken: Path) -> None:
    text = tekken.read_text("utf-8").replace('"[AUDIO]"', '"?"').replace("<SPECIAL_77>", "[AUDIO]")
    (tmp_path / "tekken.json").write_text(text, "utf-8")
    with pytest.raises(CheckpointError, match=r"\[AUDIO\] is 77, and the model's is 24"):
        Tokenizer.open(tmp_path / "tekken.json", Checkpoint.open(hf).config)


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "not json", '{"config": {}, "vocab": []}', '{"vocab": 5}']
)
def test_a_broken_vocabulary_is_refused_in_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=r"tekken\.json"):
        Tokenizer.open(path)


def test_a_vocabulary_cut_off_is_refused(tmp_path: Path, tekken: Path) -> None:
    path = tmp_path / "tekken.json"
    path.write_bytes(tekken.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match=r"tekken\.json"):
        Tokenizer.open(path)


def test_the_language_of_the_checkpoints_here_falls_apart(tekken: Path) -> None:
    """As a check of the material: the tiny vocabulary has no piece `lang`."""
    assert Tokenizer.open(tekken).encode("lang:en") == [1108, 1533, 1058, 1262]
    assert Tokenizer.open(tekken).vocabulary == vocabulary.TINY_TEXTS + vocabulary.CONTROLS


@pytest.fixture(scope="module")
def backend(full_tekken: Path) -> Any:
    """transformers' own wrapper, which strips a language tag."""
    return transformers.MistralCommonBackend.from_pretrained(full_tekken.parent)


def in_bytes(text: str | bytes) -> list[int]:
    """Ids that cut a text into its single bytes."""
    data = text.encode() if isinstance(text, str) else text
    return [1000 + byte for byte in data]


def pieces(tokenizer: Tokenizer, ids: Sequence[int]) -> list[str]:
    stream = tokenizer.stream(drop_language_tag=True)
    return [*(stream.push(token) for token in ids), stream.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_decodes_the_same_text_however_characters_are_split(
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
def test_invalid_bytes_become_a_replacement_character(
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


def test_text_that_is_no_tag_is_not_withheld(tokenizer: Tokenizer) -> None:
    assert pieces(tokenizer, in_bytes("lane")) == ["", "", "", "lane", ""]
