"""What is English and what is not, in sentences that people say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sounds import WORDS
from voxgate.transcript.english import MIN_WORDS, may_be_english

DOCS = Path(__file__).parents[2] / "docs"

OTHERS = {
    "ar": "صباح الخير للجميع",
    "cs": "Dobré ráno všem, jsme tu dnes, abychom mluvili o rozpočtu na příští rok.",
    "da": "Godmorgen alle sammen, vi er her i dag for at tale om budgettet for næste år.",
    "de": "Guten Morgen zusammen, wir sind hier, um über den Haushalt zu sprechen. Was war das?",
    "el": "Καλημέρα",
    "es": "Buenos días a todos, estamos aquí para hablar del presupuesto del año que viene.",
    "fi": "Hyvää huomenta kaikille, olemme täällä puhumassa ensi vuoden talousarviosta, on aika.",
    "fr": "Bonjour à tous, nous sommes ici pour parler du budget de l'année prochaine.",
    "hi": "सुप्रभात",
    "hu": "Jó reggelt mindenkinek, azért vagyunk itt, hogy a jövő évi költségvetésről beszéljünk.",
    "id": "Selamat pagi semuanya, kita di sini untuk membahas anggaran tahun depan.",
    "it": "Buongiorno a tutti, siamo qui per parlare del bilancio dell'anno prossimo.",
    "ja": "おはようございます",
    "ko": "안녕하세요",
    "nl": "Goedemorgen allemaal, we zijn hier om de begroting van volgend jaar te bespreken.",
    "pl": "Dzień dobry wszystkim, jesteśmy tutaj, żeby porozmawiać o budżecie na przyszły rok.",
    "pt": "Bom dia a todos, estamos aqui para falar do orçamento do próximo ano.",
    "ru": "Доброе утро",
    "sv": "God morgon allihopa, vi är här för att prata om budgeten för nästa år.",
    "tr": "Herkese günaydın, gelecek yılın bütçesini konuşmak için bugün burada toplandık.",  # noqa: RUF001
    "vi": "Chào buổi sáng mọi người, chúng ta ở đây để nói về ngân sách năm tới.",
    "zh": "大家早上好",
}


@pytest.mark.parametrize("language", OTHERS)
def test_a_sentence_in_another_language_is_not_english(language: str) -> None:
    assert not may_be_english(OTHERS[language])


@pytest.mark.parametrize(
    "text",
    [
        WORDS,
        "Good morning, everyone. We are here to talk about next year's budget.",
        "eight of spades four of clubs seven of hearts",
        "MISTER QUILTER IS THE APOSTLE OF THE MIDDLE CLASSES",
        "She said that \u201cGuten Morgen\u201d means good morning, and so it does.",
        "The 東京 office",
    ],
)
def test_english_is_english(text: str) -> None:
    assert may_be_english(text)


def test_every_page_of_the_documentation_is_english() -> None:
    pages = sorted(DOCS.rglob("*.md"))
    assert len(pages) > 30
    assert [page.name for page in pages if not may_be_english(page.read_text("utf-8"))] == []


@pytest.mark.parametrize("text", ["", "12 345", "…", "Ja.", "Guten Morgen", "OK"])
def test_what_says_too_little_may_be_english(text: str) -> None:
    assert len(text.split()) < MIN_WORDS
    assert may_be_english(text)
