from __future__ import annotations

import base64
import binascii
import json
import random
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.json_texts import bodies, mutated
from tests.api.body.reading import cut, cuts, read_all, recording, thorough
from tests.failures import raises
from voxgate.api.body.json_body import JsonBody
from voxgate.errors import Code, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.settings import Settings

INVALID: Code = "invalid_request"
TOO_LARGE: Code = "payload_too_large"

SMALLEST = 6 * len("input_audio")  # the key, with every character escaped, is no long string

long_sizes = st.sampled_from([SMALLEST, 70, 100, 10**5])


def outcome(
    body: bytes, limits: Settings, sizes: Iterable[int], long_bytes: int
) -> tuple[dict[str, Any], bytes | None]:
    """Fields and recording, as the body's own code has them."""
    with closing(JsonBody(limits, long_bytes=long_bytes)) as reading:
        for chunk in cut(body, sizes):
            reading.feed(chunk)
        received = reading.finish()
    return received.fields, recording(received.upload)


def reference(body: bytes) -> tuple[dict[str, Any], bytes | None] | None:
    """The same by the standard library, which has all of it in memory; None is a bad request."""
    try:
        fields = json.loads(body.decode("utf-8-sig"), parse_constant=refuse)
        json.dumps(fields, ensure_ascii=False, allow_nan=True).encode()
        if not isinstance(fields, dict):
            return None
        audio = fields.get("input_audio")
        if isinstance(audio, dict) and isinstance(audio.get("data"), str):
            return fields, base64.b64decode(audio.pop("data"), validate=True)
    except (ValueError, binascii.Error):
        return None
    return fields, None


def refuse(name: str) -> NoReturn:
    raise ValueError(name)


def agrees(whole: Any, kept: Any, long_bytes: int) -> bool:
    """Whether `kept` is `whole` without its long strings, and without nothing else."""
    if isinstance(whole, dict) and isinstance(kept, dict):
        missing = whole.keys() - kept.keys()
        return (
            kept.keys() <= whole.keys()
            and all(agrees(whole[key], kept[key], long_bytes) for key in kept)
            and all(
                may_drop(key, long_bytes) or may_drop(whole[key], long_bytes) for key in missing
            )
        )
    if isinstance(whole, list) and isinstance(kept, list):
        rest = list(kept)
        for item in whole:
            if rest and agrees(item, rest[0], long_bytes):
                rest.pop(0)
            elif not may_drop(item, long_bytes):
                return False
        return not rest
    return type(whole) is type(kept) and bool(whole == kept) and not must_drop(whole, long_bytes)


def may_drop(value: Any, long_bytes: int) -> bool:
    return isinstance(value, str) and 6 * len(value.encode()) > long_bytes


def must_drop(value: Any, long_bytes: int) -> bool:
    return isinstance(value, str) and len(value.encode()) > long_bytes


def compare(body: bytes, limits: Settings, sizes: list[int], long_bytes: int) -> None:
    wanted = reference(body)
    try:
        fields, sound = outcome(body, limits, sizes, long_bytes)
    except UsageError as error:
        refusal = error.sentence
    else:
        assert wanted is not None
        assert sound == wanted[1]
        assert agrees(wanted[0], fields, long_bytes)
        return
    assert wanted is None or is_stricter(refusal, body, long_bytes), refusal


def is_stricter(refusal: str, body: bytes, long_bytes: int) -> bool:
    """What is refused here on purpose, and read by the standard library."""
    audio = json.loads(body.decode("utf-8-sig")).get("input_audio")
    if "'input_audio' must be an object" in refusal:
        return may_drop(audio, long_bytes)
    if "'input_audio.data' is not base64" in refusal:
        # Some versions of Python take '=' where there is nothing to fill.
        return audio["data"].endswith("=") and len(audio["data"].rstrip("=")) % 4 == 0
    if "a long string in it is not UTF-8" in refusal:
        # Half of a pair, in a string that a later key of the same name has replaced.
        return re.search(rb"\\u[dD][89a-fA-F]", body) is not None
    return any(why in refusal for why in ("more than 8 strings", "a number in it is too large"))


