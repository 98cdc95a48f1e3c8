"""Which files of a folder are recordings, and which arguments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.failures import raises
from tests.sounds import Pcm, encode, picture_only
from voxgate.cli.inputs import collect_inputs

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.errors import Code

CONTAINERS = {
    "wav": (),
    "aiff": (),
    "flac": (),
    "ogg": (),
    "m4a": (),
    "mp3": (),
    "aac": (),
    "mp2": (),
    "mka": (),
    "webm": (),
    "caf": (),
    "au": (),
    "wv": (),
    "tta": (),
    "avi": (),
    "flv": ("-ar", "44100"),
    "wma": (),
    "w64": (),
    "voc": (),
}


def found(*arguments: Path | str, headerless: bool = False) -> list[str]:
    recordings = collect_inputs(map(str, arguments), headerless=headerless).recordings
    return [str(recording.relative_path) for recording in recordings]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_recording_is_recognised_by_its_first_bytes(
    tmp_path: Path, spoken: Pcm, container: str
) -> None:
    data = encode(spoken[:16_000], f"a.{container}", *CONTAINERS[container])
    (tmp_path / "untitled").write_bytes(data)
    assert found(tmp_path) == ["untitled"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"The meeting begins at nine.",
        "Grüße".encode("utf-16"),
        b"\x89PNG\r\n\x1a\n" + bytes(30),
        b"RIFF\x24\0\0\0WEBPVP8 " + bytes(30),
        b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(30),
        b"\0\0\0\x18ftypheic" + bytes(30),
        b"\xff" * 64,
    ],
)
def test_other_files_are_skipped(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "thing").write_bytes(data)
    recordings, failures, unread = collect_inputs([str(tmp_path)], headerless=False)
    assert not unread
    assert not recordings
    assert str(tmp_path) in failures[0].sentence


def test_a_folder_is_searched_at_every_depth_in_order_without_loops(tmp_path: Path) -> None:
    for name in ("b.mp3", "a.WAV", "x/c.mp4", "x/y/d.ogg", ".hidden.wav", ".git/e.wav", "x/f.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(picture_only() if name.endswith("mp4") else b"")
    (tmp_path / "x" / "round").symlink_to(tmp_path)
    (tmp_path / "broken.wav").symlink_to("nowhere")
    assert found(tmp_path) == ["a.WAV", "b.mp3", "x/c.mp4", "x/y/d.ogg"]
    shallow = collect_inputs([str(tmp_path)], headerless=False, recursive=False).recordings
    assert [recording.name for recording in shallow] == [
        str(tmp_path / "a.WAV"),
        str(tmp_path / "b.mp3"),
    ]


def test_a_named_file_is_a_recording_whatever_it_is_called(tmp_path: Path) -> None:
    assert found("notes.txt", tmp_path / "no-such") == ["notes.txt", "no-such"]


def test_the_same_file_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    assert found(tmp_path, tmp_path / "a.wav") == ["a.wav"]


def test_raw_files_count_where_pcm_was_declared(tmp_path: Path) -> None:
    for name in ("a.wav", "b.raw"):
        (tmp_path / name).touch()
    assert found(tmp_path) == ["a.wav"]
    assert found(tmp_path, headerless=True) == ["b.raw"]


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://example.org/a.mp3?t=1&x=2", "a.mp3"),
        ("HTTP://Example.org/%C3%BC.ogg", "ü.ogg"),
        ("http://192.168.1.7:8000", "192.168.1.7"),
    ],
)
def test_an_address_is_a_recording_once(address: str, name: str) -> None:
    assert found(address, address) == [name]


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("ftp://example.org/a.mp3", "invalid_request", "does not begin with http:// or https://"),
        ("file:///tmp/a.mp3", "invalid_request", "does not begin with http:// or https://"),
        ("https://me:pw@example.org/a.mp3", "invalid_request", "a user name or a password"),
        ("https://youtu.be/a", "url_refused", "yt-dlp -f bestaudio -o - https://youtu.be/a | vox"),
    ],
)
def test_what_cannot_be_fetched_is_refused(address: str, code: Code, says: str) -> None:
    with raises(code, match=re.escape(says)):
        found(address)


def test_what_looks_like_sound_and_is_not_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    reasons = {
        "b.pcm": "--pcm s16le",
        "c.m3u8": "playlist",
        "d.MID": "notes",
        "e.aup3": "export its sound",
        "f.aax": "encrypted",
        "g.ds2": "dictation machine",
        "h.3gpp": "no container that is read",
    }
    for name in (*reasons, "notes.txt", "cover.jpg", ".i.pcm"):
        (tmp_path / name).write_bytes(b"some bytes")
    recordings, failures, unread = collect_inputs([str(tmp_path)], headerless=False)
    assert [recording.relative_path.name for recording in recordings] == ["a.wav"]
    assert not failures
    assert len(unread) == len(reasons)
    for sentence, (name, reason) in zip(unread, reasons.items(), strict=True):
        assert f"{tmp_path / name} was not read: " in sentence
        assert reason in sentence


def test_with_pcm_a_file_with_a_header_is_named(tmp_path: Path) -> None:
    for name in ("a.raw", "b.mp3", "c.txt"):
        (tmp_path / name).touch()
    recordings, _, unread = collect_inputs([str(tmp_path)], headerless=True)
    assert [recording.relative_path.name for recording in recordings] == ["a.raw"]
    assert unread == [
        f"{tmp_path / 'b.mp3'} was not read: it has a header: transcribe it without --pcm."
    ]
