from __future__ import annotations

import pytest

from voxgate.transcript.text import chunks, ends_clause, ends_sentence, joined, one_line, units


def test_a_line_has_no_line_ends_and_no_control_characters() -> None:
    text = "a\n\r\n\tb\x00\x0b\x0c\x1c\x1d\x1e\x85c\u2028\u2029 d\x7f"
    assert one_line(text) == "a b c d"


def test_a_line_keeps_its_single_no_break_spaces() -> None:
    assert one_line("Oui\u202f! 20\u00a0%") == "Oui\u202f! 20\u00a0%"
    assert one_line("a\u00a0\u00a0b\u00a0") == "a b"


def test_a_line_can_be_encoded() -> None:
    assert one_line("a\ud800b").encode() == "a\ufffdb".encode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is  well-known.", ["It", "is", "well-known."]),
        ("你好。「再见」", ["你", "好。", "「再", "见」"]),
        ("コーヒーをちょっと", ["コー", "ヒー", "を", "ちょっ", "と"]),
        ("我用iPhone打电话", ["我", "用", "iPhone", "打", "电", "话"]),
        ("ไปเที่ยว", ["ไป", "เที่", "ย", "ว"]),
        ("안녕하세요 여러분", ["안녕하세요", "여러분"]),
        ("", []),
    ],
)
def test_units_are_words_or_the_characters_of_scripts_without_spaces(
    text: str, expected: list[str]
) -> None:
    assert units(text) == expected


def test_words_are_joined_with_spaces_unless_their_script_has_none() -> None:
    assert joined(["so", "it", "is"]) == "so it is"
    assert joined(["你", "好。", "再", "见"]) == "你好。再见"


def test_a_long_word_is_cut_without_taking_a_mark_from_its_letter() -> None:
    assert chunks("abcdefg", 3) == ["abc", "def", "g"]
    assert chunks("abce\u0301f", 4) == ["abc", "e\u0301f"]
    assert [len(part) for part in chunks("\u0301" * 9, 4)] == [4, 4, 1]


@pytest.mark.parametrize(
    ("text", "following", "expected"),
    [
        ("over.", "Then", True),
        ("over.", "", True),
        ('over?"', "Then", True),
        ("好。", "今", True),
        ("吗？", "今", True),  # noqa: RUF001  the fullwidth mark is what is tested
        ("Dr.", "Smith", False),
        ("J.", "Smith", False),
        ("so...", "we", False),
        ("well,", "Then", False),
    ],
)
def test_sentences_end_at_their_marks(text: str, following: str, *, expected: bool) -> None:
    assert ends_sentence(text, following) is expected


def test_clauses_end_at_commas_and_wherever_a_sentence_could() -> None:
    assert [ends_clause(text) for text in ("so,", "so...", "好、", "so", "Dr.")] == [
        True,
        True,
        True,
        False,
        False,
    ]