@thorough
@given(body=bodies(), sizes=cuts, long_bytes=long_sizes)
def test_it_reads_what_the_standard_library_reads(
    body: bytes, sizes: list[int], long_bytes: int, limits: Settings
) -> None:
    compare(body, limits, sizes, long_bytes)


@thorough
@given(body=mutated(bodies()), sizes=cuts, long_bytes=long_sizes)
def test_a_broken_body_is_refused_or_read_the_same(
    body: bytes, sizes: list[int], long_bytes: int, limits: Settings
) -> None:
    compare(body, limits, sizes, long_bytes)


@thorough
@given(body=bodies() | mutated(bodies()), one=cuts, other=cuts)
def test_chunks_do_not_matter(
    body: bytes, one: list[int], other: list[int], limits: Settings
) -> None:
    results = []
    for sizes in (one, other):
        try:
            results.append(repr(outcome(body, limits, sizes, long_bytes=SMALLEST)))
        except UsageError as error:
            results.append(type(error).__name__)
    assert results[0] == results[1]


TRICKY = (
    r"\"\\\\\"\\\/\/\\u002b\u002B\u002b\u002F\u002f\u003d\u003D\ud83d\ude00\u0000é😀\b\f\n\r\t"
    r"\\\"]}:,é"
)


@pytest.mark.parametrize("long_bytes", [SMALLEST, 67, 68, 71, 90, 10**5])
def test_every_division_in_two(long_bytes: int, limits: Settings) -> None:
    data = r"QUJD\/\/\u002b\u002F\/\/\/\u002B\u002fQ\u0051QQ\u0041AA\/w\u003d\u003D"
    body = f'{{"{TRICKY}":["{TRICKY}"],"input_audio":{{"d\\u0061ta":"{data}"}}}}'.encode()
    compare(body, limits, [10**5], long_bytes)
    fields, sound = outcome(body, limits, [10**5], long_bytes)
    assert len(data) > SMALLEST
    assert sound == base64.b64decode("QUJD//+////+/QQQQAAA/w==")
    for place in range(1, len(body)):
        assert outcome(body, limits, [place, len(body)], long_bytes) == (fields, sound)


@pytest.mark.parametrize("pairs", range(1, 9))
def test_backslashes_before_what_looks_like_an_escape(pairs: int, limits: Settings) -> None:
    """Whether the last of many begins an escape depends on the first one."""
    for end in ("u1234", "\\u0041", "ud83d", "\\ud83d\\ude00", "u", '\\"'):
        text = "no base64 " * 7 + "\\\\" * pairs + end
        body = f'{{"x":"{text}"}}'.encode()
        for size in range(1, len(body)):
            assert outcome(body, limits, [size], SMALLEST) == ({}, None)


@pytest.mark.parametrize(("length", "is_long"), [(65_536, False), (65_537, True)])
def test_what_is_long(length: int, is_long: bool, limits: Settings) -> None:
    body = json.dumps({"prompt": "a" * length}).encode()
    assert bool(read_all("application/json", body, limits).dropped) == is_long


@pytest.mark.parametrize(
    "broken",
    [
        r"\q", r"\u12", r"\u12G4", r"\ud83d", r"\ude00", r"\ud83d\u0041", r"\ud83d\ud83d\ude00",
        "\x01", "\n", "\x1f", b"\xff", b"\xe2\x82", b"\xed\xa0\x80", b"\xf0\x9f\x98",
    ],
)  # fmt: skip
def test_an_invalid_long_string(broken: str | bytes, limits: Settings) -> None:
    """Also under an unknown key, and for every division into chunks."""
    bad = broken.encode() if isinstance(broken, str) else broken
    for before in (b"QUJD" * 16, b"QUJD " * 14):
        body = b'{"input_audio":{"data":"QUJD"},"x":"' + before + bad + b'"}'
        for size in range(1, 12):
            with pytest.raises(UsageError, match="not JSON"):
                outcome(body, limits, [size], SMALLEST)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 49_151, 49_152, 49_153, 49_155, 300_000])
