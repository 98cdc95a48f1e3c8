from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.reading import cuts, read_all, recording, thorough
from tests.failures import raises
from voxgate.errors import Code, UsageError

if TYPE_CHECKING:
    from voxgate.settings import Settings

FORM = "multipart/form-data; boundary=bound"
URL = "http://voxgate"
File = tuple[str | None, bytes, str] | tuple[str, bytes]


def form(
    fields: dict[str, Any], files: list[tuple[str, Any]], boundary: str = "bound"
) -> tuple[str, bytes]:
    """Content type and body as a real client writes them."""
    content_type = f"multipart/form-data; boundary={boundary}"
    request = httpx2.Request(
        "POST", URL, data=fields, files=files, headers={"content-type": content_type}
    )
    return content_type, request.read()


def part(disposition: str, value: str = "v", more: str = "") -> bytes:
    """One part as nobody's client writes it."""
    return f"--bound\r\nContent-Disposition: {disposition}\r\n{more}\r\n{value}\r\n".encode()


END = b"--bound--\r\n"
near_boundary = (
    st.lists(
        st.sampled_from([b"\r", b"\n", b"\r\n", b"--", b"\r\n--", b"bound", b"boun", b"-"])
        | st.binary(max_size=20),
        max_size=12,
    )
    .map(b"".join)
    .filter(lambda data: b"\r\n--bound" not in data and not data.startswith(b"--bound"))
)
words = st.text(st.characters(exclude_characters="[]", exclude_categories=["Cs"]), max_size=8)
names = st.text(
    st.characters(exclude_characters='[]"\\', exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=6,
).filter(lambda name: name != "file" and name.strip() == name)


@thorough
@given(
    fields=st.dictionaries(names, words | st.lists(words, min_size=2, max_size=3), max_size=4),
    sound=near_boundary,
    name=st.sampled_from(["a.wav", "/home/me/grün.mp3", "ö;ä.ogg"]),
    sizes=cuts,
)
def test_what_a_client_wrote(
    fields: dict[str, Any], sound: bytes, name: str, sizes: list[int], limits: Settings
) -> None:
    texts = [
        value for item in fields.values() for value in ([item] if isinstance(item, str) else item)
    ]
    content_type, body = form(fields, [("file", (name, sound, "audio/x-wav"))])
    if any("--bound" in text for text in texts):
        return
    received = read_all(content_type, body, limits, sizes)
    assert received.kind == "form"
    assert received.fields == fields
    assert received.upload is not None
    assert received.upload.name == name.rpartition("/")[2]
    assert received.upload.media_type == "audio/x-wav"
    assert recording(received.upload) == sound


def test_what_openais_client_sends(limits: Settings) -> None:
    fields = {
        "model": "mistralai/voxtral",
        "timestamp_granularities[]": ["word", "segment"],
        "keyterms[]": ["Voxgate"],
        "provider[options][groq][prompt]": "a b",
        "provider[zdr]": "true",
        "temperature": "0.0",
    }
    received = read_all(*form(fields, [("file", ("upload", b"RIFF"))]), limits)
    assert recording(received.upload) == b"RIFF"
    assert received.fields == {
        "model": "mistralai/voxtral",
        "timestamp_granularities": ["word", "segment"],
        "keyterms": ["Voxgate"],
        "provider": {"options": {"groq": {"prompt": "a b"}}, "zdr": "true"},
        "temperature": "0.0",
    }


def test_what_mistrals_client_sends(limits: Settings) -> None:
    """Lists repeat without brackets; references are a part of JSON."""
    files = [
        ("file", ("a.wav", b"RIFF", "audio/x-wav")),
        ("speaker_references", (None, b'[{"id": 1}]', "application/json; charset=utf-8")),
    ]
    fields = {"context_bias": ["a", "b"], "diarize": "false"}
    received = read_all(*form(fields, files), limits)
    assert recording(received.upload) == b"RIFF"
    assert received.fields == fields | {"speaker_references": [{"id": 1}]}


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 300_001])
@pytest.mark.parametrize("chunk", [65_536, 4_093, 10**6])
def test_recordings_of_real_size(size: int, chunk: int, limits: Settings) -> None:
    sound = random.Random(size).randbytes(size)
    content_type, body = form({"model": "m"}, [("file", ("a.flac", sound))])
    received = read_all(content_type, body, limits, [chunk])
    assert received.upload is not None
    assert received.upload.size == size
    assert recording(received.upload) == sound


