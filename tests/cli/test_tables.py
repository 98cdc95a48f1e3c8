"""Tables on a terminal: no word is broken, and hashes are short."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.cli.model_facts import MODEL_HEADINGS
from voxgate.cli.ps import ENGINE_HEADINGS
from voxgate.cli.tables import draw_table

COMMIT = "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66"
MODELS = [
    *(("Systran/faster-whisper-base", "99 languages", "word", "30 s", "MIT", "installed"),),
    (
        "mistralai/Voxtral-Mini-3B-2507",
        "en, fr, es",
        "none",
        "1200 s",
        "Apache-2.0",
        "not installed",
    ),
]
ROWS = [(*model, COMMIT, "141.1 MiB") for model in MODELS]

words = st.text("abcdefgh", min_size=1, max_size=30)
texts = st.lists(words, max_size=8).map(" ".join)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_models_keep_their_words_at_any_width(width: int) -> None:
    drawn = draw_table(MODEL_HEADINGS, ROWS, width)
    for row in (MODEL_HEADINGS, *MODELS):
        assert set(" ".join(row).split()) <= set(drawn.split())
    assert max(map(len, drawn.splitlines())) <= max(width, len("longest window  ") + 30)
    assert COMMIT[:12] in drawn.split()
    assert COMMIT not in drawn


def test_a_wide_terminal_has_a_row_for_each_model() -> None:
    lines = draw_table(MODEL_HEADINGS, ROWS, 160).splitlines()
    assert [line.split()[0] for line in lines if "/" in line] == [model[0] for model in MODELS]
    (head,) = (line for line in lines if "longest window" in line)
    assert head.split()[0] == "model"


def test_a_narrow_terminal_has_a_line_for_each_value() -> None:
    lines = draw_table(MODEL_HEADINGS, ROWS, 80).splitlines()
    assert "languages       99 languages" in lines
    assert f"revision        {COMMIT[:12]}" in lines
    assert lines.count("") == 1


def test_facts_are_a_list_and_a_path_is_whole() -> None:
    folder = f"{'/home/somebody' * 5}/model@{COMMIT}"
    sha256 = COMMIT[:32] * 2
    drawn = draw_table(("of the model", "value"), [("folder", folder), ("a.bin", sha256)], 80)
    assert drawn.splitlines() == [f"folder  {folder}", f"a.bin   {sha256[:12]}"]


@pytest.mark.parametrize("width", [20, 80, 200])
def test_an_empty_table_has_its_headings(width: int) -> None:
    assert draw_table(ENGINE_HEADINGS, [], width).split()[:2] == ["model", "revision"]


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5), st.integers(20, 120))
def test_any_words_are_kept_whole(rows: list[tuple[str, str, str]], width: int) -> None:
    drawn = draw_table(("one", "two", "three"), rows, width)
    assert {word for row in rows for text in row for word in text.split()} <= set(drawn.split())
    longest = max((len(word) for word in drawn.split()), default=0)
    assert all(len(line) <= max(width, len("three  ") + longest) for line in drawn.splitlines())
