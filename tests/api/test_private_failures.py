"""What is broken on the server's machine: its callers are not told where it is, its log is."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import (
    FILE,
    SCRIPTED,
    Running,
    error_of,
    model_spec,
    recording,
    serving,
)
from tests.models.store.checkpoints import write_hf
from tests.scripted import Scripted
from voxgate.audio.scratch_file import IN_MEMORY_BYTES
from voxgate.errors import PUBLIC_SENTENCES, Code, RegistryError
from voxgate.models.catalogue import ModelSpec
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import ALIGNER, Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2


def check(
    answer: httpx2.Response, folder: Path, caplog: pytest.LogCaptureFixture, code: Code
) -> None:
    """Look at an answer, and at the log, which has the folder once."""
    error = error_of(answer)
    assert (error["metadata"]["code"], error["message"]) == (code, PUBLIC_SENTENCES[code])
    for private in (str(folder), "/tmp", socket.gethostname(), f"/{getpass.getuser()}"):
        assert private not in answer.text
    whole = [message for message in caplog.messages if str(folder) in message]
    assert len(whole) == 1
    assert whole[0].startswith(answer.headers["x-request-id"])
    caplog.clear()


async def test_sound_that_cannot_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as server:
        server.settings.spool_dir.write_text("no folder")  # which not even root can write into
        long = b"RIFF" + bytes(IN_MEMORY_BYTES)  # what is shorter needs no disk
        form = {"data": {"model": "scripted/one"}, "files": {"file": long}}
        for body in ({"json": recording(long)}, {"json": recording(long, stream=True)}, form):
            answer = await server.client.post("/audio/transcriptions", **body)
            check(answer, server.settings.spool_dir, caplog, "spool_full")


async def test_a_file_that_cannot_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path, keep_files=True) as server:
        kept = server.settings.home / "files"
        kept.write_text("no folder")
        answer = await server.client.post("/files", files=FILE)
        check(answer, kept, caplog, "spool_full")


async def test_a_secret_of_signed_addresses_that_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path, keep_files=True) as server:
        id_ = (await server.client.post("/files", files=FILE)).json()["id"]
        (server.settings.home / "files.secret").write_bytes(b"short")
        answer = await server.client.get(f"/files/{id_}/url")
        check(answer, server.settings.home, caplog, "ledger_failed")


class DamagedAligner(dict[str, ModelSpec]):
    """Models of which the one that gives times to words cannot be read."""

    def __getitem__(self, name: str) -> ModelSpec:
        if name == ALIGNER:
            raise RegistryError("The record /srv/models/whisper.json cannot be read. Get it again.")
        return super().__getitem__(name)


async def test_a_warning_with_the_sentence_of_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Scripted()
    models = DamagedAligner({SCRIPTED: model_spec(SCRIPTED, provider)})
    timed = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
    async with serving(
        tmp_path, session=lambda chosen: Session(chosen, models=models, start=lambda *_: provider)
    ) as server:
        answer = await server.post(recording(**timed))
    (warning,) = answer.json()["warnings"]
    assert warning["code"] == "not_aligned"
    assert warning["sentence"].endswith(f": {PUBLIC_SENTENCES['registry_failed']}")
    assert "/srv" not in answer.text
    (whole,) = (message for message in caplog.messages if "/srv" in message)
    assert whole.startswith(f"{answer.headers['x-generation-id']} The times of words are estimated")


def damage(server: Running, name: str) -> Code:
    """Break what the server has of the model `tiny`. Return the code of what follows."""
    house = Registry.open(server.settings)
    record = house.find("tiny")
    if name == "record":
        house.paths.record("tiny").write_text("{")
        return "registry_failed"
    if name == "record that is a folder":
        house.paths.record("tiny").unlink()
        house.paths.record("tiny").mkdir()
        return "registry_failed"
    config = record.folder / "config.json"
    text, times = config.read_text(), config.stat()
    config.write_text("{" * len(text))
    if name == "changed file":
        return "checkpoint_changed"
    os.utime(config, ns=(times.st_atime_ns, times.st_mtime_ns))
    return "invalid_checkpoint"


@pytest.mark.parametrize(
    "name", ["record", "record that is a folder", "changed file", "file of the same time"]
)
async def test_a_model_that_is_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    Registry.open(Settings(home=tmp_path / "home")).add(write_hf(tmp_path / "tiny"), "tiny")
    async with serving(tmp_path, session=Session) as server:
        code = damage(server, name)
        asked: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/audio/transcriptions", {"json": recording(model="tiny")}),
            ("GET", "/model/tiny", {}),
            ("GET", "/models/tiny", {}),
            ("GET", "/models/tiny/endpoints", {}),
        ]
        for method, path, request in asked:
            answer = await server.client.request(method, path, **request)
            check(answer, tmp_path, caplog, code)
