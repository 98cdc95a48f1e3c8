from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.reading import thorough
from voxgate.api.body.form_fields import FormPart, nest_fields
from voxgate.errors import UsageError


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([], {}),
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a", "1"), ("b", "x"), ("a", "2")], {"a": ["1", "2"], "b": "x"}),
        ([("a", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b][c]", "1"), ("a[d]", "2")], {"a": {"b": {"c": "1"}, "d": "2"}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a[b]", "1"), ("a[b]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a", [1]), ("a", [2])], {"a": [[1], [2]]}),
        ([("a", {"b": 1})], {"a": {"b": 1}}),
        ([("größe[ä ö]", "ü")], {"größe": {"ä ö": "ü"}}),
        ([("a.b", "1")], {"a.b": "1"}),
        ([("a[b][c][d][e][f][g][]", "1")], {"a": {"b": {"c": {"d": {"e": {"f": {"g": ["1"]}}}}}}}),
    ],
)  # fmt: skip
def test_nesting(pairs: list[tuple[str, Any]], fields: dict[str, Any]) -> None:
    assert nest_fields(pairs) == fields


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([("a[", "1")], "'a['"),
        ([("a]", "1")], "'a]'"),
        ([("[a]", "1")], "'[a]'"),
        ([("[]", "1")], "'[]'"),
        ([("", "1")], "''"),
        ([("a[b", "1")], "'a[b'"),
        ([("a[b]c", "1")], "'a[b]c'"),
        ([("a[[b]]", "1")], "'a[[b]]'"),
        ([("a[][b]", "1")], "'a[][b]'"),
        ([("a\n[", "1")], r"'a\n['"),
        ([("a[" + "b" * 500, "1")], "..."),
        ([("a[b]", "1"), ("a", "2")], "contradicts"),
        ([("a", "2"), ("a[b]", "1")], "contradicts"),
        ([("a[]", "2"), ("a[b]", "1")], "contradicts"),
        ([("a", {"b": 1}), ("a[b]", "1")], "contradicts"),
        ([("a[b][c][d][e][f][g][h][i]", "1")], "deeper than 8"),
        ([("a[b][c][d][e][f][g][h][]", "1")], "deeper than 8"),
        ([("a", "1")] * 1001, "more than 1000"),
    ],
)
def test_what_cannot_be_nested(pairs: list[tuple[str, Any]], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        nest_fields(pairs)
    assert why in caught.value.sentence
    assert len(caught.value.sentence) < 250


names = st.text("ab_ é.", min_size=1, max_size=3)
objects = st.recursive(
    st.text(max_size=5) | st.lists(st.text(max_size=5), min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=10,
)


def flat(value: Any, name: str) -> list[tuple[str, str]]:
    """As OpenAI's client writes nested values."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{name}[{key}]")]
    if isinstance(value, list):
        return [(f"{name}[]", item) for item in value]
    return [(name, value)]


@thorough
@given(fields=st.dictionaries(names, objects, max_size=3))
def test_what_a_client_flattened(fields: dict[str, Any]) -> None:
    pairs = [pair for key, value in fields.items() for pair in flat(value, key)]
    assert nest_fields(pairs) == fields


def headers(disposition: bytes, **more: bytes) -> dict[bytes, bytes]:
    named = {name.replace("_", "-").encode(): value for name, value in more.items()}
    return {b"content-disposition": disposition, **named}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b'form-data; name="file"; filename="a b;c.wav"', "a b;c.wav"),
        (b"form-data; name=file; filename=a.wav", "a.wav"),
        ('form-data; name="file"; filename="grün 😀.wav"'.encode(), "grün 😀.wav"),
        (b'form-data; name="file"; filename="\xff.wav"', "\ufffd.wav"),
        (b"form-data; name=\"file\"; filename*=utf-8''gr%C3%BCn.wav", "grün.wav"),
        (b"form-data; name=\"file\"; filename*=UTF-8'en'a%2Fb.wav", "b.wav"),
        (b'form-data; name="file"; filename="a.wav"; filename*=utf-8\'\'b.wav', "a.wav"),
        (b'form-data; name="file"; filename=""', None),
    ],
)
def test_a_recording(disposition: bytes, name: str | None) -> None:
    part = FormPart.parse(headers(disposition, content_type=b"Audio/X-WAV; codecs=1"))
    assert part.is_recording
    assert part.file_name == name
    assert part.media_type == "audio/x-wav"


@pytest.mark.parametrize(
    ("disposition", "media_type", "is_recording"),
    [
        (b"form-data; name=file", b"audio/ogg", True),
        (b"form-data; name=file", b"video/mp4", True),
        (b"form-data; name=file", b"application/octet-stream", True),
        (b"form-data; name=file", b"text/plain", False),
        (b"form-data; name=file", b"", False),
        (b"form-data; name=file; filename=a", b"", True),
        (b"form-data; name=prompt; filename=p.txt", b"text/plain", False),
        (b"form-data; name=prompt", b"application/octet-stream", False),
    ],
)
def test_which_part_is_the_recording(
    disposition: bytes, media_type: bytes, is_recording: bool
) -> None:
    assert (
        FormPart.parse(headers(disposition, content_type=media_type)).is_recording == is_recording
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "has no name"),
        (headers(b"form-data"), "has no name"),
        (headers(b'form-data; name=""'), "has no name"),
        (headers(b'form-data; name="\xff"'), "not UTF-8"),
        (headers(b"form-data; name=a", content_transfer_encoding=b"Base64"), "'base64'"),
    ],
)
def test_what_is_refused(given: dict[bytes, bytes], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        FormPart.parse(given)


def test_a_recording_under_another_name() -> None:
    part = FormPart.parse(
        headers(b"form-data; name=audio; filename=a.wav", content_type=b"audio/x-wav")
    )
    with pytest.raises(UsageError, match="goes into the field 'file'"):
        _ = part.is_recording


def test_transfer_encodings_without_effect() -> None:
    assert (
        FormPart.parse(headers(b"form-data; name=a", content_transfer_encoding=b"8bit")).name == "a"
    )