@pytest.mark.parametrize("chunk", [65_536, 65_537, 4_093, 10**6])
def test_recordings_of_real_size(size: int, chunk: int, seed: int, limits: Settings) -> None:
    sound = random.Random(seed).randbytes(size)
    text = base64.b64encode(sound).decode()
    for data in (text, text.replace("/", "\\/"), text.replace("+", "\\u002B")):
        body = f'{{"input_audio": {{"data": "{data}", "format": "wav"}}, "model": "m"}}'.encode()
        received = read_all("application/json", body, limits, [chunk])
        assert received.fields == {"input_audio": {"format": "wav"}, "model": "m"}
        assert received.kind == "json"
        assert received.dropped == []
        assert recording(received.upload) == sound


LONG = "QUJD" * 20_000


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("QUJD\\r\\n" + LONG, "base64 -w0"),
        ("QUJD\\n", "base64 -w0"),
        (LONG + "\\nQUJD", "base64 -w0"),
        ("QUI", "padding"),
        (LONG + "Q", "padding"),
        (LONG + "QQ=", "padding"),
        (LONG + "Q===", "padding"),
        (LONG + "QQ==" + LONG, "follows its padding"),
        ("QQ==QQ==", "follows its padding"),
        ("data:audio/wav;base64," + LONG, "only what follows 'base64,'"),
        ("data:audio/wav;base64,QUJD", "only what follows 'base64,'"),
        (LONG + "-_A=", "'+' and '/' instead"),
        ("-_A=", "'+' and '/' instead"),
        (LONG + "QU D", "other than"),
        ("QUé=", "other than"),
    ],
)
def test_invalid_base64(data: str, why: str, limits: Settings) -> None:
    body = f'{{"input_audio":{{"data":"{data}","format":"wav"}}}}'.encode()
    with pytest.raises(UsageError, match="'input_audio\\.data'") as caught:
        read_all("application/json", body, limits)
    assert why in caught.value.sentence


def test_strict_as_the_standard_library(limits: Settings) -> None:
    """It ignores the bits after the last byte, too."""
    body = ('{"input_audio":{"data":"' + LONG + 'QR=="}}').encode()
    assert recording(read_all("application/json", body, limits).upload) == b"ABC" * 20_000 + b"A"


@pytest.mark.parametrize(
    "body",
    [
        '{"input_audio": [1], "model": "m"}',
        '{"input_audio": "short"}',
        '{"input_audio": null}',
        '{"input_audio": {"data": 1}}',
        '{"input_audio": {"data": null, "url": "http://a"}}',
        '{"input_audio": {"url": "http://a"}, "data": "QUJD"}',
        "{}",
    ],
)
def test_other_types_are_checked_later(body: str, limits: Settings) -> None:
    received = read_all("application/json", body.encode(), limits)
    assert received.upload is None
    assert received.fields == json.loads(body)


def test_the_last_of_duplicate_keys_counts(limits: Settings) -> None:
    other = "REVG" * 20_000
    body = f'{{"input_audio":{{"data":"{other}","data":"{LONG}"}}}}'.encode()
    assert recording(read_all("application/json", body, limits).upload) == b"ABC" * 20_000
    body = f'{{"input_audio":{{"data":"{LONG}"}},"input_audio":{{"data":"{other}"}}}}'.encode()
    assert recording(read_all("application/json", body, limits).upload) == b"DEF" * 20_000
    body = f'{{"input_audio":{{"data":"{LONG}\\n","data":"QUJD"}}}}'.encode()
    assert recording(read_all("application/json", body, limits).upload) == b"ABC"


def test_a_long_string_elsewhere_is_dropped_and_named(limits: Settings) -> None:
    junk = "no base64 " * 10_000
    given = {
        "file": junk,
        "input_audio": {"data": "QUJD", "note": LONG},
        "keyterms": ["a", junk, "b", {junk: 1}],
        junk: 2,
    }
    received = read_all("application/json", json.dumps(given).encode(), limits)
    assert received.fields == {"input_audio": {}, "keyterms": ["a", "b", {}]}
    assert recording(received.upload) == b"ABC"
    assert received.dropped == [
        "file",
        "input_audio.note",
        "keyterms[1]",
        "keyterms[3].(a long name)",
        "(a long name)",
    ]


