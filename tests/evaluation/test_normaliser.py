import pytest

from voxgate.evaluation.normaliser import Normaliser, Unit, unit_of


@pytest.mark.parametrize(
    ("text", "language", "units"),
    [
        ("Mr. Smith doesn't, uh, like [noise] colour.", "en", "mister smith does not like color"),
        ("Twenty-one dollars (laughs)", "en", "$21"),
        ("Über 20 Straßen!", "de", "über 20 straßen"),
        ("हिन्दी में।", "hi", "हिन्दी में"),
        ("DON'T", None, "don t"),
    ],
)
def test_words_are_compared_without_their_spelling(
    text: str, language: str | None, units: str
) -> None:
    assert Normaliser().units(text, language, "word") == units.split()


def test_characters_are_compared_without_spaces_and_punctuation() -> None:
    assert Normaliser().units("今日は、 いい天気。", "ja", "character") == list("今日はいい天気")


@pytest.mark.parametrize(
    ("reference", "language", "unit"),
    [
        ("今日は GPU を", "ja", "character"),
        ("你好", None, "character"),
        ("ภาษาไทย", "th", "character"),
        ("안녕하세요 여러분", "ko", "word"),
        ("she said 你好 to everybody", "en", "word"),
        ("2026", "zh", "character"),
        ("", "en", "word"),
        ("", None, "word"),
        ("hello", "ja", "word"),
    ],
)
def test_characters_count_where_no_spaces_divide_words(
    reference: str, language: str | None, unit: Unit
) -> None:
    assert unit_of(reference, language) == unit
