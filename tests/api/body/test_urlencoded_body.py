from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.reading import cuts, read_all, thorough
from tests.failures import raises

if TYPE_CHECKING:
    from voxgate.errors import Code
    from voxgate.settings import Settings

URLENCODED = "application/x-www-form-urlencoded"

words = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), max_size=8)


@thorough
@given(fields=st.dictionaries(words.filter(bool), words, max_size=5), sizes=cuts)
def test_what_a_client_wrote(fields: dict[str, str], sizes: list[int], limits: Settings) -> None:
    received = read_all(URLENCODED, urlencode(fields).encode(), limits, sizes)
    assert received.fields == fields
    assert received.kind == "urlencoded"
    assert received.upload is None


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            b"model=m&file_url=https%3A%2F%2Fe.com%2Fa.mp3&stream=false",
            {"model": "m", "file_url": "https://e.com/a.mp3", "stream": "false"},
        ),
        (b"a%5B%5D=1&b[c]=+2", {"a": ["1"], "b": {"c": " 2"}}),
        ("a=ü".encode(), {"a": "ü"}),
        (b"a=", {"a": ""}),
        (b"&a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"", {}),
    ],
)
def test_forms(body: bytes, fields: dict[str, Any], limits: Settings) -> None:
    assert read_all(f"{URLENCODED}; charset=UTF-8", body, limits).fields == fields


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (b"a", "invalid_request", "name=value"),
        (b"a=%ff", "invalid_request", "not UTF-8"),
        (b"a=\xff", "invalid_request", "not UTF-8"),
        (b"a=%ED%A0%80", "invalid_request", "not UTF-8"),
        (b"=1", "invalid_request", "not understood"),
        (b"a[=1", "invalid_request", "not understood"),
        (b"a=1&" * 1000 + b"a=1", "invalid_request", "more than 1000 fields"),
        (b"a=" + b"x" * 65_535, "payload_too_large", "64 KiB, its limit"),
        (b"a=" + b"x" * 65_535 + b"&b=1", "payload_too_large", "64 KiB, its limit"),
        ((b"a=" + b"x" * 60_000 + b"&") * 5, "payload_too_large", "256 KiB"),
    ],
)
def test_what_is_refused(body: bytes, code: Code, why: str, limits: Settings) -> None:
    for size in (65_536, 1021):
        with raises(code) as caught:
            read_all(URLENCODED, body, limits, [size])
        assert why in str(caught.value)