def test_a_placeholder_cannot_be_forged(limits: Settings) -> None:
    """It is random: one request's placeholder has no meaning in the next."""
    with closing(JsonBody(limits)) as reading:
        reading.feed(f'{{"input_audio":{{"data":"{LONG}"}}}}'.encode())
        placeholder = next(iter(reading._scanner.long_strings))
    body = json.dumps({"x": LONG, "input_audio": {"data": placeholder}}).encode()
    with pytest.raises(UsageError, match="not base64"):
        read_all("application/json", body, limits)


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (b"", INVALID, "expecting value"),
        (b"[]", INVALID, "an object, not a list"),
        (b'"a"', INVALID, "an object, not a string"),
        (b"1", INVALID, "an object, not a number"),
        (b"true", INVALID, "an object, not true or false"),
        (b"null", INVALID, "an object, not null"),
        (b"{'a': 1}", INVALID, "double quotes at line 1 column 2"),
        (b'{"a": 1,}', INVALID, "not JSON"),
        (b'{"a": 1} x', INVALID, "not JSON"),
        (b'{"a": "b', INVALID, "cut off"),
        (b'{"a": "b\\', INVALID, "cut off"),
        (b'{"a": 1}\\', INVALID, "not JSON"),
        (b'{\\"a": 1}', INVALID, "not JSON"),
        (b'{"a": NaN}', INVALID, "NaN is no number"),
        (b'{"a": -Infinity}', INVALID, "-Infinity is no number"),
        (b'{"a": 1' + b"0" * 5000 + b"}", INVALID, "thousands of digits"),
        (b'{"a": ' + b"[" * 9000, INVALID, "nested deeper"),
        (b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}", INVALID, "nested deeper"),
        (b'{"a": 1e999}', INVALID, "a number in it is too large"),
        (b'{"a": [' + b"{}," * 10_000 + b"{}]}", INVALID, "more than 20,000 values"),
        (b'{"a": "\\ud800"}', INVALID, "surrogate"),
        (b'{"\\uDC00": 1}', INVALID, "surrogate"),
        (b'{"a": "\xed\xa0\x80"}', INVALID, "not UTF-8"),
        (b'{"a": "\xff"}', INVALID, "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), INVALID, "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), INVALID, "UTF-16-LE"),
        (f'{{"input_audio":{{"data":"{LONG}"}}}}'.encode("utf-16"), INVALID, "UTF-16"),
        ('{"a": 1}'.encode("utf-32"), INVALID, "UTF-32"),
        (f'{{"input_audio": "{LONG}"}}'.encode(), INVALID, "'input_audio' must be an object"),
        (b'{"a": [' + b'"%b",' % (b"A" * 70_000) * 9 + b"0]}", INVALID, "more than 8 strings"),
        (b'{"a": [' + b'"%b",' % (b"A" * 60_000) * 5 + b"0]}", TOO_LARGE, "256 KiB"),
        (b" " * 300_000 + b"{}", TOO_LARGE, "256 KiB"),
        (
            b'{"input_audio":{"data":"' + base64.b64encode(bytes(1_000_001)) + b'"}}',
            TOO_LARGE,
            "The recording is larger than 1 MB",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes, code: Code, why: str, limits: Settings) -> None:
    for size in (65_536, 1021):
        with raises(code) as caught:
            read_all("application/json", body, limits, [size])
        assert why in str(caught.value)


def test_nesting_as_deep_as_it_may_be(limits: Settings) -> None:
    body = b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}"
    assert read_all("application/json", body, limits).fields == json.loads(body)


def test_the_largest_recording_with_every_slash_escaped(limits: Settings) -> None:
    """As PHP writes a recording whose every sample is -1."""
    sound = b"\xff" * 10**6
    data = base64.b64encode(sound).replace(b"/", b"\\/")
    body = b'{"input_audio":{"data":"' + data + b'"}}'
    assert recording(read_all("application/json", body, limits).upload) == sound
