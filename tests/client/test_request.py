"""The request body: complete, with the declared length, and never whole in memory."""

import json
import os
import threading
from base64 import b64decode
from pathlib import Path

import pytest

from tests.failures import raises
from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.source import Source
from voxgate.client.request import (
    UPLOAD_BLOCK_BYTES,
    TranscriptionUpload,
    audio_format,
    open_upload,
)
from voxgate.errors import UsageError
from voxgate.settings import Settings

FIELDS = {"model": "a/b", "timestamp_granularities": ["segment"]}


async def sent(body: TranscriptionUpload) -> bytes:
    return b"".join([part async for part in body])


@pytest.mark.parametrize(
    "size", [1, 2, 3, *(2 * UPLOAD_BLOCK_BYTES + more for more in (-1, 0, 1, 2))]
)
async def test_the_body_contains_the_recordings_bytes_for_any_size(
    settings: Settings, size: int
) -> None:
    data = os.urandom(size)
    with Source.open(data, settings, name="a.OPUS") as source:
        body = TranscriptionUpload(source, FIELDS)
        for _ in range(2):  # a repeated request is the same
            text = await sent(body)
            assert len(text) == body.length
            sound = json.loads(text)["input_audio"]
            assert b64decode(sound["data"], validate=True) == data
            assert sound["format"] == "opus"
            assert (body.complete, body.sent) == (True, size)


async def test_the_recording_comes_last(settings: Settings) -> None:
    with Source.open(b"sound", settings) as source:
        assert list(json.loads(await sent(TranscriptionUpload(source, FIELDS)))) == [
            *FIELDS,
            "input_audio",
        ]


async def test_a_file_is_sent_from_its_current_position(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.wav").write_bytes(b"header" + b"sound")
    with (tmp_path / "a.wav").open("rb") as file:
        file.seek(6)
        with open_upload(file, settings, name=None, pcm=None) as source:
            text = await sent(TranscriptionUpload(source, FIELDS))
    assert b64decode(json.loads(text)["input_audio"]["data"]) == b"sound"


async def test_a_pipe_is_copied_to_its_end(tmp_path: Path, settings: Settings) -> None:
    data = os.urandom(300_000)  # more than a pipe holds
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(data,))
    writer.start()
    with open_upload(tmp_path / "pipe", settings, name=None, pcm=None) as source:
        writer.join()
        text = await sent(TranscriptionUpload(source, FIELDS))
    assert b64decode(json.loads(text)["input_audio"]["data"]) == data
    assert not list(settings.spool_dir.iterdir())


def test_an_empty_pipe_and_an_endless_device_are_reported(
    settings: Settings, tmp_path: Path
) -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe, raises("empty_audio", match="the microphone"):
        open_upload(pipe, settings, name="the microphone", pcm=None)
    small = Settings(home=tmp_path, spool_dir=tmp_path, max_source_bytes=3 << 20)
    with raises("audio_too_large", match="/dev/zero is larger than 3 MB"):
        open_upload("/dev/zero", small, name=None, pcm=None)


async def test_a_file_that_becomes_shorter_is_reported(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(1000))
    with Source.open(path, settings) as source:
        os.truncate(path, 500)
        with raises("unreadable_audio", match=r"a\.wav became shorter"):
            await sent(TranscriptionUpload(source, FIELDS))


async def test_a_disk_that_fails_is_reported(tmp_path: Path, settings: Settings) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(bytes(1000))
    with Source.open(path, settings) as source:
        unreadable = os.open(path, os.O_WRONLY)
        os.dup2(unreadable, source.fd)
        os.close(unreadable)
        with raises("unreadable_audio", match=r"a\.wav could not be read \(Bad file"):
            await sent(TranscriptionUpload(source, FIELDS))


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("note.mp3", "mp3"),
        ("monday/NOTE.FLAC", "flac"),
        ("standard input", "wav"),
        ("archive.tar.gz", "gz"),
        (".wav", "wav"),
        ("odd.m 4 a", "wav"),
        ("odd.\u00fc", "wav"),
        ("undeclared.pcm", "wav"),
    ],
)
def test_the_format_is_a_hint_from_the_name(name: str, declared: str) -> None:
    assert audio_format(name, None) == declared


def test_headerless_sound_is_accepted_only_in_the_declared_format() -> None:
    assert audio_format("a.raw", PcmDeclaration("s16le", 16_000)) == "pcm"
    for other in (("s16le", 44_100, 1), ("s16le", 16_000, 2), ("f32le", 16_000, 1)):
        with pytest.raises(UsageError, match="only as s16le:16000:1"):
            audio_format("a.raw", PcmDeclaration(*other))
