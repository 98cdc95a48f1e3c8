"""Patterns against Python's own: what can be answered matches there, too."""

import json
import random
import re
import secrets

import numpy as np
import pytest
from llguidance import LLMatcher

from tests.answers.test_schema import allows, byte_tokenizer
from voxgate.answers.pattern import LARGEST_REPEAT, portable_pattern
from voxgate.answers.schema import checked_schema, grammar

TRICKY = "aAB0_<٣ß\u00a0 \t\n\r\x0b\x1c\x85\u2028\ufeff.-&|{}[]\\/\"'^$é😀"
"""Characters about which JavaScript, Python and Rust differ, and some of other classes."""

JAVASCRIPT = {
    "d": "0-9",
    "w": "A-Za-z0-9_",
    "s": "\t\n\x0b\x0c\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff",
}

PATTERNS = [
    *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", "."),
    *(r"[\d]", r"[^\d]", r"[\D]", r"[^\D]", r"[\w]", r"[^\w]", r"[^\W]"),
    *(r"[\s]", r"[^\s]", r"[^\S]", r"[\s\S]", r"[\s.-]", r"[^\w\s]", r"[\W\d]", r"[\b\t]"),
    *("[a&|]", "[a^b]", r"[\]\[]", "[-a]", "[a-]", r"[\^a]", r"[\-a]", r"\/", r"\<", r"\.", r"\\"),
    *(r"\x41", r"\u0042", r"\{a\}", "(?:a|B)", "(a)(B)?", "(?P<year>0)", "a|B", "a{2}", "a{1,2}?"),
    *(r"^a\sB$", r"^[^\s]+\.[^\s]+$", r"^.*$", r"\$", r"\^"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_what_is_allowed_matches_in_python_and_javascript(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    texts = [
        *TRICKY,
        "",
        "aa",
        "aaa",
        "aB",
        "a B",
        "a\xa0B",
        "a\x1cB",
        "a.B",
        "{a}",
        "0 ",
        "<",
        "A",
    ]
    allowed = [t for t in texts if allows(schema, json.dumps(t, ensure_ascii=False))]
    assert allowed
    for reader in (re.compile(pattern), re.compile(javascript(pattern))):
        assert [text for text in allowed if not reader.search(text)] == []


def javascript(pattern: str) -> str:
    """Write a pattern of JavaScript's as Python's with the same meaning."""
    result, in_class = "", False
    for each in re.findall(r"\\.|.", pattern, re.DOTALL):
        in_class = each == "[" or (in_class and each != "]")
        if each == "." and not in_class:
            result += "[^\n\r\u2028\u2029]"
        elif each[1:].lower() in JAVASCRIPT and each.startswith("\\"):
            result += explicit(each[1:], in_class=in_class)
        else:
            result += each
    return result


def explicit(name: str, *, in_class: bool) -> str:
    body = JAVASCRIPT[name.lower()]
    if name.islower():
        return body if in_class else f"[{body}]"
    inside = re.compile(f"[{body}]")
    others = "".join(re.escape(c) for c in TRICKY if not inside.match(c))
    return others if in_class else f"[^{body}]"


def test_random_answers_match_in_python() -> None:
    number = secrets.randbits(32)
    print(f"seed {number}")
    dice = random.Random(number)
    for pattern in PATTERNS:
        compiled = grammar(checked_schema({"type": "string", "pattern": pattern}, "it"))
        for _ in range(10):
            matcher, written = LLMatcher(byte_tokenizer(), compiled), list[int]()
            while not matcher.is_stopped() and len(written) < 60:
                bits = np.unpackbits(
                    np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little"
                )
                token = int(dice.choice(np.flatnonzero(bits[:256])))
                assert matcher.consume_token(token)
                written.append(token)
            if matcher.is_stopped():
                text = json.loads(bytes(written))
                assert re.search(pattern, text), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)", r"'\(\?='"),
        ("(?!a)", r"'\(\?!'"),
        ("(?<=a)b", r"'\(\?<'"),
        ("(?<!a)b", r"'\(\?<'"),
        ("(?i)a", r"'\(\?i'"),
        ("(?", r"'\(\?'"),
        (r"a\b", r"'\\b'"),
        (r"(a)\1", r"'\\1'"),
        (r"(?<n>a)\k<n>", r"'\\k'"),
        (r"\A", r"'\\A'"),
        (r"\cA", r"'\\c'"),
        (r"\x4", r"'\\x'"),
        ("\\", "'.' is not known"),
        (r"\x1e", "control character"),
        (r"[\u0000-\u001f]", "control character"),
        ("\x1e", "control character"),
        ("[]a]", "empty"),
        ("[^]", "empty"),
        ("[a", "no end"),
        ("[[a]b]", "class of characters"),
        ("[a&&b]", "class of characters"),
        ("[a--b]", "class of characters"),
        ("a{,3}", "stands alone"),
        ("a{", "stands alone"),
        ("]", "stands alone"),
        ("a**", "repeats"),
        ("a*+", "repeats"),
        ("a{2}{3}", "repeats"),
        (f"a{{{LARGEST_REPEAT + 1}}}", "more than"),
        ("a{1,99999999999999999999}", "more than"),
    ],
)
def test_what_some_reader_does_not_know_is_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        portable_pattern(pattern)


def test_a_pattern_is_read_in_time_that_grows_with_its_length() -> None:
    """Else a caller stops the server with a few kilobytes; here it would be some minutes."""
    assert portable_pattern("a.*" * 100_000).count("a") == 100_000
    assert portable_pattern("[" + r"\s" * 100_000 + "]").count(r"\u205f") == 100_000
