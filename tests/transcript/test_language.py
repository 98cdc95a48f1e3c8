"""One rule for languages: codes, tags and names."""

from itertools import product
from string import ascii_lowercase

import langcodes
import pytest
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from voxgate.transcript.language import describe_language, nearest_languages, parse_language
from voxgate.transcript.values import Options
from voxgate.whisper.languages import WITH_CANTONESE, code_of


@pytest.mark.parametrize(
    "text", ["en", "EN", "eng", "en-US", "en_US", "English", " english ", "en-x-a"]
)
def test_english_has_many_spellings(text: str) -> None:
    assert parse_language(text) == "en"
    assert Options(language=text) == Options("en")


@pytest.mark.parametrize("text", [None, "", " ", "auto", "AUTO"])
def test_no_language_is_left_to_the_model(text: str | None) -> None:
    assert parse_language(text) is None
    assert Options(language=text) == Options()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Deutsch", "de"),
        ("ger", "de"),
        ("日本語", "ja"),
        ("cmn", "zh"),
        ("zh-Hant-TW", "zh"),
        ("zh-yue", "yue"),
        ("nb_NO", "no"),
        ("iw", "he"),
        ("jw", "jv"),
        ("fil", "tl"),
        ("Thai", "th"),
        ("tlh", "tlh"),
    ],
)
def test_other_languages(text: str, code: str) -> None:
    assert parse_language(text) == code


@pytest.mark.parametrize(
    "text", ["gibberish of nobody", "xx", "x", "a" * 35, "\ud800", "en\n", "\0", "1"]
)
def test_what_names_no_language_stays_for_the_models_check(text: str) -> None:
    assert parse_language(text) == text.strip().lower()


def test_every_code_and_name_of_whisper_is_its_own_language() -> None:
    assert {code: parse_language(code) for code in WITH_CANTONESE} == {
        code: code for code in WITH_CANTONESE
    }
    assert {name: parse_language(name) for name in TO_LANGUAGE_CODE} == {
        name: code_of(token) for name, token in TO_LANGUAGE_CODE.items()
    }
    for code in WITH_CANTONESE:
        assert parse_language(langcodes.get(code).to_alpha3()) == code


def test_codes_of_two_letters_are_what_the_library_makes_of_them() -> None:
    """Most are returned without the library: it must agree."""
    own = {"tl": "tl", "nb": "no"}  # what models call by another code
    for letters in product(ascii_lowercase, repeat=2):
        code = "".join(letters)
        found = langcodes.get(code)
        expected = own.get(code, found.language) if found.is_valid() else code
        assert parse_language(code) == expected


@pytest.mark.parametrize(
    ("text", "described"),
    [("klingon", "Klingon (tlh)"), ("Deutsch", "German (de)"), ("xx", "xx"), ("\ud800", "\ud800")],
)
def test_a_language_is_described_by_its_name_and_code(text: str, described: str) -> None:
    assert describe_language(parse_language(text) or "") == described


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("germn", ["German (de)"]),
        ("espanol", ["Spanish (es)"]),
        ("englsh", ["English (en)", "Welsh (cy)"]),
        ("jp", []),
        ("gibberish of nobody", []),
        ("a" * 10**6, []),
    ],
)
def test_a_mistyped_language_is_like_others(text: str, near: list[str]) -> None:
    assert nearest_languages(text, WITH_CANTONESE) == near