def test_a_form_without_a_recording(limits: Settings) -> None:
    body = (
        part('form-data; name="file_url"', "http://a") + part('form-data; name="file"', "id") + END
    )
    received = read_all(FORM, body, limits)
    assert received.upload is None
    assert received.fields == {"file_url": "http://a", "file": "id"}
    assert read_all(FORM, END, limits).fields == {}


def test_text_around_a_form_is_ignored(limits: Settings) -> None:
    body = b"\r\n" + part('form-data; name="a"') + END + b"epilogue"
    assert read_all(FORM, body, limits).fields == {"a": "v"}


FILE = 'form-data; name="file"; filename="a.wav"'
A = 'form-data; name="a"'


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (b"", "invalid_request", "before its closing boundary"),
        (part(A), "invalid_request", "before its closing boundary"),
        (part(FILE)[:-3], "invalid_request", "before its closing boundary"),
        (part(FILE) + b"--bound", "invalid_request", "before its closing boundary"),
        (b"--other\r\n\r\n", "invalid_request", "not the form that its content type says"),
        (b"hello", "invalid_request", "not the form that its content type says"),
        (part(A).replace(b"Content-D", b"Content D") + END, "invalid_request", "invalid character"),
        (part(A, more="X: " + "y" * 9000 + "\r\n") + END, "invalid_request", "maximum header size"),
        (part(A, more="X: y\r\n" * 17) + END, "invalid_request", "maximum header count"),
        (part(A) * 1001 + END, "invalid_request", "more than 1000 fields"),
        (part(FILE) + part(FILE) + END, "invalid_request", "more than one field 'file'"),
        (part('form-data; name="a["') + END, "invalid_request", "'a['"),
        (part('form-data; name="a[b]"') + part(A) + END, "invalid_request", "contradicts"),
        (part("form-data") + END, "invalid_request", "no name"),
        (b"--bound\r\n\r\nv\r\n" + END, "invalid_request", "no name"),
        (part(A).replace(b"v", b"\xff") + END, "invalid_request", "'a' is not UTF-8"),
        (
            part(A, "{", "Content-Type: application/json\r\n") + END,
            "invalid_request",
            "The form field 'a' is not JSON",
        ),
        (
            part('form-data; name="sound"; filename="a.wav"', "v", "Content-Type: audio/wav\r\n"),
            "invalid_request",
            "goes into the field 'file'",
        ),
        (part(A, "x" * 300_000) + END, "payload_too_large", "256 KiB"),
        ((part(A, more="X: " + "y" * 8000 + "\r\n") * 40) + END, "payload_too_large", "256 KiB"),
        (part(FILE, "x" * 1_000_001) + END, "payload_too_large", "recording is larger than 1 MB"),
        (END + b"x" * 1_300_000, "payload_too_large", "The body is larger"),
    ],
)  # fmt: skip
def test_what_is_refused(body: bytes, code: Code, why: str, limits: Settings) -> None:
    for size in (65_536, 1021):
        with raises(code) as caught:
            read_all(FORM, body, limits, [size])
        assert why in str(caught.value)


@pytest.mark.parametrize(
    ("content_type", "why"),
    [
        ("multipart/form-data", "lacks its boundary"),
        ("multipart/form-data; boundary=", "lacks its boundary"),
        ("multipart/form-data; boundary=" + "b" * 300, "boundary is not taken"),
    ],
)
def test_an_invalid_boundary(content_type: str, why: str, limits: Settings) -> None:
    with pytest.raises(UsageError, match=why):
        read_all(content_type, part(A) + END, limits)


def test_nothing_is_logged(limits: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """A caller's mistakes must not fill the server's log."""
    with pytest.raises(UsageError):
        read_all(FORM, b"--bound\r\nbad header\r\n", limits)
    assert caplog.records == []


@thorough
@given(
    body=st.lists(
        st.sampled_from(
            [part(A), part(FILE), END, b"--bound", b"\r\n", b"--", b":", b";", b'"', b"\xff",
             b"Content-Disposition: form-data; name=", b"Content-Type: application/json\r\n"]
        )
        | st.binary(max_size=4),
        max_size=8,
    ).map(b"".join),
    sizes=cuts,
)  # fmt: skip
def test_junk_is_refused_or_read_the_same(body: bytes, sizes: list[int], limits: Settings) -> None:
    def outcome(cut_into: list[int]) -> Any:
        try:
            received = read_all(FORM, body, limits, cut_into)
        except UsageError as error:
            return type(error)
        return received.fields, recording(received.upload)

    assert outcome(sizes) == outcome([10**6])
