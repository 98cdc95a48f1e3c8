"""Written words as they are spoken."""

from __future__ import annotations

import pytest

from voxgate.whisper.languages import WITH_CANTONESE
from voxgate.whisper.spelling import spoken

TABLE = [
    ("en", "$43,000", "forty-three thousand dollars"),
    ("en", "€5.50", "five euro fifty cents"),
    ("en", "$1", "one dollar"),
    ("en", "3rd", "third"),
    ("en", "1961", "nineteen sixty-one"),
    ("en", "10:30", "ten thirty"),
    ("en", "10:00", "ten o'clock"),
    ("en", "50%", "fifty percent"),
    ("en", "3.14", "three point one four"),
    ("en", "007", "zero zero seven"),
    ("en", "5551234", "five five five one two three four"),
    ("en", "https://voxgate.example/a-b", "voxgate dot example slash a dash b"),
    ("en", "a@b.org", "a at b dot org"),
    ("en", "GPT-4", "GPT four"),
    ("de", "43.000€", "dreiundvierzigtausend Euro"),
    ("de", "€5,50", "fünf Euro fünfzig Cent"),
    ("de", "10:30", "zehn Uhr dreißig"),
    ("de", "50%", "fünfzig Prozent"),
    ("de", "1961", "neunzehnhunderteinundsechzig"),
    ("de", "www.voxgate.example", "www Punkt voxgate Punkt example"),
    ("fr", "1er", "premier"),
    ("fr", "10h30", "dix heures trente"),
    ("fr", "5,50€", "cinq euros cinquante centimes"),
    ("fr", "80", "quatre-vingts"),
    ("es", "3º", "tercero"),
    ("es", "$43.000", "cuarenta y tres mil dólares"),
    ("es", "a@b.org", "a arroba b punto org"),
    ("ja", "43", "四十三"),
]


@pytest.mark.parametrize(("language", "written", "said"), TABLE)
def test_numbers_and_addresses_are_spelled_out(language: str, written: str, said: str) -> None:
    assert spoken(written, language) == said


@pytest.mark.parametrize("word", ["don't", "Mr.X", "1.2.3", "naïve", "²"])
def test_other_words_stay_as_they_are(word: str) -> None:
    assert spoken(word, "en") == word


def test_a_language_without_spelling_keeps_its_digits() -> None:
    assert spoken("1961", "zh") == "1961"
    assert spoken("50%", "hi") == "50"


@pytest.mark.parametrize("language", WITH_CANTONESE)
def test_every_language_says_something_for_anything(language: str) -> None:
    for word in ("43", "$5", "5,50€", "10:30", "21st", "999999999", "9" * 60, "٤٣", "1²", "½"):
        assert spoken(word, language).strip()
