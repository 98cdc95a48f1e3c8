from __future__ import annotations

import pytest

from voxgate.transcript.text import (
    chunks,
    columns,
    ends_clause,
    ends_sentence,
    joined,
    one_line,
    units,
)


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
        ("コーヒーをちょっと。", ["コーヒーを", "ちょっと。"]),
        ("我用iPhone打电话", ["我", "用", "iPhone", "打", "电", "话"]),
        ("ไปเที่ยวครับ", ["ไป", "เที่ยว", "ครับ"]),
        ("ສະບາຍດີເຈົ້າ", ["ສະບາຍດີ", "ເຈົ້າ"]),
        ("សួស្តីថ្ងៃនេះ", ["សួស្តី", "ថ្ងៃនេះ"]),
        ("မြန်မာစာ", ["မြန်မာ", "စာ"]),
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
    assert chunks("abce\u0301f", 4) == ["abce\u0301", "f"]
    assert chunks("\u0301" * 9, 4) == ["\u0301" * 9]
    assert chunks("\u0939\u093f" * 3, 3) == ["\u0939\u093f"] * 3  # a mark with a width
    assert "".join(chunks("\u093f" * 100, 42)) == "\u093f" * 100
    assert max(map(columns, chunks("\u093f" * 100, 42))) <= 42


def test_a_long_word_is_cut_where_a_line_may_break() -> None:
    assert chunks("今天我们讨论", 5) == ["今天", "我们", "讨论"]
    assert chunks("สวัสดีครับวันนี้", 9) == ["สวัสดีครับวัน", "นี้"]
    assert chunks("abc def", 5) == ["abc", "def"]
    assert chunks("abc -", 5) == ["abc -"]


@pytest.mark.parametrize(
    ("text", "width"),
    [
        ("abc", 3),
        ("日本", 4),
        ("ＡＢ", 4),  # noqa: RUF001
        ("ﾃｽﾄ", 3),
        ("한국", 4),
        ("e\u0301", 1),
        ("ที่", 1),
        ("\u0633\u064e", 1),
        ("\u200fab", 2),
        ("👍", 2),
    ],
)
def test_a_wide_character_takes_two_columns_and_a_mark_none(text: str, width: int) -> None:
    assert columns(text) == width


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
