from __future__ import annotations

import pytest

from voxgate.api.body.form_body import FormPart, base_name
from voxgate.errors import UsageError


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a.wav", "a.wav"),
        ("/home/me/a.wav", "a.wav"),
        ("C:\\Users\\me\\a.wav", "a.wav"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\a.mp3", "a.mp3"),
        ("mixed/of\\both.ogg", "both.ogg"),
        ("a\x00b\x1b[31m\n.wav", "ab[31m.wav"),
        ("a\ud800b.wav", "ab.wav"),
        ("\u202evaw.txt", "vaw.txt"),
        ("日本\u3000語.wav", "日本\u3000語.wav"),
        ("  a.wav ", "a.wav"),
        ("x" * 300 + ".wav", "x" * 251 + ".wav"),
        ("", None),
        ("/", None),
        ("/home/me/", None),
        ("..", None),
        ("a/..", None),
        ("\x00", None),
    ],
)
def test_base_name(given: str, name: str | None) -> None:
    assert base_name(given) == name


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
    part = FormPart.of(headers(disposition, content_type=b"Audio/X-WAV; codecs=1"))
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
    assert FormPart.of(headers(disposition, content_type=media_type)).is_recording == is_recording


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
        FormPart.of(given)


def test_a_recording_under_another_name() -> None:
    part = FormPart.of(
        headers(b"form-data; name=audio; filename=a.wav", content_type=b"audio/x-wav")
    )
    with pytest.raises(UsageError, match="goes into the field 'file'"):
        _ = part.is_recording


def test_what_encoding_says_nothing() -> None:
    assert FormPart.of(headers(b"form-data; name=a", content_transfer_encoding=b"8bit")).name == "a"
